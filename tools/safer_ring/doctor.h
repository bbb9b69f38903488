/* SPDX-License-Identifier: MIT */
/*
 * Doctor: in plain words what a machine can do with io_uring, what blocks it, and the narrow fix.
 */
#ifndef SFR_TOOLS_SAFER_RING_DOCTOR_H
#define SFR_TOOLS_SAFER_RING_DOCTOR_H

#include "facts.h"
#include <stdio.h>

void doctor_text(FILE *out, const struct facts *facts);
void doctor_json(FILE *out, const struct facts *facts);

/* 0: loops use io_uring; 1: they do not; 3: that could not be found out. */
int doctor_status(const struct facts *facts);

#endif

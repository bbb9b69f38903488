/* SPDX-License-Identifier: MIT */
/*
 * Completions.
 */
#ifndef SFR_LIB_OP_COMPLETE_H
#define SFR_LIB_OP_COMPLETE_H

#include "loop/loop.h"

/* A completion for an op. */
void sfr__op_complete(sfr_op *op, int result, unsigned flags);

/* The op has ended, or under sfr_all() a part of it, and nothing about it is special: it goes on or is called
 * back. */
void sfr__op_part_done(sfr_op *op, int result);

#endif

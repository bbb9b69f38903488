/* SPDX-License-Identifier: MIT */
/*
 * Ops: how each operation is done by each engine, and whether this kernel has what it takes.
 */
#ifndef SAFER_RING_OPS_H
#define SAFER_RING_OPS_H

#include "safer_ring_facts.h"
#include <stdio.h>

void ops_text(FILE *out, const struct facts *facts);
void ops_json(FILE *out, const struct facts *facts);

#endif

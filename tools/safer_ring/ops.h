/* SPDX-License-Identifier: MIT */
/*
 * Ops: how each operation is done by each engine, and whether this kernel has what it takes.
 */
#ifndef SFR_TOOLS_SAFER_RING_OPS_H
#define SFR_TOOLS_SAFER_RING_OPS_H

#include "facts.h"
#include <stdio.h>

void ops_text(FILE *out, const struct facts *facts);
void ops_json(FILE *out, const struct facts *facts);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Completion codes that differ between kernels, and engines, made one.
 */
#ifndef SFR_LIB_OP_NORMAL_H
#define SFR_LIB_OP_NORMAL_H

#include "loop/op_cell.h"

/* What a completion with a negative result means for an op in the state it is in. */
int sfr__result_normal(const sfr_op *op, int result);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Completions.
 */
#ifndef SFR_LIB_OP_COMPLETE_H
#define SFR_LIB_OP_COMPLETE_H

#include "loop/loop.h"
#include "loop/op_kind.h"

/* A completion for an op. */
void sfr__op_complete(sfr_op *op, int result, unsigned flags);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Ops that the library does not know: a completion for one of them.
 */
#ifndef SFR_LIB_OP_RAW_H
#define SFR_LIB_OP_RAW_H

#include "loop/op_slot.h"

void sfr__raw_complete(sfr_op *op, int result, bool more);

#endif

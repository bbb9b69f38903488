/* SPDX-License-Identifier: MIT */
/*
 * Ops that wait for a child: a completion for one of them.
 */
#ifndef SFR_LIB_OP_CHILD_H
#define SFR_LIB_OP_CHILD_H

#include "loop/op_slot.h"

void sfr__child_complete(sfr_op *op, int result);

#endif

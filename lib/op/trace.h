/* SPDX-License-Identifier: MIT */
/*
 * The life of an op as the log tells it.
 */
#ifndef SFR_LIB_OP_TRACE_H
#define SFR_LIB_OP_TRACE_H

#include "loop/loop.h"

/* For sfr__op_table.trace. */
void sfr__op_trace(const sfr_op *op, enum sfr__op_state from, enum sfr__op_event event);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The life of an op as the log tells it.
 */
#ifndef SFR_LIB_OP_TRACE_H
#define SFR_LIB_OP_TRACE_H

#include "loop/loop.h"

/* Each state in a word or two. */
extern const char *const sfr__op_states[SFR__OP_STATES];

/* For sfr__op_table.trace. */
void sfr__op_trace(const sfr_op *op, enum sfr__op_state from, enum sfr__op_event event);

#endif

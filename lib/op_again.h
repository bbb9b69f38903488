/* SPDX-License-Identifier: MIT */
/*
 * Again: operations that the engine gave up, and that are to wait all the same.
 */
#ifndef SFR_LIB_OP_AGAIN_H
#define SFR_LIB_OP_AGAIN_H

#include "loop.h"

/* The engine says -EAGAIN of an op: whether that is not for its caller to know, who did not ask for it. */
bool sfr__op_waits(const sfr_op *op);

/* One that the engine gave up, and that waits, goes on: now, or later. */
void sfr__op_try_again(sfr_op *op);

/* Whether the engine may start by itself what is behind an op in a chain: not if the op may be given up, and go
 * on then. To be asked before its entry is written. */
bool sfr__op_may_lead(sfr_op *op);

/* Have an op that the engine gave up go on with its entry after a while: 1 ms, and twice as long each time
 * that is in vain, up to 100 ms. One that was asked to end does. */
void sfr__op_go_on_later(sfr_op *op);

/* It was not in vain, and goes on. */
static inline void sfr__op_came(sfr_op *op)
{
	if (sfr__unlikely(op->flags & SFR__OP_TIMED))
		sfr__deadline_came(sfr__deadline_of(&op->loop->deadlines, op));
}

#endif

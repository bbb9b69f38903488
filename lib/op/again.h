/* SPDX-License-Identifier: MIT */
/*
 * Again: operations that the engine gave up with EAGAIN, though their caller asked to wait.
 */
#ifndef SFR_LIB_OP_AGAIN_H
#define SFR_LIB_OP_AGAIN_H

#include "loop/loop.h"

/* The engine ended an op with -EAGAIN: whether the op must wait and be tried again, and not end with that. */
bool sfr__op_waits(const sfr_op *op);

/* Try an op that sfr__op_waits() again: now, or later. */
void sfr__op_try_again(sfr_op *op);

/* Whether the engine may start by itself what is linked behind an op in a row: not if the op may be given up,
 * and go on then, and the link holds all the same. To be asked before its entry is written. */
bool sfr__op_may_lead(sfr_op *op, bool hard);

/* Submit the entry of an op that the engine gave up once more after a while: 1 ms, and twice as long after each try
 * in vain, up to 100 ms. If the op was cancelled meanwhile it ends. */
void sfr__op_go_on_later(sfr_op *op);

/* Ask the engine once more, after a while, to end an op that it was asked to end: see sfr__op_cancel_answered(). */
void sfr__op_cancel_later(sfr_op *op);

/* A try got something: the next wait begins at 1 ms again. */
static inline void sfr__op_came(sfr_op *op)
{
	if (sfr__unlikely(op->flags & SFR__OP_TIMED))
		sfr__deadline_came(sfr__deadline_of(&op->loop->deadlines, op));
}

#endif

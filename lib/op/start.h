/* SPDX-License-Identifier: MIT */
/*
 * The start of an op that was built.
 */
#ifndef SFR_LIB_OP_START_H
#define SFR_LIB_OP_START_H

#include "loop/loop.h"
#include "op/kind.h"

/* 0 if it is the caller's to submit or discard. If not, that is misuse, and reported: -SFR_ESTALE,
 * -SFR_ETHREAD, -SFR_EFORKED. */
int sfr__op_check(const sfr_op *op);

/* Submit, without asking whether the loop drains: for what ends soon and must happen. */
sfr_ticket sfr__op_submit(sfr_op *op, sfr_done *done, void *arg);

/* It is submitted while its loop drains: then it is cancelled before it can win, or callbacks that go on
 * would never end. But for what lets go of something. */
static inline bool sfr__op_comes_late(const sfr_op *op)
{
	return sfr__unlikely(op->loop->draining) && !sfr__op_is(op, SFR__KIND_ENDS) &&
	       op->result == 0;
}

/* Whether it is on a descriptor that the loop has for itself: such an op ends with -EBADF. */
bool sfr__op_is_on_own(const sfr_op *op);

/* From BUILDING or ADDED to QUEUED; untold. */
static inline void sfr__op_enter_untold(sfr_op *op, sfr_done *done, void *arg)
{
	op->done = done;
	op->arg = arg;
	op->loop->inflight++;
	op->loop->stats.ops++;
	sfr__loop_stir(op->loop);
	sfr__op_move(op, SFR__EV_SUBMIT);
}

static inline void sfr__op_enter(sfr_op *op, sfr_done *done, void *arg)
{
	sfr__op_tell(op, (enum sfr__op_state)op->state, SFR__EV_SUBMIT);
	sfr__op_enter_untold(op, done, arg);
}

/* Submit an op that is not to start yet. */
void sfr__op_hold(sfr_op *op, sfr_done *done, void *arg);

/* A held op may start, and those that are linked to it behind it. */
void sfr__op_release(sfr_op *op);

#endif

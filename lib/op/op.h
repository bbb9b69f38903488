/* SPDX-License-Identifier: MIT */
/*
 * Ops: their way from submission to callback.
 */
#ifndef SFR_LIB_OP_OP_H
#define SFR_LIB_OP_OP_H

#include "loop/loop.h"
#include "loop/op_kind.h"

/* Submit, without asking whether the loop drains: for what ends soon and must happen. */
sfr_ticket sfr__op_submit(sfr_op *op, sfr_done *done, void *arg);

/* An op that sends a chain of buffers from a send queue, at most SFR__GATHER_USUAL of them; its callback
 * gets the chain as it is. NULL without memory. */
sfr_op *sfr__op_send_chain(sfr_loop *loop, int fd, sfr_buf *chain);

/* An op in state BUILDING; NULL without memory: never with a buffer. */
sfr_op *sfr__op_new(sfr_loop *loop, enum sfr__op_kind kind, bool with_buf);

/* One that takes the caller's buffer, with result < 0 if that was not his to give. */
sfr_op *sfr__op_new_with(sfr_loop *loop, enum sfr__op_kind kind, sfr_buf *buf);

/* The same for ops that fill it with that many bytes at least. */
sfr_op *sfr__op_new_into(sfr_loop *loop, enum sfr__op_kind kind, sfr_buf *buf, uint32_t room);

/* Whether it is there, and nothing is wrong with it so far. */
static inline bool sfr__op_sound(const sfr_op *op)
{
	return op && op->result == 0;
}

/* 0 if it is the caller's to submit or discard. If not, that is misuse, and reported: -SFR_ESTALE,
 * -SFR_ETHREAD, -SFR_EFORKED. */
int sfr__op_check(const sfr_op *op);

/* It is submitted while its loop drains: then it is cancelled before it can win, or callbacks that go on
 * would never end. But for what lets go of something. */
static inline bool sfr__op_comes_late(const sfr_op *op)
{
	return sfr__unlikely(op->loop->draining) && !sfr__op_is(op, SFR__KIND_ENDS) &&
	       op->result == 0;
}

/* Whether it is on a descriptor that the loop has for itself: such an op ends with -EBADF. */
bool sfr__op_is_on_own(const sfr_op *op);

/* From BUILDING or ADDED to QUEUED. */
static inline void sfr__op_enter(sfr_op *op, sfr_done *done, void *arg)
{
	op->done = done;
	op->arg = arg;
	op->loop->inflight++;
	op->loop->stats.ops++;
	sfr__loop_stir(op->loop);
	sfr__op_step(op, SFR__EV_SUBMIT);
}

/* Write its entry to the engine's queue. NULL if there is no room. */
struct io_uring_sqe *sfr__op_write(sfr_op *op);

/* Discard what was built and neither submitted nor discarded: it would keep its buffers for ever. */
void sfr__ops_forget_built(sfr_loop *loop);

/* Forget an op that was never submitted; what it carried is the caller's again. */
sfr_buf *sfr__op_unbuild(sfr_op *op);

/* Ask an op that is submitted to end. */
void sfr__op_cancel(sfr_op *op);

/* The same for the op of a ticket; nothing if it is gone. */
void sfr__ticket_cancel(sfr_loop *loop, sfr_ticket ticket);

/* Nobody wants to know any more: no callback, and what the op wins is reclaimed. */
void sfr__op_abandon(sfr_op *op);

/* Cancel every op there is, but those that close and shut down. */
void sfr__ops_cancel_all(sfr_loop *loop);

/* One call of a multishot op; its end; and its end, of which it is told later in this turn. */
void sfr__op_deliver(sfr_op *op, int result, sfr_buf *buf);
void sfr__op_finish(sfr_op *op, int result);
void sfr__op_finish_later(sfr_op *op, enum sfr__op_event event, int result);

/* The engine is done with an op that goes on: put it on a list to be armed again, or let it end if it was
 * asked to. */
void sfr__op_go_on(sfr_op *op, struct sfr__link *queue);

/* A completion for an op; and the answer to a request to cancel it. */
void sfr__op_complete(sfr_op *op, int result, unsigned flags);
void sfr__op_cancel_answered(sfr_op *op, int result);

/* Write what waits to the engine's queue. True if something still waits that the engine can make room
 * for: then the loop must not sleep. */
bool sfr__ops_flush(sfr_loop *loop);

/* Call back what is DONE by now. */
void sfr__ops_call_ready(sfr_loop *loop);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The end of an op. Every op that was submitted is called back for the last time once, or, if it was
 * abandoned, not at all; what nobody wants of what it won is reclaimed; and its buffer goes where its flags
 * say. An op that was never submitted leaves here as well.
 */
#include "op/end.h"
#include "base/log.h"
#include "op/again.h"
#include "op/gathered.h"
#include "op/kind.h"
#include "op/registered.h"
#include "op/start.h"
#include <safer_ring/error.h>
#include <errno.h>

/* Its deadline, if it had one: an end that it brought about has a name of its own. */
static int deadline_end(sfr_op *op, int result)
{
	if (sfr__likely(!(op->flags & SFR__OP_TIMED)))
		return result;
	op->flags &= (uint16_t)~SFR__OP_TIMED;
	return sfr__deadline_end(sfr__deadline_of(&op->loop->deadlines, op), &op->loop->wheel) &&
			       result == -ECANCELED
		       ? -ETIMEDOUT
		       : result;
}

/* Of sfr_all(): how far it came. */
static uint32_t whole_done(const sfr_op *op)
{
	if (sfr__unlikely(op->flags & SFR__OP_GATHERED))
		return (uint32_t)sfr__op_gather_of(op)->done;
	return (uint32_t)(op->sqe.addr - (uint64_t)(uintptr_t)sfr__buf_data(op->buf));
}

/* What was done in all is the result, whatever ended it. It is the last that there is to tell. */
static int op_outcome(sfr_op *op)
{
	int result = deadline_end(op, op->result);

	if (sfr__likely(!(op->flags & (SFR__OP_WHOLE | SFR__OP_PLACE | SFR__OP_TRACED))))
		return result;
	if (op->flags & SFR__OP_PLACE)
		result = sfr__place_end(op, result);
	else if (op->flags & SFR__OP_WHOLE && result <= 0 && op->buf && whole_done(op))
		result = (int)whole_done(op);
	op->result = result;
	sfr__op_tell(op, SFR__OP_DONE, SFR__EV_RECYCLE);
	return result;
}

/* What an op won that nobody wants: a descriptor must not leak. */
static void result_reclaim(const sfr_op *op, int result)
{
	if (result >= 0 && sfr__op_is(op, SFR__KIND_WINS))
		sfr__loop_close_fd(op->loop, result); /* never used: nothing to lose */
}

/* One call of possibly many. */
void sfr__op_deliver(sfr_op *op, int result, sfr_buf *buf)
{
	sfr__op_came(op);
	if (sfr__likely(op->done != NULL)) {
		op->loop->called++;
		op->done(op->loop, result, buf, op->arg);
	} else {
		result_reclaim(op, result);
		sfr_buf_release(buf);
	}
}

/* What its buffer contains now. */
static uint32_t buf_len(const sfr_op *op)
{
	if (sfr__unlikely(op->buf->next || op->result == -SFR_ESHARED)) /* it was not filled */
		return sfr__buf_len(op->buf);
	if (sfr__op_is(op, SFR__KIND_STRUCT))
		return op->result == 0 ? sfr__kinds[op->kind].size : 0;
	if (!sfr__op_is(op, SFR__KIND_FILLS))
		return sfr__buf_len(op->buf);
	return op->result > 0 ? (uint32_t)op->result : 0;
}

#define OWNS (SFR__OP_COPIES | SFR__OP_GATHERED | SFR__OP_HOLDS_FD)

/* What it has besides its buffer. */
static void belongings_drop(sfr_op *op)
{
	if (op->flags & SFR__OP_COPIES)
		free((void *)(uintptr_t)op->sqe.addr);
	if (op->flags & SFR__OP_GATHERED)
		sfr__gather_give(&op->loop->gathers, sfr__op_gather_of(op));
	if (op->flags & SFR__OP_HOLDS_FD)
		sfr__loop_close_fd(op->loop, op->sqe.fd); /* nothing was written to it */
}

/* Take the buffer off an op that is done, in the state in which the callback expects it. */
static sfr_buf *op_take_buf(sfr_op *op)
{
	sfr_buf *buf = op->buf;

	if (sfr__unlikely(op->flags & OWNS))
		belongings_drop(op);
	if (!buf)
		return NULL;
	if (sfr__unlikely(op->flags & SFR__OP_BUF_HIDDEN)) {
		sfr__buf_drop(buf);
		return NULL;
	}
	if (!(op->flags & SFR__OP_BUF_QUEUED))
		sfr__buf_return(buf, buf_len(op));
	return buf;
}

/* The last call: the cell is free before it, so what the callback builds finds it in the cache. */
static void op_call_back(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	sfr_done *done = op->done;
	void *arg = op->arg;
	int result = op->result = op_outcome(op);
	sfr_buf *buf = op_take_buf(op);

	if (!done)
		result_reclaim(op, result);
	sfr__op_give(&loop->ops, op, SFR__EV_RECYCLE);
	loop->inflight--;
	if (sfr__likely(done != NULL)) {
		loop->called++;
		done(loop, result, buf, arg);
	} else {
		sfr_buf_release(buf);
	}
}

/* Its end is known; the callback comes in this loop's turn, not now. */
void sfr__op_finish_later(sfr_op *op, enum sfr__op_event event, int result)
{
	op->loop->orphans -= op->state == SFR__OP_ORPHANED;
	sfr__op_step(op, event);
	op->result = result;
	sfr__list_remove(&op->hook);
	sfr__list_append(&op->loop->ready, &op->hook);
}

/* Apart, or the usual way would save registers for it. If the op is being cancelled, the engine perhaps was
 * still to be told. */
static __attribute__((noinline)) void special_finish(sfr_op *op, int result)
{
	if (op->state != SFR__OP_IN_FLIGHT) {
		op->loop->orphans -= op->state == SFR__OP_ORPHANED;
		sfr__list_remove(&op->hook);
	}
	sfr__op_step(op, SFR__EV_CQE_LAST);
	op->result = result;
	op_call_back(op);
}

/* The last completion. */
void sfr__op_finish(sfr_op *op, int result)
{
	if (sfr__unlikely(op->state != SFR__OP_IN_FLIGHT || op->flags & SFR__OP_TRACED)) {
		special_finish(op, result);
		return;
	}
	sfr__op_move(op, SFR__EV_CQE_LAST);
	op->result = result;
	op_call_back(op);
}

void sfr__ops_call_ready(sfr_loop *loop)
{
	struct sfr__hook ready;

	if (sfr__likely(sfr__list_empty(&loop->ready)))
		return;
	sfr__list_move(&ready, &loop->ready);
	while (!sfr__list_empty(&ready)) {
		sfr_op *op = sfr__container(ready.next, sfr_op, hook);

		sfr__list_remove(&op->hook);
		op_call_back(op);
	}
}

void sfr__op_fail(sfr_op *op, int result)
{
	op->flags &= (uint16_t)~SFR__OP_PLACE_HELD;
	sfr__op_step(op, SFR__EV_REFUSED);
	op->result = result;
	op_call_back(op);
}

sfr_buf *sfr__op_unbuild(sfr_op *op)
{
	sfr_buf *buf = op_take_buf(op);

	(void)deadline_end(op, 0);
	sfr__op_tell(op, (enum sfr__op_state)op->state, SFR__EV_DISCARD);
	sfr__op_give(&op->loop->ops, op, SFR__EV_DISCARD);
	return buf;
}

void sfr_op_discard(sfr_op *op)
{
	if (op && sfr__op_check(op) == 0)
		sfr_buf_release(sfr__op_unbuild(op));
}

void sfr__ops_forget_built(sfr_loop *loop)
{
	unsigned count = 0;
	size_t i;

	for (i = 0; i < loop->ops.made; i++) {
		sfr_op *op = sfr__op_at(&loop->ops, i);

		if (op->state != SFR__OP_BUILDING && op->state != SFR__OP_ADDED)
			continue;
		sfr_buf_release(sfr__op_unbuild(op));
		count++;
	}
	if (count)
		sfr__log(loop->settings.log.level, SFR_LOG_WARN,
			 "%u operations were built and never submitted when their loop was freed",
			 count);
}

void sfr__op_go_on(sfr_op *op, struct sfr__hook *queue)
{
	if (op->state == SFR__OP_IN_FLIGHT) {
		sfr__op_step(op, SFR__EV_REQUEUE);
		sfr__list_append(queue, &op->hook);
	} else {
		sfr__op_finish_later(op, SFR__EV_CQE_LAST, -ECANCELED);
	}
}

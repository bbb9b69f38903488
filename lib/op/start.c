/* SPDX-License-Identifier: MIT */
/*
 * The start of an op: from the caller, or from a batch that held it, to where it waits for its end: the engine's
 * queue, the backlog, the wheel, a worker. What is known to fail goes to its callback without any of these.
 */
#include "op/start.h"
#include "op/cancel.h"
#include "op/end.h"
#include "op/errand.h"
#include "op/kind.h"
#include "op/registered.h"
#include "op/row.h"
#include "op/write.h"
#include <safer_ring/error.h>
#include <errno.h>

/* From QUEUED to the engine, behind whatever waits already. */
static void op_issue(sfr_op *op)
{
	sfr_loop *loop = op->loop;

	if (!sfr__list_empty(&loop->backlog) || !sfr__op_write(op))
		sfr__list_append(&loop->backlog, &op->hook);
}

static void row_issue(sfr_op *head)
{
	sfr_loop *loop = head->loop;

	if (!sfr__list_empty(&loop->backlog) || !sfr__row_write(head))
		sfr__list_append(&loop->backlog, &head->hook);
}

static void op_send_on_errand(sfr_op *op)
{
	int r = sfr__errand_start(op);

	if (r < 0)
		sfr__op_finish_later(op, SFR__EV_REFUSED, r);
	else
		sfr__op_step(op, SFR__EV_TAKEN);
}

/* It has nothing to do with a place then: that may be another's. */
static __attribute__((noinline)) void op_refuse(sfr_op *op, int result)
{
	op->flags &= (uint16_t)~SFR__OP_PLACE;
	sfr__op_finish_later(op, SFR__EV_REFUSED, result);
}

/* The number of a raw op may be an index. */
bool sfr__op_is_on_own(const sfr_op *op)
{
	if (!sfr__op_is(op, SFR__KIND_ON_FD) ||
	    (op->kind == SFR__OP_RAW && op->sqe.flags & IOSQE_FIXED_FILE))
		return false;
	return sfr__loop_owns(op->loop, op->sqe.fd);
}

/* Not inlined, nor is the refusal: the usual way stays short. */
static __attribute__((noinline)) void op_issue_special(sfr_op *op)
{
	int r = sfr__op_is_on_own(op) ? -EBADF : 0;

	if (r == 0 && op->flags & SFR__OP_PLACE)
		r = sfr__place_begin(op, SFR__NO_PLACE);
	if (r < 0)
		op_refuse(op, r);
	else if (op->flags & SFR__OP_ERRAND)
		op_send_on_errand(op);
	else if (op->flags & SFR__OP_LINKED)
		row_issue(op);
	else
		op_issue(op);
}

static void deadline_passed(struct sfr__timer *timer)
{
	struct sfr__deadline *deadline = sfr__container(timer, struct sfr__deadline, timer);
	sfr_op *op = deadline->op;

	deadline->armed = false;
	deadline->passed = op->state == SFR__OP_QUEUED || op->state == SFR__OP_IN_FLIGHT;
	sfr__op_cancel(op);
	if (op->state == SFR__OP_CANCELLING && op->flags & SFR__OP_ERRAND)
		deadline->passed = false; /* it has begun, and ends with its own result */
}

/* What few ops need when they start; `submitted`: that is untold. */
static __attribute__((noinline)) void special_start(sfr_op *op, bool submitted)
{
	sfr_loop *loop = op->loop;

	if (submitted)
		sfr__op_tell(op, SFR__OP_BUILDING, SFR__EV_SUBMIT);
	if (op->flags & SFR__OP_TIMED && op->result == 0)
		sfr__deadline_start(sfr__deadline_of(&loop->deadlines, op), &loop->wheel,
				    sfr__loop_clock_ns(loop), deadline_passed);
}

/* From QUEUED on its way. */
static inline void op_start(sfr_op *op, bool submitted)
{
	sfr_loop *loop = op->loop;

	if (sfr__unlikely(op->flags & (SFR__OP_TIMED | SFR__OP_TRACED)))
		special_start(op, submitted);
	if (sfr__unlikely(op->result < 0))
		op_refuse(op, op->result);
	else if (sfr__op_is(op, SFR__KIND_HERE))
		sfr__kinds[op->kind].start(op);
	else if (sfr__unlikely(op->flags & (SFR__OP_ERRAND | SFR__OP_PLACE | SFR__OP_LINKED)) ||
		 (sfr__op_is(op, SFR__KIND_ON_FD) &&
		  sfr__unlikely(sfr__loop_may_own(loop, op->sqe.fd))))
		op_issue_special(op);
	else
		op_issue(op);
}

sfr_ticket sfr__op_submit(sfr_op *op, sfr_done *done, void *arg)
{
	sfr__op_enter_untold(op, done, arg);
	op_start(op, true);
	return sfr__op_ticket(op);
}

int sfr__op_check(const sfr_op *op)
{
	int r = sfr__loop_check(op->loop, "an operation was used");

	if (sfr__unlikely(r < 0))
		return r;
	if (sfr__likely(op->state == SFR__OP_BUILDING))
		return 0;
	return sfr__loop_misuse(op->loop, -SFR_ESTALE,
				"an operation was used that was submitted or discarded");
}

sfr_ticket sfr_submit(sfr_op *op, sfr_done *done, void *arg)
{
	int r = op ? sfr__op_check(op) : -ENOMEM;

	if (sfr__unlikely(r < 0)) {
		if (op)
			errno = -r;
		return 0;
	}
	if (sfr__unlikely(sfr__op_comes_late(op)))
		op->result = -ECANCELED;
	return sfr__op_submit(op, done, arg);
}

void sfr__op_hold(sfr_op *op, sfr_done *done, void *arg)
{
	if (sfr__op_comes_late(op))
		op->result = -ECANCELED;
	sfr__place_hold(op);
	sfr__op_enter(op, done, arg);
}

void sfr__op_release(sfr_op *op)
{
	sfr__place_unhold(op);
	op_start(op, false);
}

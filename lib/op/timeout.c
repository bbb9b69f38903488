/* SPDX-License-Identifier: MIT */
/*
 * Timeouts and intervals: timers on the loop's wheel. Such an op has no SQE, and no engine hears of it.
 */
#include "op/build.h"
#include "op/end.h"
#include "op/kind.h"
#include <errno.h>
#include <limits.h>

static sfr_op *op_new_timer(sfr_loop *loop, enum sfr__op_kind kind, uint64_t ns)
{
	sfr_op *op = sfr__op_new(loop, kind, false);

	if (op)
		op->time.ns = ns;
	return op;
}

sfr_op *sfr_timeout(sfr_loop *loop, uint64_t ns)
{
	return op_new_timer(loop, SFR__OP_TIMEOUT, ns);
}

sfr_op *sfr_interval(sfr_loop *loop, uint64_t ns)
{
	return op_new_timer(loop, SFR__OP_INTERVAL, ns ? ns : 1);
}

static void interval_fired(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	uint64_t periods = (loop->now - op->time.due_ns) / op->time.ns + 1;

	op->time.due_ns = sfr__time_after(op->time.due_ns, periods * op->time.ns);
	sfr__op_step(op, SFR__EV_CQE_MORE);
	sfr__wheel_add(&loop->wheel, &op->time.timer, op->time.due_ns);
	sfr__op_deliver(op, periods < INT_MAX ? (int)periods : INT_MAX, NULL);
}

static void timer_fired(struct sfr__timer *timer)
{
	sfr_op *op = sfr__container(timer, sfr_op, time.timer);

	if (op->kind == SFR__OP_INTERVAL)
		interval_fired(op);
	else
		sfr__op_finish(op, 0);
}

/* Time counts from now, not from the beginning of a turn that may have lasted. */
void sfr__timeout_start(sfr_op *op)
{
	op->time.due_ns = sfr__time_after(sfr__loop_clock_ns(op->loop), op->time.ns);
	op->time.timer.fire = timer_fired;
	sfr__op_step(op, SFR__EV_TAKEN);
	sfr__wheel_add(&op->loop->wheel, &op->time.timer, op->time.due_ns);
}

void sfr__timeout_cancel(sfr_op *op)
{
	sfr__wheel_remove(&op->loop->wheel, &op->time.timer);
	sfr__op_finish_later(op, SFR__EV_CQE_LAST, -ECANCELED);
}

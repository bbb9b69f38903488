/* SPDX-License-Identifier: MIT */
/*
 * Deadlines, and the times between tries.
 *
 * An array beside the ops has a record for each op that was ever timed, so an op without deadline
 * pays for none. Both timers of an op are in its record, and one call takes both off the wheel.
 */
#include "loop/deadline.h"

/* The times between tries that were in vain. */
#define WAIT_MIN_MS 1
#define WAIT_MAX_MS 100
#define MS_NS UINT64_C(1000000)

bool sfr__deadline_set(struct sfr__array *deadlines, sfr_op *op, uint64_t ns)
{
	if (op->flags & SFR__OP_TIMED) {
		sfr__deadline_of(deadlines, op)->ns = ns;
		return true;
	}
	if (sfr__array_touch(deadlines, op->index) < 0)
		return false;
	*sfr__deadline_of(deadlines, op) = (struct sfr__deadline){.op = op, .ns = ns};
	return true;
}

void sfr__deadline_start(struct sfr__deadline *deadline, struct sfr__wheel *wheel, uint64_t now_ns,
			 void (*fire)(struct sfr__timer *timer))
{
	if (deadline->armed)
		return;
	deadline->timer.fire = fire;
	deadline->armed = true;
	sfr__wheel_add(wheel, &deadline->timer, sfr__time_after(now_ns, deadline->ns));
}

bool sfr__deadline_end(struct sfr__deadline *deadline, struct sfr__wheel *wheel)
{
	if (deadline->armed)
		sfr__wheel_remove(wheel, &deadline->timer);
	if (deadline->waits)
		sfr__wheel_remove(wheel, &deadline->again);
	deadline->armed = deadline->waits = false;
	return deadline->passed;
}

void sfr__deadline_wait(struct sfr__deadline *deadline, struct sfr__wheel *wheel, uint64_t now_ns,
			void (*fire)(struct sfr__timer *timer))
{
	uint32_t ms = deadline->wait_ms ? 2 * deadline->wait_ms : WAIT_MIN_MS;

	deadline->wait_ms = ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
	deadline->again.fire = fire;
	deadline->waits = true;
	sfr__wheel_add(wheel, &deadline->again, sfr__time_after(now_ns, deadline->wait_ms * MS_NS));
}

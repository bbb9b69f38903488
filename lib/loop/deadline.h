/* SPDX-License-Identifier: MIT */
/*
 * Deadline: the time by which an op must be done; and, for an op that was tried in vain, when to try it again.
 *
 * Only an op that has one pays for it. The record lives in an array of its own, at the index of its op, and its
 * timers wait on the loop's wheel: with millions of them each costs no more than with a few.
 */
#ifndef SFR_LIB_LOOP_DEADLINE_H
#define SFR_LIB_LOOP_DEADLINE_H

#include "base/timer.h"
#include "loop/op_cell.h"

struct sfr__deadline {
	struct sfr__timer timer;
	struct sfr__timer again;
	sfr_op *op;
	uint64_t ns; /* from submission on */
	bool armed;  /* `timer` is on the wheel */
	bool passed;
	bool waits;       /* `again` is on the wheel */
	uint32_t wait_ms; /* how long it waited the last time; 0: the last try got something */
};

/* Give an op a deadline, or its deadline another time. False without memory. */
bool sfr__deadline_set(struct sfr__array *deadlines, sfr_op *op, uint64_t ns);

/* That of an op that has one. */
static inline struct sfr__deadline *sfr__deadline_of(const struct sfr__array *deadlines,
						     const sfr_op *op)
{
	return sfr__array_at(deadlines, op->index);
}

/* Time counts from now, unless it does already. `fire` is told when it has passed. */
void sfr__deadline_start(struct sfr__deadline *deadline, struct sfr__wheel *wheel, uint64_t now_ns,
			 void (*fire)(struct sfr__timer *timer));

/* Off the wheel. Returns whether it had passed. */
bool sfr__deadline_end(struct sfr__deadline *deadline, struct sfr__wheel *wheel);

/* Tell `fire` when the op is to be tried again: after 1 ms, and twice as long each time, up to 100 ms, until
 * sfr__deadline_came(). */
void sfr__deadline_wait(struct sfr__deadline *deadline, struct sfr__wheel *wheel, uint64_t now_ns,
			void (*fire)(struct sfr__timer *timer));

/* A try got something: the next wait is 1 ms again. */
static inline void sfr__deadline_came(struct sfr__deadline *deadline)
{
	deadline->wait_ms = 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Deadline: the time by which an op must be done; and, of one that was tried in vain, when to try it again.
 *
 * Only ops that have one of these pay for it. The record of an op lives in an array of their own, at the index
 * of its op, and waits on the loop's wheel: millions cost no more than a few.
 */
#ifndef SFR_LIB_DEADLINE_H
#define SFR_LIB_DEADLINE_H

#include "op_slot.h"
#include "timer.h"

struct sfr__deadline {
	struct sfr__timer timer;
	struct sfr__timer again;
	sfr_op *op;
	uint64_t ns; /* from submission on */
	bool armed;  /* `timer` is on the wheel */
	bool passed;
	bool waits;       /* `again` is on the wheel */
	uint32_t wait_ms; /* how long it waited the last time; 0: it was not in vain */
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

/* It was not in vain. */
static inline void sfr__deadline_came(struct sfr__deadline *deadline)
{
	deadline->wait_ms = 0;
}

#endif

/*
 * Deadline: the time by which an op must be done.
 *
 * Only ops that have one pay for it. Deadlines live in a table of their own, which grows in place, and
 * wait on the loop's wheel: millions cost no more than a few.
 */
#ifndef SFR_LIB_DEADLINE_H
#define SFR_LIB_DEADLINE_H

#include "region.h"
#include "timer.h"
#include <safer_ring/op.h>
#include <stdbool.h>

struct sfr__deadline {
	struct sfr__timer timer;
	sfr_op *op;    /* NULL while it is free */
	uint64_t ns;   /* from submission on */
	uint32_t next; /* the free one after it */
	bool armed;    /* on the wheel */
	bool passed;
};

struct sfr__deadlines {
	struct sfr__region region;
	uint32_t made, free; /* numbers start with 1; 0 is none */
};

/* 0 or -ENOMEM. */
int sfr__deadlines_init(struct sfr__deadlines *deadlines, size_t count_max);
void sfr__deadlines_fini(struct sfr__deadlines *deadlines);

/* The number of a new one; 0 without memory. */
uint32_t sfr__deadline_take(struct sfr__deadlines *deadlines, sfr_op *op, uint64_t ns);

/* Off the wheel, and free. Returns whether it had passed. */
bool sfr__deadline_give(struct sfr__deadlines *deadlines, struct sfr__wheel *wheel,
			uint32_t number);

struct sfr__deadline *sfr__deadline_at(struct sfr__deadlines *deadlines, uint32_t number);

/* Time counts from now, unless it does already. `fire` is told when it has passed. */
void sfr__deadline_start(struct sfr__deadlines *deadlines, struct sfr__wheel *wheel,
			 uint32_t number, uint64_t now_ns, void (*fire)(struct sfr__timer *timer));

#endif

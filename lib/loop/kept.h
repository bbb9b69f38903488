/* SPDX-License-Identifier: MIT */
/*
 * Kept: completions of receives that wait for memory to describe what arrived, in order.
 *
 * In the engine's queue they would be in the way of those that give memory back, so they are reaped, and wait here.
 * Meanwhile the ring that they draw from is not filled: there come to be no more of them than bytes fit into what it
 * has, and ends of receives. Room for more is made as they come. Only without memory for that, too, are completions
 * left in the engine's queue.
 */
#ifndef SFR_LIB_LOOP_KEPT_H
#define SFR_LIB_LOOP_KEPT_H

#include "base/invariant.h"
#include <safer_ring/base.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sfr__kept_arrival {
	sfr_op *op;
	int result;
	unsigned flags;
};

struct sfr__kept {
	struct sfr__kept_arrival *arrivals;
	uint32_t first, count;
	uint32_t max; /* that there is room for */
};

/* Room for as many as the engine's queue holds. 0 or -ENOMEM. Zeros may be passed to fini. */
int sfr__kept_init(struct sfr__kept *kept, uint32_t max);
void sfr__kept_fini(struct sfr__kept *kept);

/* Make room for so many more. How many there is room for, at most `wanted`. */
uint32_t sfr__kept_make_room(struct sfr__kept *kept, uint32_t wanted);

/* How many of the engine's completions may be reaped. */
static inline uint32_t sfr__kept_allow(struct sfr__kept *kept, uint32_t ready)
{
	return sfr__likely(!kept->count) ? ready : sfr__kept_make_room(kept, ready);
}

void sfr__kept_push(struct sfr__kept *kept, struct sfr__kept_arrival arrival);

/* Whether the engine is done with an op, and its last completion waits here. */
bool sfr__kept_has_last(const struct sfr__kept *kept, const sfr_op *op);

/* The one that is kept longest; NULL if none is. */
static inline const struct sfr__kept_arrival *sfr__kept_first(const struct sfr__kept *kept)
{
	return kept->count ? &kept->arrivals[kept->first] : NULL;
}

static inline void sfr__kept_pop(struct sfr__kept *kept)
{
	kept->first = (kept->first + 1) % kept->max;
	kept->count--;
}

#endif

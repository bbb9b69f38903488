/* SPDX-License-Identifier: MIT */
/*
 * Kept: a ring that is replaced by one of twice the size when it is full.
 */
#include "loop/kept.h"
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

int sfr__kept_init(struct sfr__kept *kept, uint32_t max)
{
	*kept = (struct sfr__kept){.arrivals = calloc(max, sizeof(*kept->arrivals)), .max = max};
	return kept->arrivals ? 0 : -ENOMEM;
}

void sfr__kept_fini(struct sfr__kept *kept)
{
	free(kept->arrivals);
	*kept = (struct sfr__kept){0};
}

uint32_t sfr__kept_make_room(struct sfr__kept *kept, uint32_t wanted)
{
	struct sfr__kept larger = {.max = kept->max, .count = kept->count};
	uint32_t i;

	while (larger.max - kept->count < wanted && larger.max <= UINT32_MAX / 2)
		larger.max *= 2;
	larger.arrivals = larger.max > kept->max ? calloc(larger.max, sizeof(*kept->arrivals))
						 : NULL;
	if (larger.arrivals) {
		for (i = 0; i < kept->count; i++)
			larger.arrivals[i] = kept->arrivals[(kept->first + i) % kept->max];
		free(kept->arrivals);
		*kept = larger;
	}
	return wanted < kept->max - kept->count ? wanted : kept->max - kept->count;
}

void sfr__kept_push(struct sfr__kept *kept, struct sfr__kept_arrival arrival)
{
	sfr__invariant(kept->count < kept->max);
	kept->arrivals[(kept->first + kept->count++) % kept->max] = arrival;
}

bool sfr__kept_has_last(const struct sfr__kept *kept, const sfr_op *op)
{
	uint32_t i;

	for (i = 0; i < kept->count; i++) {
		const struct sfr__kept_arrival *arrival =
			&kept->arrivals[(kept->first + i) % kept->max];

		if (arrival->op == op && !(arrival->flags & IORING_CQE_F_MORE))
			return true;
	}
	return false;
}

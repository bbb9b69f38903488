/* SPDX-License-Identifier: MIT */
/*
 * Values below 128 have a counter each; above, every factor of two is cut into 128 equal steps.
 */
#include "histogram.h"
#include <stddef.h>

#define STEP_BITS 7

static size_t index_of(uint64_t value)
{
	unsigned shift;

	if (value < HISTOGRAM_STEPS)
		return value;
	shift = 63 - STEP_BITS - (unsigned)__builtin_clzll(value);
	return (size_t)shift * HISTOGRAM_STEPS + (value >> shift);
}

/* The middle of the step that has this index. */
static uint64_t value_of(size_t index)
{
	unsigned shift;

	if (index / 2 < HISTOGRAM_STEPS)
		return index;
	shift = (unsigned)(index / HISTOGRAM_STEPS) - 1;
	return ((index - (size_t)shift * HISTOGRAM_STEPS) << shift) + ((uint64_t)1 << shift) / 2;
}

void histogram_add(histogram *h, uint64_t value)
{
	h->counts[index_of(value)]++;
	h->count++;
	if (value > h->max)
		h->max = value;
}

uint64_t histogram_at(const histogram *h, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)h->count);
	uint64_t seen = 0;

	if (wanted >= h->count)
		return h->max;
	for (size_t i = 0; i < sizeof(h->counts) / sizeof(h->counts[0]); i++) {
		seen += h->counts[i];
		if (seen > wanted)
			return value_of(i) < h->max ? value_of(i) : h->max;
	}
	return h->max;
}

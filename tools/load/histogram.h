/* SPDX-License-Identifier: MIT */
/*
 * Histogram of latencies: constant memory, constant relative precision.
 */
#ifndef SFR_TOOLS_LOAD_HISTOGRAM_H
#define SFR_TOOLS_LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 128 /* per factor of two: values are kept to better than 1 % */
#define HISTOGRAM_OCTAVES 58

typedef struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t counts[HISTOGRAM_OCTAVES * HISTOGRAM_STEPS];
} histogram;

/* A histogram of zero bytes is an empty one. */
void histogram_add(histogram *h, uint64_t value);

/* The value that `share` of all values (0 to 1) do not exceed, give or take 1 %; 0 if there is none. */
uint64_t histogram_at(const histogram *h, double share);

#endif

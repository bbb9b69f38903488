/* SPDX-License-Identifier: MIT */
/*
 * Clock: CLOCK_MONOTONIC in nanoseconds, read now.
 */
#ifndef SFR_LIB_BASE_CLOCK_H
#define SFR_LIB_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t sfr__clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

#endif

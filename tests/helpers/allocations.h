/* SPDX-License-Identifier: MIT */
/*
 * Allocations of the library: how many there are, and one that fails. The suite wraps `allocations` of
 * tests/meson.build.
 *
 * libcheck allocates as well, so nothing of it may be called while they are watched.
 */
#ifndef SFR_TESTS_ALLOCATIONS_H
#define SFR_TESTS_ALLOCATIONS_H

/* Watch them from now on; the one of this number fails. The first has number 1; 0: none fails. */
void allocations_watch(long failing);

/* No longer. How many there were. */
long allocations_end(void);

#endif

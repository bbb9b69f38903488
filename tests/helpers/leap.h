/* SPDX-License-Identifier: MIT */
/*
 * Time that passes at once, for tests of what happens after a long time: nobody waits for it.
 */
#ifndef SFR_TESTS_LEAP_H
#define SFR_TESTS_LEAP_H

#include <safer_ring.h>
#include <stdint.h>

/* The loop's clock goes on by so much. Loops of one test share what they have leapt. */
void clock_leap(sfr_loop *loop, uint64_t ns);

#endif

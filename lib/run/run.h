/* SPDX-License-Identifier: MIT */
/*
 * Run: a loop is made, turns, and is freed.
 */
#ifndef SFR_LIB_RUN_RUN_H
#define SFR_LIB_RUN_RUN_H

#include "loop/loop.h"

/* How many bytes of addresses suffice to make a loop, on either engine; a loop takes hardly fewer. */
uint64_t sfr__loop_addresses(const struct sfr__settings *settings);

/* Take turns until somebody sets *reached, for a call of that frame. 0, or as sfr_loop_step(). */
int sfr__loop_run_until(sfr_loop *loop, const bool *reached, const void *frame);

#endif

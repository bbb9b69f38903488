/* SPDX-License-Identifier: MIT */
/*
 * Pressure: whether the memory for buffers is short.
 *
 * A quarter of the budget is kept for what arrives. When no more is left there is pressure, until half as much again
 * is. While it lasts nothing is made of the shortage: what arrives takes as little as it can, and who lives on
 * the loop sees to it that memory comes back.
 *
 * An episode is pressure with breaks that are shorter than server.slow_after. The log is told of it once, and only if
 * somebody suffers: receives wait, or connections are ended.
 */
#ifndef SFR_LIB_LOOP_PRESSURE_H
#define SFR_LIB_LOOP_PRESSURE_H

#include <safer_ring/base.h>
#include <stdbool.h>
#include <stdint.h>

struct sfr__pressure {
	bool on;
	bool told;        /* the log, of this episode */
	uint64_t last_ns; /* when there was pressure last; 0: never */
};

/* Look whether there is pressure; at least once a turn. */
void sfr__pressure_look(sfr_loop *loop);

/* Somebody suffers from it: say so, if that was not said. */
void sfr__pressure_tell(sfr_loop *loop);

/* Bytes of buffers that what arrives may still take. */
uint64_t sfr__pressure_left(const sfr_loop *loop);

#endif

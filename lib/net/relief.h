/* SPDX-License-Identifier: MIT */
/*
 * Relief: what the net does while the memory for buffers is short (loop/pressure.h).
 *
 * Two things, and neither takes memory:
 *
 *	share   In each round, of 10 ms, a connection receives no more when what is queued for it, or what its on_data has
 *	        kept or given to others in that round, exceeds its part of half of what is left. So however many pour, a
 *	        round leaves the other half, unless each of them takes a first buffer of more than its part, and those
 *	        who read what they asked for are served.
 *	        Receives that begin meanwhile are armed for one buffer each, so that none takes more before it is
 *	        looked at.
 *	slow    A connection whose send has made no progress for server.slow_after is ended, the longest first: one, then
 *	        twice as many each time, until there is room. How far a send got is known when it has ended, so it is
 *	        cancelled; one that got somewhere goes on.
 */
#ifndef SFR_LIB_NET_RELIEF_H
#define SFR_LIB_NET_RELIEF_H

#include "base/list.h"
#include "base/timer.h"
#include <safer_ring/server.h>
#include <stdbool.h>
#include <stdint.h>

struct sfr__net;

struct sfr__relief {
	bool on;
	bool timed;     /* the timer is on the wheel */
	bool dry;       /* no more may be shared, though there may be buffers: nobody receives */
	uint16_t round; /* which one this is */
	uint32_t asked; /* connections whose send was cancelled to know how far it got */
	uint32_t batch; /* how many are asked next */
	uint64_t share; /* of a connection, in bytes */
	uint64_t round_end_ns;
	uint64_t slow_at_ns;   /* until then no send will have waited for long enough */
	struct sfr__hook held; /* connections that wait for the next round, by `dirty` */
	struct sfr__timer timer;
};

void sfr__relief_init(struct sfr__net *net);
void sfr__relief_fini(struct sfr__net *net);

/* Once a turn, before connections are settled: begin, go on, or end. */
void sfr__relief_turn(struct sfr__net *net);

/* And after that: have the loop woken for what is next. */
void sfr__relief_wait(struct sfr__net *net);

#endif

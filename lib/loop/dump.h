/* SPDX-License-Identifier: MIT */
/*
 * Dump: who holds what, as sfr_loop_dump() writes it for people.
 *
 * Each room writes the lines of what it keeps, and calls nothing above it: the loop its parts and buffers, the ops,
 * the batches, the connections. net/dump.c, which is above all of them, calls them one after the other. So what only
 * one room knows stays in that room, and there is no list of upcalls.
 *
 * A dump allocates nothing and changes nothing, so that it works in the middle of a callback, and in a debugger.
 */
#ifndef SFR_LIB_LOOP_DUMP_H
#define SFR_LIB_LOOP_DUMP_H

#include "loop/loop.h"
#include <stdio.h>

struct sfr__dump {
	const sfr_loop *loop;
	FILE *out;
	/* Buffers that each room found with its own things. */
	size_t bufs_in_ops;
	size_t bufs_in_batches;
	size_t bufs_queued;
};

__attribute__((format(printf, 2, 3))) void sfr__dump_say(const struct sfr__dump *dump,
							 const char *format, ...);

/* How many parts a chain has; NULL has none. Those that are of the loop's own pool are added to *own: only these are
 * among the buffers that the loop counts, and stand-alone pools have the others. */
size_t sfr__dump_chain(const struct sfr__dump *dump, const sfr_buf *chain, size_t *own);

/* Nanoseconds, as "12.345 ms". */
void sfr__dump_time(const struct sfr__dump *dump, uint64_t ns);

/* How far ahead of the loop's clock something on its wheel is due; 0 if it is due already. */
uint64_t sfr__dump_left(const struct sfr__dump *dump, const struct sfr__timer *timer);

/* Until `due_ns`, by the loop's clock. */
static inline uint64_t sfr__dump_until(const struct sfr__dump *dump, uint64_t due_ns)
{
	return due_ns > dump->loop->now ? due_ns - dump->loop->now : 0;
}

/* The line of the loop; and, when the rooms above have counted theirs, the lines of its parts. */
void sfr__loop_dump_head(const struct sfr__dump *dump);
void sfr__loop_dump_parts(const struct sfr__dump *dump);

#endif

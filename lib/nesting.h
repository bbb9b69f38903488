/* SPDX-License-Identifier: MIT */
/*
 * Nesting: whether somebody runs the loop, or has left it in the middle.
 *
 * Who runs a loop has a mark on his stack meanwhile. A callback that is left by longjmp() or an exception takes
 * the turn below it along, and with it what that turn was about to do: the loop cannot go on. So who comes while
 * the loop is being run is told whether that is so: a call that is further out on the same stack than the mark
 * is, or that finds something else in its place, is not inside a callback. Of two stacks that cannot be said.
 */
#ifndef SFR_LIB_NESTING_H
#define SFR_LIB_NESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sfr__nesting;

struct sfr__mark {
	const struct sfr__nesting *volatile of;
	volatile uint64_t number; /* the same as there */
};

struct sfr__nesting {
	struct sfr__mark *mark; /* NULL: nobody runs it */
	const void *frame; /* of the call that does: what is further in is at a lower address */
	uint64_t number;   /* how often somebody did */
};

static inline void sfr__nesting_begin(struct sfr__nesting *nesting, struct sfr__mark *mark,
				      const void *frame)
{
	mark->of = nesting;
	mark->number = ++nesting->number;
	nesting->mark = mark;
	nesting->frame = frame;
}

static inline void sfr__nesting_end(struct sfr__nesting *nesting)
{
	nesting->mark->of = NULL; /* what is left there of it is nobody's mark */
	nesting->mark = NULL;
}

/* A call comes while the loop is being run: whether who ran it has left. */
bool sfr__nesting_was_left(const struct sfr__nesting *nesting, const void *frame);

#endif

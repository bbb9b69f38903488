/* SPDX-License-Identifier: MIT */
/*
 * Nesting: whether somebody runs the loop, or has left it in the middle.
 *
 * A call that runs the loop has a mark on the stack until it returns. When a callback is left by longjmp() or an
 * exception, that call never returns, what it still had to do is lost, and the loop cannot go on. A later call sees
 * this by the mark: if the later call is further out on the same stack than the mark, or if the mark was overwritten,
 * then the later call is not inside a callback, so a callback was left. Between two stacks that cannot be told.
 */
#ifndef SFR_LIB_LOOP_NESTING_H
#define SFR_LIB_LOOP_NESTING_H

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
	const void *frame; /* of the call that runs it: calls further in have lower addresses */
	uint64_t number;   /* how often the loop was run */
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
	nesting->mark->of = NULL; /* so that its remains on the stack are no mark */
	nesting->mark = NULL;
}

/* For a call of this frame while `mark` is set: whether the call that set it was left, and did not return. */
bool sfr__nesting_was_left(const struct sfr__nesting *nesting, const void *frame);

#endif

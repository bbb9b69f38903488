/* SPDX-License-Identifier: MIT */
/*
 * Deadlines as tests want them: an hour away, until they are told that they are due.
 */
#ifndef SFR_TESTS_DEADLINES_H
#define SFR_TESTS_DEADLINES_H

#include "loop/loop.h"
#include "pending.h"

#define MS UINT64_C(1000000)
#define HOUR (UINT64_C(3600) * 1000 * MS)

/* Every deadline that runs passes with the next tick of the wheel, and that has come. */
static inline void deadlines_due(sfr_loop *loop)
{
	uint64_t due;
	size_t i;

	for (i = 0; i < loop->ops.made; i++) {
		const sfr_op *op = sfr__op_at(&loop->ops, i);
		struct sfr__deadline *deadline;

		if (!(op->flags & SFR__OP_TIMED))
			continue;
		deadline = sfr__deadline_of(&loop->deadlines, op);
		if (!deadline->armed || deadline->passed)
			continue;
		sfr__wheel_remove(&loop->wheel, &deadline->timer);
		sfr__wheel_add(&loop->wheel, &deadline->timer, 0);
	}
	due = (loop->wheel.tick + 1) << SFR__TICK_SHIFT;
	while (sfr__loop_clock_ns(loop) < due)
		;
}

/* Nothing waits any more, and no op has a deadline. */
static inline void assert_no_deadlines(const sfr_loop *loop)
{
	size_t i;

	ck_assert_uint_eq(loop->wheel.count, 0);
	for (i = 0; i < loop->ops.made; i++)
		ck_assert(!(sfr__op_at(&loop->ops, i)->flags & SFR__OP_TIMED));
}

#endif

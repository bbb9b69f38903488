/*
 * Deadlines as tests want them: an hour away, until they are told that they are due.
 */
#ifndef SFR_TESTS_DEADLINES_H
#define SFR_TESTS_DEADLINES_H

#include "loop.h"
#include "pending.h"

#define MS UINT64_C(1000000)
#define HOUR (UINT64_C(3600) * 1000 * MS)

/* Every deadline that runs passes with the next tick of the wheel, and that has come. */
static inline void deadlines_due(sfr_loop *loop)
{
	uint32_t number;
	uint64_t due;

	for (number = 1; number <= loop->deadlines.made; number++) {
		struct sfr__deadline *deadline = sfr__deadline_at(&loop->deadlines, number);

		if (!deadline->op || !deadline->armed || deadline->passed)
			continue;
		sfr__wheel_remove(&loop->wheel, &deadline->timer);
		sfr__wheel_add(&loop->wheel, &deadline->timer, 0);
	}
	due = (loop->wheel.tick + 1) << SFR__TICK_SHIFT;
	while (sfr__clock_ns() < due)
		;
}

/* Nothing waits any more, and there never were more than `made` deadlines at a time. */
static inline void assert_no_deadlines(const sfr_loop *loop, unsigned made)
{
	ck_assert_uint_eq(loop->wheel.count, 0);
	ck_assert_uint_le(loop->deadlines.made, made);
}

#endif

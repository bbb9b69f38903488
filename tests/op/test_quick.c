/* SPDX-License-Identifier: MIT */
/*
 * Every ending of ops that do not wait. They may be done before they are asked to end: then they have
 * their true result; and whichever it is, it comes once, with what they carried.
 */
#include "quick.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define TURNS_MAX 2 /* before it is asked to end: none, or some */

static sfr_ticket quick_submit(sfr_loop *loop, const struct quick_kind *kind, int turns)
{
	sfr_ticket ticket = sfr_submit(kind->build(loop), record, &seen);

	while (turns-- > 0)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	return ticket;
}

static void win_close(const struct quick_kind *kind)
{
	if (kind->wins_fd && seen.calls && seen.result >= 0)
		ck_assert_int_eq(close(seen.result), 0);
}

/* It succeeded, or ended so. */
static void assert_ended(const struct quick_kind *kind, int ending)
{
	ck_assert_msg(seen.calls == 1, "%s: %d calls", kind->name, seen.calls);
	ck_assert_msg(seen.result >= 0 || (seen.result == ending && !kind->goes_on), "%s: %s",
		      kind->name, sfr_errname(seen.result));
	ck_assert_msg(!seen.buf == !kind->carries_buf, "%s: its buffer", kind->name);
	win_close(kind);
	seen_release(&seen);
	seen = (struct seen){0};
}

/* Have each kind end in a way, after some turns; all in one loop. */
static void each_kind(sfr_loop *loop,
		      void (*end)(sfr_loop *loop, const struct quick_kind *kind, int turns))
{
	int i, turns;

	quick_dir_make();
	for (i = 0; i < quick_count; i++)
		for (turns = 0; turns <= TURNS_MAX; turns++) {
			end(loop, &quick_kinds[i], turns);
			ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
			ck_assert_uint_eq(sfr_loop_orphans(loop), 0);
		}
	quick_dir_remove();
}

static void let_it(sfr_loop *loop, const struct quick_kind *kind, int turns)
{
	quick_submit(loop, kind, turns);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	assert_ended(kind, 0);
}

START_TEST(each_quick_kind_succeeds)
{
	each_kind(loop_in(_i, NULL), let_it);
}
END_TEST

static void cancel_it(sfr_loop *loop, const struct quick_kind *kind, int turns)
{
	sfr_ticket ticket = quick_submit(loop, kind, turns);
	int calls = seen.calls;

	ck_assert_int_eq(sfr_cancel(loop, ticket), calls ? -SFR_ESTALE : 0);
	ck_assert_int_eq(seen.calls, calls);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	assert_ended(kind, -ECANCELED);
}

START_TEST(each_quick_kind_cancelled_calls_back_once)
{
	each_kind(loop_in(_i, NULL), cancel_it);
}
END_TEST

static void limit_it(sfr_loop *loop, const struct quick_kind *kind, int turns)
{
	sfr_submit(sfr_within(kind->build(loop), (uint64_t)turns * 5000), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	assert_ended(kind, -ETIMEDOUT);
}

START_TEST(each_quick_kind_ends_by_its_deadline_or_with_its_result)
{
	each_kind(loop_in(_i, NULL), limit_it);
}
END_TEST

static void abandon_it(sfr_loop *loop, const struct quick_kind *kind, int turns)
{
	sfr_ticket ticket = quick_submit(loop, kind, turns);
	int calls = seen.calls;

	ck_assert_int_eq(sfr_abandon(loop, ticket), calls ? -SFR_ESTALE : 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, calls);
	win_close(kind);
	seen_release(&seen);
	seen = (struct seen){0};
}

START_TEST(each_quick_kind_abandoned_calls_back_never_or_did_before)
{
	each_kind(loop_in(_i, NULL), abandon_it);
}
END_TEST

static void drain_it(sfr_loop *loop, const struct quick_kind *kind, int turns)
{
	quick_submit(loop, kind, turns);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	assert_ended(kind, -ECANCELED);
}

START_TEST(each_quick_kind_comes_back_when_the_loop_drains)
{
	each_kind(loop_in(_i, NULL), drain_it);
}
END_TEST

/* Cancelled while others keep it from the ring. */
static void cancel_it_behind_others(sfr_loop *loop, const struct quick_kind *kind, int turns)
{
	struct seen others = {0};
	int i;

	(void)turns;
	for (i = 0; i < 20; i++)
		sfr_submit(sfr_nop(loop), record, &others);
	cancel_it(loop, kind, 0);

	ck_assert_int_eq(others.calls, 20);
}

START_TEST(each_quick_kind_cancelled_behind_a_full_ring_calls_back_once)
{
	each_kind(loop_in(_i, "ring.entries=8 ring.cq_entries=8"), cancel_it_behind_others);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quick");
	TCase *tc = world_case(suite, "ops that do not wait");

	world_test(tc, each_quick_kind_succeeds);
	world_test(tc, each_quick_kind_cancelled_calls_back_once);
	world_test(tc, each_quick_kind_ends_by_its_deadline_or_with_its_result);
	world_test(tc, each_quick_kind_abandoned_calls_back_never_or_did_before);
	world_test(tc, each_quick_kind_comes_back_when_the_loop_drains);
	world_test(tc, each_quick_kind_cancelled_behind_a_full_ring_calls_back_once);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Deadlines at the wrong moment, and many of them: what happened first is the result, and once.
 */
#include "deadlines.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A byte arrives, the engine knows, the deadline passes, and only then the loop turns. */
START_TEST(a_success_that_the_loop_finds_with_its_deadline_wins)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, i;

	pair_of_unix_sockets(&a, &b);
	for (i = 0; i < 20; i++) {
		sfr_submit(sfr_within(sfr_recv(loop, a, sfr_buf_get(loop, 1)), HOUR), record,
			   &seen);
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		ck_assert_int_eq(send(b, "x", 1, 0), 1);
		while (!sfr__queue_ready(&loop->engine->queue))
			ck_assert_int_eq(loop->engine->calls->enter(loop->engine, true, MS), 0);
		deadlines_due(loop);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, i + 1);
		ck_assert_int_eq(seen.result, 1);
		ck_assert_uint_eq(seen.buf->len, 1);
		assert_no_deadlines(loop);
	}
}
END_TEST

START_TEST(around_success_a_deadline_yields_one_true_result)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, i, expected;
	char byte;

	pair_of_unix_sockets(&a, &b);
	for (i = 0; i < 200; i++) {
		sfr_submit(sfr_within(sfr_recv(loop, a, sfr_buf_get(loop, 1)), 0), record, &seen);
		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(send(b, "x", 1, 0), 1);
		if (i & 2)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		if (i & 4)
			deadlines_due(loop);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, i + 1);
		expected = recv(a, &byte, 1, MSG_DONTWAIT) == 1 ? -ETIMEDOUT : 1;
		ck_assert_int_eq(seen.result, expected);
		ck_assert_ptr_nonnull(seen.buf);
		ck_assert_uint_eq(seen.buf->len, expected == 1);
	}
	assert_no_deadlines(loop);
}
END_TEST

START_TEST(who_cancels_before_the_deadline_gets_ecanceled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < 2 * pending_count; i++) {
		const struct pending_kind *kind = &pending_kinds[i / 2];
		sfr_ticket ticket = sfr_submit(sfr_within(kind->build(loop), HOUR), record, &seen);

		if (i & 1)
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		deadlines_due(loop);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_msg(seen.calls == i + 1, "%s: %d calls", kind->name, seen.calls);
		ck_assert_msg(seen.result == -ECANCELED, "%s: %s", kind->name,
			      sfr_errname(seen.result));
		assert_no_deadlines(loop);
	}
}
END_TEST

START_TEST(who_cancels_after_the_deadline_changes_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_ticket ticket = sfr_submit(sfr_within(pending_kinds[i].build(loop), HOUR),
					       record, &seen);

		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		deadlines_due(loop);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		(void)sfr_cancel(loop, ticket);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, i + 1);
		ck_assert_int_eq(seen.result, -ETIMEDOUT);
	}
}
END_TEST

START_TEST(a_loop_that_drains_cancels_what_has_a_deadline)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < 2 * pending_count; i++) {
		sfr_submit(sfr_within(pending_kinds[i / 2].build(loop), HOUR), record, &seen);
		if (i & 1)
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

		ck_assert_int_eq(seen.calls, i + 1);
		ck_assert_int_eq(seen.result, -ECANCELED);
		assert_no_deadlines(loop);
	}
}
END_TEST

START_TEST(an_abandoned_op_forgets_its_deadline)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < 4 * pending_count; i++) {
		sfr_op *op = sfr_within(pending_kinds[i / 4].build(loop), HOUR);
		sfr_ticket ticket = sfr_submit(op, record, &seen);

		if (i & 1)
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		if (i & 2)
			deadlines_due(loop);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, 0);
		ck_assert_uint_eq(stat_held(loop), 0);
		assert_no_deadlines(loop);
	}
}
END_TEST

/*
 * Many.
 */

#define MANY 100000
#define MANY_UNDER_VALGRIND 3000

static struct late {
	uint64_t due_ns;
	int calls;
} * late;

static int late_calls;

static void note_late(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct late *one = arg;

	(void)buf;
	late_calls++;
	if (one->calls++ || result != -ETIMEDOUT || sfr_loop_now(loop) < one->due_ns)
		ck_abort_msg("op %d: call %d, result %d", (int)(one - late), one->calls, result);
}

START_TEST(a_hundred_thousand_deadlines_all_pass_once_and_none_is_early)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, fd = empty_pipe(), count = under_valgrind() ? MANY_UNDER_VALGRIND : MANY;

	late = calloc((size_t)count, sizeof(*late));
	late_calls = 0;
	for (i = 0; i < count; i++) {
		uint64_t ns = (uint64_t)(i % 1000) * 20000;
		sfr_op *op = i % 100 ? sfr_timeout(loop, UINT64_MAX) : sfr_poll(loop, fd, POLLIN);

		late[i].due_ns = sfr__loop_clock_ns(loop) + ns;
		sfr_submit(sfr_within(op, ns), note_late, &late[i]);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(late_calls, count);
	assert_no_deadlines(loop);
	free(late);
}
END_TEST

/* All that there are, one behind the other. How many that are. */
static size_t deadlines_copy(const sfr_loop *loop, struct sfr__deadline *out)
{
	size_t i, count = 0;

	for (i = 0; i < loop->ops.made; i++) {
		const sfr_op *op = sfr__op_at(&loop->ops, i);

		if (op->flags & SFR__OP_TIMED)
			out[count++] = *sfr__deadline_of(&loop->deadlines, op);
	}
	return count;
}

/* Not one of them is touched by a turn, and the engine knows of none. */
START_TEST(deadlines_cost_a_turn_nothing_while_they_wait)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, count = under_valgrind() ? MANY_UNDER_VALGRIND : MANY;
	size_t size = (size_t)count * sizeof(struct sfr__deadline);
	struct sfr__deadline *first = calloc(1, size), *then = calloc(1, size);
	sfr_loop_stats before, after;

	for (i = 0; i < count; i++)
		sfr_submit(sfr_within(sfr_timeout(loop, UINT64_MAX), UINT64_MAX), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_uint_eq(loop->wheel.count, 2 * (uint64_t)count);
	ck_assert_uint_eq(deadlines_copy(loop, first), (unsigned)count);
	sfr_loop_stats_get(loop, &before, sizeof(before));
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	sfr_loop_stats_get(loop, &after, sizeof(after));

	ck_assert_uint_eq(after.cqes - before.cqes, 100);
	ck_assert_uint_eq(deadlines_copy(loop, then), (unsigned)count);
	ck_assert_int_eq(memcmp(first, then, size), 0);
	ck_assert_int_eq(seen.calls, 0);
	free(first);
	free(then);
}
END_TEST

static int tries_left;

static void try_again(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int fd = *(const int *)arg;

	record(loop, result, NULL, &seen);
	ck_assert_int_eq(result, -ETIMEDOUT);
	if (tries_left--)
		sfr_submit(sfr_within(sfr_read(loop, fd, buf), 0), try_again, arg);
	else
		sfr_buf_release(buf);
}

START_TEST(who_tries_again_in_the_callback_gets_a_new_deadline)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_pipe();

	tries_left = 100;
	sfr_submit(sfr_within(sfr_read(loop, fd, sfr_buf_get(loop, 1)), 0), try_again, &fd);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 101);
	ck_assert_uint_eq(stat_held(loop), 0);
	assert_no_deadlines(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deadline_race");
	TCase *tc = world_case(suite, "races");

	world_test(tc, a_success_that_the_loop_finds_with_its_deadline_wins);
	world_test(tc, around_success_a_deadline_yields_one_true_result);
	world_test(tc, who_cancels_before_the_deadline_gets_ecanceled);
	world_test(tc, who_cancels_after_the_deadline_changes_nothing);
	world_test(tc, a_loop_that_drains_cancels_what_has_a_deadline);
	world_test(tc, an_abandoned_op_forgets_its_deadline);
	tc = world_case(suite, "many");
	world_test(tc, a_hundred_thousand_deadlines_all_pass_once_and_none_is_early);
	world_test(tc, deadlines_cost_a_turn_nothing_while_they_wait);
	world_test(tc, who_tries_again_in_the_callback_gets_a_new_deadline);
	return world_run(suite);
}

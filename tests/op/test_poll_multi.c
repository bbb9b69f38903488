/* SPDX-License-Identifier: MIT */
/*
 * Being told in each turn that a descriptor is ready.
 */
#include "pending.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>

static int reader, writer;

static sfr_loop *loop_and_pipe(int world, const char *more)
{
	pair_of_pipe_ends(&reader, &writer);
	return loop_in(world, more);
}

/* A turn in which there is time for it to happen. Returns how often it was told. */
static int turn_tells(sfr_loop *loop)
{
	int calls = seen.calls;

	ck_assert_int_ge(sfr_loop_step(loop, 10000000), 0);
	return seen.calls - calls;
}

START_TEST(as_long_as_there_is_something_it_is_told_once_a_turn)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_poll_multi(loop, reader, POLLIN), record, &seen);

	ck_assert_int_eq(write(writer, "xyz", 3), 3);
	while (seen.calls < 10)
		ck_assert_int_le(turn_tells(loop), 1);
	ck_assert_int_eq(seen.result, POLLIN);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

static void read_byte(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	char byte;

	if (result > 0)
		ck_assert_int_eq(read(reader, &byte, 1), 1);
	record(loop, result, buf, arg);
}

START_TEST(what_is_dealt_with_is_not_told_again)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int i;

	sfr_submit(sfr_poll_multi(loop, reader, POLLIN), read_byte, &seen);
	for (i = 1; i <= 5; i++) {
		ck_assert_int_eq(write(writer, "x", 1), 1);
		turn_until(loop, &seen.calls, i);
		ck_assert_int_eq(turn_tells(loop), 0);
	}
}
END_TEST

START_TEST(an_error_ends_it)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);

	sfr_submit(sfr_poll_multi(loop, -1, POLLIN), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -EBADF);
}
END_TEST

static sfr_ticket own;

static void cancel_own(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result > 0)
		ck_assert_int_eq(sfr_cancel(loop, own), 0);
	record(loop, result, buf, arg);
}

START_TEST(a_callback_may_end_it)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);

	ck_assert_int_eq(write(writer, "x", 1), 1);
	own = sfr_submit(sfr_poll_multi(loop, reader, POLLIN), cancel_own, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.results[0], POLLIN);
	ck_assert_int_eq(seen.results[1], -ECANCELED);
}
END_TEST

START_TEST(a_hang_up_is_told_until_somebody_has_enough_of_it)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);
	int fds[2];
	sfr_ticket ticket;

	ck_assert_int_eq(pipe(fds), 0);
	owned_fd(fds[0]);
	close(fds[1]);
	ticket = sfr_submit(sfr_poll_multi(loop, fds[0], POLLIN), record, &seen);
	turn_until(loop, &seen.calls, 5);
	ck_assert_int_eq(seen.result, POLLHUP);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
}
END_TEST

#define MANY 50

static bool all_told(void *arg)
{
	const struct seen *each = arg;
	int i;

	for (i = 0; i < MANY; i++)
		if (each[i].calls < 3)
			return false;
	return true;
}

START_TEST(many_that_are_always_ready_share_a_small_ring)
{
	static struct seen each[MANY];
	sfr_loop *loop = loop_and_pipe(_i, "ring.entries=8 ring.cq_entries=8");
	int i;

	for (i = 0; i < MANY; i++) {
		each[i] = (struct seen){0};
		sfr_submit(sfr_poll_multi(loop, writer, POLLOUT), record, &each[i]);
	}
	turn_until_true(loop, all_told, each);
	ck_assert_int_eq(sfr_cancel_fd(loop, writer), MANY);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
}
END_TEST

START_TEST(it_cannot_be_awaited)
{
	sfr_loop *loop = loop_and_pipe(_i, NULL);

	ck_assert_int_eq(sfr_await(sfr_poll_multi(loop, reader, POLLIN), NULL), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("poll_multi");
	TCase *tc = world_case(suite, "being told");

	world_test(tc, as_long_as_there_is_something_it_is_told_once_a_turn);
	world_test(tc, what_is_dealt_with_is_not_told_again);
	world_test(tc, an_error_ends_it);
	world_test(tc, a_callback_may_end_it);
	world_test(tc, a_hang_up_is_told_until_somebody_has_enough_of_it);
	world_test(tc, many_that_are_always_ready_share_a_small_ring);
	world_test(tc, it_cannot_be_awaited);
	return world_run(suite);
}

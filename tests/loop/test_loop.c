/* SPDX-License-Identifier: MIT */
/*
 * The loop: run, stepped, stopped, posted to, drained, freed.
 */
#include "pending.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Running.
 */

START_TEST(a_loop_with_nothing_to_wait_for_returns_at_once)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
}
END_TEST

START_TEST(a_step_says_how_many_callbacks_ran)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < 3; i++) {
		sfr_submit(sfr_read(loop, -1, NULL), record, &seen);
		ck_assert_int_eq(sfr_loop_post(loop, record_post, &seen), 0);
	}
	ck_assert_int_eq(sfr_loop_step(loop, -1), 6);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
}
END_TEST

START_TEST(a_step_without_work_lasts_as_long_as_it_may)
{
	sfr_loop *loop = loop_in(_i, NULL);
	uint64_t before;

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	before = sfr_loop_now(loop);
	sfr_submit(pending_read(loop), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 3000000), 0);

	ck_assert_uint_ge(sfr_loop_now(loop) - before, 3000000);
}
END_TEST

static void *post_later(void *arg)
{
	ck_assert_int_eq(sfr_loop_post(arg, record_post, &seen), 0);
	return NULL;
}

static void unhold(sfr_loop *loop, void *arg)
{
	(void)arg;
	sfr_loop_unhold(loop);
}

static void *unhold_later(void *arg)
{
	post_later(arg);
	ck_assert_int_eq(sfr_loop_post(arg, unhold, NULL), 0);
	return NULL;
}

/* A loop that waits for messages alone. */
START_TEST(a_held_loop_runs_until_it_is_let_go)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pthread_t thread;

	seen = (struct seen){0};
	sfr_loop_hold(loop);
	sfr_loop_hold(loop);
	sfr_loop_unhold(loop);
	ck_assert_int_eq(pthread_create(&thread, NULL, unhold_later, loop), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
}
END_TEST

START_TEST(a_held_loop_can_be_stopped_drained_and_freed)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_loop_hold(loop);
	sfr_loop_stop(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
}
END_TEST

START_TEST(a_loop_that_nobody_holds_is_not_let_go)
{
	sfr_loop *loop = loop_in(_i, "safety.abort=off");

	log_listen();
	sfr_loop_unhold(loop);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "that nobody held"));
	ck_assert_int_eq(sfr_loop_run(loop), 0);
}
END_TEST

START_TEST(a_loop_carries_a_pointer_of_the_programs)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_ptr_null(sfr_loop_data(loop));
	sfr_loop_set_data(loop, &seen);
	ck_assert_ptr_eq(sfr_loop_data(loop), &seen);
}
END_TEST

/* What it says when it is asked in the callback of an op that is cancelled. */
static bool said_draining;

static void begin_anew_unless_draining(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)buf;
	ck_assert_int_eq(result, -ECANCELED);
	said_draining = sfr_loop_is_draining(loop);
	if (!said_draining)
		sfr_submit(sfr_timeout(loop, 1000000000), begin_anew_unless_draining, arg);
}

START_TEST(a_callback_sees_that_the_loop_drains)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_timeout(loop, 1000000000), begin_anew_unless_draining,
				       NULL);

	sfr_cancel(loop, ticket);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 1);
	ck_assert(!said_draining);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert(said_draining && !sfr_loop_is_draining(loop));
}
END_TEST

START_TEST(a_run_ends_when_it_is_told_to_and_the_ops_go_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 1)), record, &seen);
	sfr_loop_stop(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);

	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, 1);
}
END_TEST

static void stop_it(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_loop_stop(loop);
	record(loop, result, buf, arg);
}

START_TEST(a_callback_may_stop_the_run)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_submit(pending_read(loop), record, &other);
	sfr_submit(sfr_nop(loop), stop_it, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(other.calls, 0);
}
END_TEST

static int order[8], order_count;

static void note_order(sfr_loop *loop, void *arg)
{
	(void)loop;
	order[order_count++] = *(int *)arg;
}

START_TEST(posted_functions_run_once_and_in_order)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int numbers[] = {0, 1, 2, 3, 4}, i;

	order_count = 0;
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(sfr_loop_post(loop, note_order, &numbers[i]), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(order_count, 5);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(order[i], i);
}
END_TEST

static void post_again(sfr_loop *loop, void *arg)
{
	int *left = arg;

	order_count++;
	if (--*left > 0)
		ck_assert_int_eq(sfr_loop_post(loop, post_again, arg), 0);
}

START_TEST(what_a_posted_function_posts_runs_in_the_next_turn)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int left = 5;

	order_count = 0;
	ck_assert_int_eq(sfr_loop_post(loop, post_again, &left), 0);
	ck_assert_int_eq(sfr_loop_step(loop, -1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(order_count, 5);
}
END_TEST

START_TEST(a_post_that_never_ran_is_forgotten_with_its_loop)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(sfr_loop_post(loop, record_post, &seen), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(seen.calls, 1);
	loop_end();

	loop = loop_in(_i, NULL);
	ck_assert_int_eq(sfr_loop_post(loop, record_post, &other), 0);
	log_listen();
	/* the fixture's drain would run it, so this loop is freed here, untouched */
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	loop_gone();
	ck_assert_int_eq(other.calls, 0);
}
END_TEST

/*
 * Nesting and threads.
 */

static void nest(sfr_loop *loop, void *arg)
{
	seen.results[0] = sfr_loop_run(loop);
	seen.results[1] = sfr_loop_step(loop, 0);
	seen.results[2] = sfr_loop_drain(loop, 0);
	seen.results[3] = sfr_loop_free(loop);
	seen.results[4] = sfr_await(sfr_nop(loop), NULL);
	record(loop, 0, NULL, arg);
}

static void nest_in_op(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	(void)buf;
	nest(loop, arg);
}

START_TEST(in_a_callback_the_loop_cannot_be_turned_or_freed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	log_listen();
	if (_i & 1)
		ck_assert_int_eq(sfr_loop_post(loop, nest, &other), 0);
	else
		sfr_submit(sfr_nop(loop), nest_in_op, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(other.calls, 1);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(seen.results[i], -SFR_ENESTED);
	ck_assert_int_eq(log_lines, 5);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
}
END_TEST

static void *turn_there(void *arg)
{
	seen.results[0] = sfr_loop_run(arg);
	seen.results[1] = sfr_loop_step(arg, 0);
	seen.results[2] = sfr_loop_drain(arg, 0);
	return NULL;
}

START_TEST(another_thread_cannot_turn_the_loop)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pthread_t thread;
	int i;

	log_listen();
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, turn_there, loop), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);

	for (i = 0; i < 3; i++)
		ck_assert_int_eq(seen.results[i], -SFR_ETHREAD);
	ck_assert_int_eq(log_lines, 3);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
}
END_TEST

START_TEST(where_rules_are_enforced_nesting_aborts)
{
	sfr_loop *loop = loop_in(_i, "safety.abort=on");

	ck_assert_int_eq(sfr_loop_post(loop, nest, &other), 0);
	sfr_loop_run(loop);
}
END_TEST

/*
 * Draining.
 */

START_TEST(draining_an_idle_loop_is_nothing_and_may_be_repeated)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(sfr_loop_drain(loop, 0), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	sfr_submit(pending_read(loop), record, &seen);
	ck_assert_int_eq(sfr_loop_drain(loop, INT64_MAX), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(seen.calls, 1);
}
END_TEST

START_TEST(a_drained_loop_works_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	sfr_submit(pending_read(loop), record, &seen);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_send(loop, a, sfr_buf_from(loop, "hello", 5)), NULL), 5);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, b, sfr_buf_get(loop, 64)), NULL), 5);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000), NULL), 0);
}
END_TEST

static int restarts;

/* As most callbacks are written: go on until an error. */
static void go_on_until_error(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_buf_release(buf);
	seen.result = result;
	if (result < 0)
		return;
	restarts++;
	if (*(int *)arg == 0)
		sfr_submit(sfr_nop(loop), go_on_until_error, arg);
	else if (*(int *)arg == 1)
		sfr_submit(sfr_timeout(loop, 0), go_on_until_error, arg);
	else
		sfr_submit(sfr_write_at(loop, *(int *)arg, sfr_buf_from(loop, "x", 1), 0),
			   go_on_until_error, arg);
}

START_TEST(ops_that_callbacks_keep_submitting_are_cancelled_by_a_drain)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int kinds[3] = {0, 1, empty_file()}, i;

	for (i = 0; i < 3; i++) {
		restarts = 0;
		sfr_submit(sfr_nop(loop), go_on_until_error, &kinds[i]);
		while (restarts < 10)
			ck_assert_int_ge(sfr_loop_step(loop, -1), 0);

		ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

		ck_assert_int_eq(seen.result, -ECANCELED);
	}
}
END_TEST

static bool enough;

static void never_give_up(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	seen.calls++;
	if (enough)
		sfr_buf_release(buf);
	else
		sfr_submit(sfr_read(loop, *(int *)arg, buf), never_give_up, arg);
}

START_TEST(a_drain_that_has_too_little_time_says_so_and_leaves_a_working_loop)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_pipe();

	enough = false;
	sfr_submit(sfr_read(loop, fd, sfr_buf_get(loop, 1)), never_give_up, &fd);

	ck_assert_int_eq(sfr_loop_drain(loop, 1000000), -ETIMEDOUT);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
	ck_assert_int_eq(sfr_loop_free(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);

	enough = true;
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
}
END_TEST

START_TEST(a_drain_without_time_goes_on_where_it_stopped)
{
	sfr_loop *loop = loop_in(_i, "ring.entries=8 ring.cq_entries=8");
	int i, rounds = 0, r;

	for (i = 0; i < 100; i++)
		sfr_submit(pending_read(loop), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	while ((r = sfr_loop_drain(loop, 0)) == -ETIMEDOUT)
		rounds++;

	ck_assert_int_eq(r, 0);
	ck_assert_int_ge(rounds, 1);
	ck_assert_int_eq(seen.calls, 100);
}
END_TEST

static void submit_more(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int i;

	ck_assert_int_eq(result, -ECANCELED);
	for (i = 0; i < pending_count; i++)
		sfr_submit(pending_kinds[i].build(loop), record, &other);
	record(loop, result, buf, arg);
}

START_TEST(what_callbacks_submit_during_a_drain_comes_back_too)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_submit(pending_read(loop), submit_more, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(other.calls, pending_count);
	ck_assert_int_eq(other.result, -ECANCELED);
}
END_TEST

static void close_it(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_submit(sfr_close(loop, *(int *)arg), record, &other);
	record(loop, result, buf, &seen);
}

START_TEST(closing_goes_through_even_while_the_loop_drains)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int before, fd, read_end = empty_pipe();

	before = open_descriptors();
	fd = dup(read_end);
	sfr_submit(sfr_read(loop, fd, sfr_buf_get(loop, 1)), close_it, &fd);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	ck_assert_int_eq(other.result, 0);
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/*
 * Freeing.
 */

START_TEST(freeing_nothing_is_fine)
{
	ck_assert_int_eq(sfr_loop_free(NULL), 0);
}
END_TEST

START_TEST(a_loop_that_never_ran_can_be_freed)
{
	loop_in(_i, NULL);
	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);
}
END_TEST

START_TEST(counters_of_another_version_are_cut_or_filled_with_zeros)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct {
		sfr_loop_stats known;
		uint64_t unknown;
	} newer = {.unknown = 7};
	uint64_t older[3] = {0, 0, 7};

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	sfr_loop_stats_get(loop, &newer.known, sizeof(newer));
	sfr_loop_stats_get(loop, (sfr_loop_stats *)(void *)older, 2 * sizeof(uint64_t));

	ck_assert_uint_eq(newer.unknown, 0);
	ck_assert_uint_eq(newer.known.turns, 1);
	ck_assert_uint_eq(older[0], 1);
	ck_assert_uint_eq(older[2], 7);
}
END_TEST

/* What a child of fork is told. It ends without the fixture, which is the parent's. */
static int child_of_fork(sfr_loop *loop)
{
	if (sfr_loop_step(loop, 0) != -SFR_EFORKED || sfr_loop_run(loop) != -SFR_EFORKED)
		return 1;
	if (sfr_loop_drain(loop, -1) != -SFR_EFORKED)
		return 2;
	if (sfr_submit(sfr_nop(loop), record, &seen) != 0)
		return 4;
	return sfr_loop_free(loop) == -SFR_EFORKED ? 0 : 3;
}

START_TEST(a_forked_child_is_refused_and_harms_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	static struct seen file, pipe_end;
	int read_end, write_end, status;
	pid_t child;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_write(loop, empty_file(), sfr_buf_from(loop, "hello", 5)), record, &file);
	turn_until(loop, &file.calls, 1); /* whoever blocks on files for the loop exists now */
	sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 64)), record, &pipe_end);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	child = fork();
	if (child == 0)
		_exit(child_of_fork(loop));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);

	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	turn_until(loop, &pipe_end.calls, 1);
	ck_assert_int_eq(pipe_end.result, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("loop");
	TCase *tc = world_case(suite, "running");

	world_test(tc, a_loop_with_nothing_to_wait_for_returns_at_once);
	world_test(tc, a_step_says_how_many_callbacks_ran);
	world_test(tc, a_step_without_work_lasts_as_long_as_it_may);
	world_test(tc, a_held_loop_runs_until_it_is_let_go);
	world_test(tc, a_held_loop_can_be_stopped_drained_and_freed);
	world_test(tc, a_loop_that_nobody_holds_is_not_let_go);
	world_test(tc, a_loop_carries_a_pointer_of_the_programs);
	world_test(tc, a_callback_sees_that_the_loop_drains);
	world_test(tc, a_run_ends_when_it_is_told_to_and_the_ops_go_on);
	world_test(tc, a_callback_may_stop_the_run);
	world_test(tc, posted_functions_run_once_and_in_order);
	world_test(tc, what_a_posted_function_posts_runs_in_the_next_turn);
	world_test(tc, a_post_that_never_ran_is_forgotten_with_its_loop);
	tc = world_case(suite, "nesting and threads");
	world_test(tc, in_a_callback_the_loop_cannot_be_turned_or_freed);
	world_test(tc, another_thread_cannot_turn_the_loop);
	tcase_add_loop_test_raise_signal(tc, where_rules_are_enforced_nesting_aborts, SIGABRT, 0,
					 world_count());
	tc = world_case(suite, "draining");
	world_test(tc, draining_an_idle_loop_is_nothing_and_may_be_repeated);
	world_test(tc, a_drained_loop_works_on);
	world_test(tc, ops_that_callbacks_keep_submitting_are_cancelled_by_a_drain);
	world_test(tc, a_drain_that_has_too_little_time_says_so_and_leaves_a_working_loop);
	world_test(tc, a_drain_without_time_goes_on_where_it_stopped);
	world_test(tc, what_callbacks_submit_during_a_drain_comes_back_too);
	world_test(tc, closing_goes_through_even_while_the_loop_drains);
	tc = world_case(suite, "freeing");
	tcase_add_test(tc, freeing_nothing_is_fine);
	world_test(tc, a_loop_that_never_ran_can_be_freed);
	world_test(tc, a_forked_child_is_refused_and_harms_nothing);
	world_test(tc, counters_of_another_version_are_cut_or_filled_with_zeros);
	return world_run(suite);
}

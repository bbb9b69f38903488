/* SPDX-License-Identifier: MIT */
/*
 * Pressure: queues that overflow, signals, limits, an empty slab. Nothing is lost.
 */
#include "pending.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL "ring.entries=8 ring.cq_entries=8"

START_TEST(ten_thousand_ops_pass_through_eight_entries)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	int i;

	for (i = 0; i < 10000; i++)
		sfr_submit(sfr_nop(loop), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 10000);
	ck_assert_int_eq(seen.result, 0);
}
END_TEST

/* Ops that wait in the kernel and complete together: far more than the completion queue has room for. */
START_TEST(a_thousand_completions_at_once_overflow_and_all_come)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	int read_end, write_end, i;

	pair_of_pipe_ends(&read_end, &write_end);
	for (i = 0; i < 1000; i++)
		sfr_submit(sfr_poll(loop, read_end, POLLIN), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);

	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1000);
	ck_assert_int_eq(seen.result, POLLIN);
	ck_assert_uint_gt(stats_of(loop).overflows, 0);
}
END_TEST

/* An overflow ends multishot ops in the kernel, with a success: they must go on. */
START_TEST(multishot_ops_survive_an_overflow)
{
	sfr_loop *loop = loop_in(_i, SMALL " buffers.count=1000 buffers.receive=500");
	int a[20], b[20], i, round;

	for (i = 0; i < 20; i++) {
		pair_of_unix_sockets(&a[i], &b[i]);
		sfr_submit(sfr_recv_multi(loop, a[i]), record, &seen);
	}
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	for (round = 1; round <= 20; round++) {
		for (i = 0; i < 100; i++)
			sfr_submit(sfr_nop(loop), record, &other);
		for (i = 0; i < 20; i++)
			ck_assert_int_eq(send(b[i], "12345", 5, 0), 5);
		turn_until(loop, &other.calls, 100 * round);
		turn_until(loop, &seen.calls, 20 * round);
	}

	ck_assert_uint_eq(seen.bytes, 20 * 20 * 5);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 20);
}
END_TEST

static void keep_connection(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result >= 0)
		owned_fd(result);
	record(loop, result, buf, arg);
}

START_TEST(a_flood_of_callers_reaches_a_small_ring)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 256), i;
	sfr_ticket ticket = sfr_submit(sfr_accept_multi(loop, listener), keep_connection, &seen);

	for (i = 0; i < 200; i++)
		ck_assert_int_eq(connect(owned_fd(socket(AF_INET, SOCK_STREAM, 0)),
					 (struct sockaddr *)&addr, sizeof(addr)),
				 0);
	turn_until(loop, &seen.calls, 200);
	sfr_cancel(loop, ticket);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 201);
}
END_TEST

static void resubmit(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int *left = arg;

	seen.calls++;
	seen.result = result;
	if (--*left > 0)
		sfr_submit(sfr_send(loop, 0, NULL), NULL, NULL);
	if (*left > 0)
		sfr_submit(sfr_nop(loop), resubmit, arg);
	sfr_buf_release(buf);
}

START_TEST(chains_of_callbacks_keep_a_small_ring_going)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	int left[50], i;

	for (i = 0; i < 50; i++) {
		left[i] = 200;
		sfr_submit(sfr_nop(loop), resubmit, &left[i]);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 50 * 200);
}
END_TEST

static int order_next;

static void in_order(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	static int late = 100;

	(void)result;
	(void)buf;
	ck_assert_int_eq(*(const int *)arg, order_next++);
	if (*(const int *)arg == 0)
		sfr_submit(sfr_nop(loop), in_order, &late);
}

START_TEST(what_is_submitted_later_does_not_overtake_what_waits)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	int numbers[100], i;

	order_next = 0;
	for (i = 0; i < 100; i++) {
		numbers[i] = i;
		sfr_submit(sfr_nop(loop), in_order, &numbers[i]);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(order_next, 101);
}
END_TEST

START_TEST(cancels_come_through_a_ring_that_is_full)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	sfr_ticket tickets[200];
	int i;

	for (i = 0; i < 200; i++)
		tickets[i] = sfr_submit(sfr_read(loop, empty_pipe(), sfr_buf_get(loop, 1)), record,
					&seen);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	for (i = 0; i < 200; i++)
		ck_assert_int_eq(sfr_cancel(loop, tickets[i]), 0);
	for (i = 0; i < 100; i++)
		sfr_submit(sfr_nop(loop), record, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 200);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_int_eq(other.calls, 100);
}
END_TEST

/*
 * Signals.
 */

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

static void signals_every_ms(long ms)
{
	struct sigaction action = {.sa_handler = count_signal};
	struct itimerval timer = {{0, ms * 1000}, {0, ms * 1000}};

	ck_assert_int_eq(
		sigaction(SIGALRM, ms ? &action : &(struct sigaction){.sa_handler = SIG_IGN}, NULL),
		0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

START_TEST(signals_do_not_end_a_wait)
{
	sfr_loop *loop = loop_in(_i, NULL);
	uint64_t before;

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	before = sfr_loop_now(loop);
	signals_every_ms(1);
	sfr_submit(sfr_timeout(loop, 30000000), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	ck_assert_uint_ge(sfr_loop_now(loop) - before, 30000000);
	ck_assert_int_gt(signals, 0);
	before = sfr_loop_now(loop);
	ck_assert_int_eq(sfr_loop_step(loop, 20000000), 0);
	ck_assert_uint_ge(sfr_loop_now(loop) - before, 20000000);
	signals_every_ms(0);
}
END_TEST

START_TEST(an_endless_wait_survives_signals)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;
	pid_t child;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 64)), record, &seen);
	signals_every_ms(1);
	child = fork();
	if (child == 0) { /* timers are not inherited: this one sleeps undisturbed */
		usleep(30000);
		_exit(write(write_end, "x", 1) != 1);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	signals_every_ms(0);

	ck_assert_int_eq(seen.result, 1);
	ck_assert_int_gt(signals, 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

/*
 * Limits.
 */

START_TEST(at_the_limit_ops_are_refused_and_below_it_they_work_again)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	sfr_ticket tickets[64];
	sfr_op *op;
	int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 64; i++)
			tickets[i] = sfr_submit(sfr_timeout(loop, UINT64_MAX), record, &seen);
		op = sfr_nop(loop);
		ck_assert_ptr_null(op);
		op = sfr_recv_multi(loop, 0);
		ck_assert_ptr_null(op);

		sfr_cancel(loop, tickets[7]);
		turn_until(loop, &seen.calls, 64 * round + 1);
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		ck_assert_int_eq(seen.calls, 64 * (round + 1));
	}
}
END_TEST

START_TEST(at_the_limit_an_op_that_carries_a_buffer_can_still_be_built)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64 buffers.count=200");
	int i;

	for (i = 0; i < 64; i++)
		sfr_submit(sfr_timeout(loop, UINT64_MAX), record, &seen);
	for (i = 0; i < 200; i++)
		ck_assert_uint_ne(
			sfr_submit(sfr_read(loop, -1, sfr_buf_get(loop, 1)), record, &other), 0);
	for (i = 0; i < 30; i++)
		ck_assert_uint_ne(
			sfr_submit(sfr_read(loop, -1, sfr_buf_get(loop, 100000)), record, &other),
			0);
	turn_until(loop, &other.calls, 230);
	ck_assert_int_eq(other.result, -EBADF);
}
END_TEST

START_TEST(with_an_empty_slab_what_needs_no_buffer_goes_on)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=1");
	sfr_buf *last = sfr_buf_get(loop, 1), *none = sfr_buf_get(loop, 1);
	struct sockaddr_in addr;
	int fd = owned_fd(socket(AF_INET, SOCK_STREAM, 0));

	ck_assert_ptr_null(none);
	listening_socket(&addr, 8);
	ck_assert_int_eq(
		sfr_await(sfr_connect(loop, fd, (struct sockaddr *)&addr, sizeof(addr)), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 0), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, fd, sfr_buf_get(loop, 1)), NULL),
			 -SFR_EPOOLEMPTY);
	ck_assert_int_eq(sfr_await(sfr_send(loop, fd, last), NULL), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pressure");
	TCase *tc = world_case(suite, "small rings");

	world_test(tc, ten_thousand_ops_pass_through_eight_entries);
	world_test(tc, a_thousand_completions_at_once_overflow_and_all_come);
	world_test(tc, multishot_ops_survive_an_overflow);
	world_test(tc, a_flood_of_callers_reaches_a_small_ring);
	world_test(tc, chains_of_callbacks_keep_a_small_ring_going);
	world_test(tc, what_is_submitted_later_does_not_overtake_what_waits);
	world_test(tc, cancels_come_through_a_ring_that_is_full);
	tc = world_case(suite, "signals");
	world_test(tc, signals_do_not_end_a_wait);
	world_test(tc, an_endless_wait_survives_signals);
	tc = world_case(suite, "limits");
	world_test(tc, at_the_limit_ops_are_refused_and_below_it_they_work_again);
	world_test(tc, at_the_limit_an_op_that_carries_a_buffer_can_still_be_built);
	world_test(tc, with_an_empty_slab_what_needs_no_buffer_goes_on);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * The life of an op: tickets, cancellation, await, drain. What each kind does is for test_op_io.c and
 * test_op_net.c.
 */
#include "pending.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One op ended as cancelled, and once. */
static void assert_cancelled(const struct pending_kind *kind)
{
	ck_assert_msg(seen.calls == 1, "%s: %d calls", kind->name, seen.calls);
	ck_assert_msg(seen.result == -ECANCELED, "%s: %s", kind->name, sfr_errname(seen.result));
	ck_assert_msg(!seen.buf == !kind->carries_buf, "%s: its buffer", kind->name);
	if (seen.buf)
		ck_assert(sfr_buf_is_owned(seen.buf));
	seen_release(&seen);
	seen = (struct seen){0};
}

START_TEST(each_kind_cancelled_while_it_waits_calls_back_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_ticket ticket = sfr_submit(pending_kinds[i].build(loop), record, &seen);

		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(seen.calls, 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_cancelled(&pending_kinds[i]);
		ck_assert_int_eq(sfr_cancel(loop, ticket), -SFR_ESTALE);
	}
}
END_TEST

START_TEST(each_kind_cancelled_before_its_first_turn_calls_back_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_ticket ticket = sfr_submit(pending_kinds[i].build(loop), record, &seen);

		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(seen.calls, 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_cancelled(&pending_kinds[i]);
	}
}
END_TEST

START_TEST(cancelling_again_changes_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_ticket ticket = sfr_submit(pending_kinds[i].build(loop), record, &seen);

		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		(void)sfr_loop_step(loop, 0);
		(void)sfr_cancel(loop, ticket);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_cancelled(&pending_kinds[i]);
	}
}
END_TEST

START_TEST(each_kind_comes_back_when_the_loop_drains)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, turns;

	for (i = 0; i < 2 * pending_count; i++) {
		sfr_submit(pending_kinds[i / 2].build(loop), record, &seen);
		for (turns = 0; turns < i % 2; turns++)
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

		assert_cancelled(&pending_kinds[i / 2]);
		ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	}
}
END_TEST

START_TEST(each_kind_pending_keeps_the_loop_from_being_freed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_submit(pending_kinds[i].build(loop), record, &seen);

		ck_assert_int_eq(sfr_loop_free(loop), -SFR_EOPSINFLIGHT);
		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_loop_free(loop), -SFR_EOPSINFLIGHT);

		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		assert_cancelled(&pending_kinds[i]);
	}
}
END_TEST

/* All kinds at once, more of them than the ring has room for. */
START_TEST(a_crowd_of_waiting_ops_comes_back_when_the_loop_drains)
{
	sfr_loop *loop = loop_in(_i, "ring.entries=8 ring.cq_entries=8");
	int i;

	for (i = 0; i < 10 * pending_count; i++)
		sfr_submit(pending_kinds[i % pending_count].build(loop), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);

	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	ck_assert_int_eq(seen.calls, 10 * pending_count);
	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

/*
 * Tickets.
 */

START_TEST(a_ticket_that_never_was_is_stale)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(sfr_cancel(loop, 0), -SFR_ESTALE);
	ck_assert_int_eq(sfr_cancel(loop, UINT64_MAX), -SFR_ESTALE);
	ck_assert_int_eq(sfr_cancel(loop, (uint64_t)1 << 32), -SFR_ESTALE);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(sfr_cancel(loop, 0), -SFR_ESTALE);
	ck_assert_int_eq(sfr_cancel(loop, UINT64_MAX), -SFR_ESTALE);
}
END_TEST

START_TEST(a_ticket_is_stale_once_its_op_called_back)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_nop(loop), record, &seen);

	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(sfr_cancel(loop, ticket), -SFR_ESTALE);
	ck_assert_int_eq(seen.calls, 1);
}
END_TEST

/* Both loops have done the same, so their cells have been used as often. */
START_TEST(a_ticket_of_another_loop_is_stale)
{
	sfr_loop *loop = loop_in(_i, NULL), *second = second_loop(_i);
	struct seen there = {0};
	sfr_ticket ours = sfr_submit(sfr_timeout(loop, UINT64_C(3600000000000)), record, &seen);
	sfr_ticket theirs = sfr_submit(sfr_timeout(second, UINT64_C(3600000000000)), record,
				       &there);

	ck_assert_int_eq(sfr_cancel(loop, theirs), -SFR_ESTALE);
	ck_assert_int_eq(sfr_abandon(loop, theirs), -SFR_ESTALE);
	ck_assert_int_eq(sfr_cancel(second, ours), -SFR_ESTALE);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_ge(sfr_loop_step(second, 0), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(there.calls, 0);

	ck_assert_int_eq(sfr_loop_drain(second, -1), 0);
	ck_assert_int_eq(there.calls, 1);
	ck_assert_int_eq(sfr_loop_free(second), 0);
	second = second_loop(_i);
	ck_assert_uint_ne(sfr_submit(sfr_timeout(second, UINT64_C(3600000000000)), record, &there),
			  0);
	ck_assert_int_eq(sfr_cancel(second, theirs), -SFR_ESTALE);
	ck_assert_int_eq(sfr_loop_drain(second, -1), 0);
	ck_assert_int_eq(sfr_loop_free(second), 0);
	ck_assert_int_eq(sfr_cancel(loop, ours), 0);
}
END_TEST

START_TEST(a_stale_ticket_does_not_harm_the_next_op_of_its_cell)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket first = sfr_submit(sfr_nop(loop), record, &other), second;
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	second = sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 1)), record, &seen);
	ck_assert_uint_eq((uint32_t)first, (uint32_t)second);
	ck_assert_uint_ne(first, second);

	ck_assert_int_eq(sfr_cancel(loop, first), -SFR_ESTALE);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel(loop, first), -SFR_ESTALE);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 1);
}
END_TEST

static void cancel_the_ticket(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	const sfr_ticket *ticket = arg;

	seen.results[0] = sfr_cancel(loop, *ticket);
	record(loop, result, buf, &other);
}

START_TEST(in_its_last_callback_an_op_is_gone_already)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_nop(loop), cancel_the_ticket, &ticket);

	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.results[0], -SFR_ESTALE);
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(other.result, 0);
}
END_TEST

/*
 * Cancelling in every moment around success.
 */

START_TEST(a_cancel_after_the_data_and_before_the_turn_yields_one_true_result)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, i, expected;
	char byte;

	pair_of_unix_sockets(&a, &b);
	for (i = 0; i < 200; i++) {
		sfr_ticket ticket = sfr_submit(sfr_recv(loop, a, sfr_buf_get(loop, 1)), record,
					       &seen);

		if (i & 1)
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(send(b, "x", 1, 0), 1);
		if (i & 2)
			(void)sfr_loop_step(loop, 0);
		(void)sfr_cancel(loop, ticket);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, i + 1);
		expected = recv(a, &byte, 1, MSG_DONTWAIT) == 1 ? -ECANCELED : 1;
		ck_assert_int_eq(seen.result, expected);
		ck_assert_ptr_nonnull(seen.buf);
		ck_assert_uint_eq(seen.buf->len, expected == 1);
	}
}
END_TEST

/* Both ends of a pair complete in one turn; each is cancelled by the callback of the other. */
static sfr_ticket rivals[2];

static void cancel_the_rival(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	const sfr_ticket *rival = arg;

	(void)sfr_cancel(loop, *rival);
	record(loop, result, buf, &seen);
}

START_TEST(ops_that_cancel_each_other_on_completion_both_call_back_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, i;

	pair_of_unix_sockets(&a, &b);
	for (i = 0; i < 100; i++) {
		rivals[0] = sfr_submit(sfr_recv(loop, a, sfr_buf_get(loop, 1)), cancel_the_rival,
				       &rivals[1]);
		rivals[1] = sfr_submit(sfr_recv(loop, b, sfr_buf_get(loop, 1)), cancel_the_rival,
				       &rivals[0]);
		if (i & 1)
			(void)sfr_loop_step(loop, 0);
		ck_assert_int_eq(send(a, "x", 1, 0), 1);
		ck_assert_int_eq(send(b, "x", 1, 0), 1);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, 2 * i + 2);
		while (recv(a, (char[1]){0}, 1, MSG_DONTWAIT) > 0 ||
		       recv(b, (char[1]){0}, 1, MSG_DONTWAIT) > 0)
			;
	}
}
END_TEST

START_TEST(a_cancel_of_an_op_that_is_about_to_be_refused_keeps_its_error)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_read(loop, 0, NULL), record, &seen);

	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -SFR_EPOOLEMPTY);
}
END_TEST

static sfr_ticket own;

static void cancel_own(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result > 0) {
		ck_assert_int_eq(sfr_cancel(loop, own), 0);
		ck_assert_int_eq(sfr_cancel(loop, own), 0);
	}
	record(loop, result, buf, arg);
}

static void cancel_own_accept(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result >= 0)
		close(result);
	cancel_own(loop, result, buf, arg);
}

START_TEST(a_multishot_op_may_be_cancelled_in_its_own_callback)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int a, b, listener = listening_socket(&addr, 8);
	int caller = owned_fd(socket(AF_INET, SOCK_STREAM, 0));

	own = sfr_submit(sfr_interval(loop, 1), cancel_own, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.result, -ECANCELED);

	pair_of_sockets(&a, &b);
	own = sfr_submit(sfr_recv_multi(loop, a), cancel_own, &seen);
	ck_assert_int_eq(send(b, "x", 1, 0), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 4);
	ck_assert_int_eq(seen.result, -ECANCELED);

	own = sfr_submit(sfr_accept_multi(loop, listener), cancel_own_accept, &seen);
	ck_assert_int_eq(connect(caller, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 6);
	ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

/* The answer to a cancel that came too late must not touch the op that has the cell now. */
START_TEST(a_late_cancel_does_not_reach_the_next_op_of_the_cell)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, read_end, write_end, i;
	sfr_ticket ticket;

	pair_of_unix_sockets(&a, &b);
	pair_of_pipe_ends(&read_end, &write_end);
	for (i = 0; i < 100; i++) {
		ticket = sfr_submit(sfr_recv(loop, a, sfr_buf_get(loop, 1)), record, &seen);
		ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(send(b, "x", 1, 0), 1);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		turn_until(loop, &seen.calls, i + 1);
		if (seen.result == -ECANCELED)
			ck_assert_int_eq(recv(a, (char[1]){0}, 1, 0), 1);

		sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 1)), record, &other);
		(void)sfr_loop_step(loop, 0);
		(void)sfr_loop_step(loop, 0);
		ck_assert_int_eq(other.calls, i);
		ck_assert_int_eq(write(write_end, "y", 1), 1);
		turn_until(loop, &other.calls, i + 1);
		ck_assert_int_eq(other.result, 1);
	}
}
END_TEST

/*
 * Await.
 */

START_TEST(await_gives_the_result_and_the_buffer)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;
	sfr_buf *buf;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(send(b, "hello", 5, 0), 5);

	ck_assert_int_eq(sfr_await(sfr_recv(loop, a, sfr_buf_get(loop, 64)), &buf), 5);

	ck_assert_uint_eq(buf->len, 5);
	ck_assert_mem_eq(buf->data, "hello", 5);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(await_gives_the_error_and_the_buffer)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = NULL;

	ck_assert_int_eq(sfr_await(sfr_recv(loop, -1, sfr_buf_get(loop, 64)), &buf), -EBADF);
	ck_assert(sfr_buf_is_owned(buf));
	sfr_buf_release(buf);

	ck_assert_int_eq(sfr_await(sfr_nop(loop), &buf), 0);
	ck_assert_ptr_null(buf);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, -1, NULL), &buf), -SFR_EPOOLEMPTY);
	ck_assert_ptr_null(buf);
}
END_TEST

START_TEST(await_without_a_place_for_the_buffer_returns_it_to_the_slab)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(sfr_await(sfr_recv(loop, -1, sfr_buf_get(loop, 64)), NULL), -EBADF);

	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(awaiting_nothing_is_enomem)
{
	sfr_buf *buf = same(&seen);

	loop_in(_i, NULL);
	ck_assert_int_eq(sfr_await(NULL, &buf), -ENOMEM);
	ck_assert_ptr_null(buf);
	ck_assert_int_eq(sfr_await(NULL, NULL), -ENOMEM);
}
END_TEST

START_TEST(a_multishot_op_cannot_be_awaited)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	int i;

	for (i = 0; i < 100; i++) { /* more than there are ops: each must be given back */
		sfr_buf *buf = same(&seen);

		ck_assert_int_eq(sfr_await(sfr_interval(loop, 1), &buf), -EINVAL);
		ck_assert_ptr_null(buf);
		ck_assert_int_eq(sfr_await(sfr_accept_multi(loop, 0), NULL), -EINVAL);
		ck_assert_int_eq(sfr_await(sfr_recv_multi(loop, 0), NULL), -EINVAL);
	}
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
}
END_TEST

static void write_a_byte(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)buf;
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(write(*(int *)arg, "x", 1), 1);
}

START_TEST(other_callbacks_run_while_one_op_is_awaited)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	pair_of_pipe_ends(&a, &b);
	sfr_submit(sfr_nop(loop), write_a_byte, &b);
	sfr_submit(sfr_timeout(loop, UINT64_MAX), record, &other);

	ck_assert_int_eq(sfr_await(sfr_read(loop, a, sfr_buf_get(loop, 1)), NULL), 1);

	ck_assert_int_eq(other.calls, 0);
}
END_TEST

static void await_inside(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_buf *mine = sfr_buf_from(loop, "hello", 5), *back = NULL, *again = same(mine);

	record(loop, result, buf, arg);
	seen.results[1] = sfr_await(sfr_send(loop, -1, mine), &back);
	ck_assert_ptr_eq(back, again);
	ck_assert(sfr_buf_is_owned(again));
	ck_assert_uint_eq(again->len, 5);
	sfr_buf_release(back);
	seen.results[2] = sfr_await(sfr_nop(loop), NULL);
}

START_TEST(in_a_callback_await_refuses_and_gives_the_buffer_back)
{
	sfr_loop *loop = loop_in(_i, NULL);

	log_listen();
	sfr_submit(sfr_nop(loop), await_inside, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.results[1], -SFR_ENESTED);
	ck_assert_int_eq(seen.results[2], -SFR_ENESTED);
	ck_assert_int_eq(log_lines, 2);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("op");
	TCase *tc = world_case(suite, "waiting");

	world_test(tc, each_kind_cancelled_while_it_waits_calls_back_once);
	world_test(tc, each_kind_cancelled_before_its_first_turn_calls_back_once);
	world_test(tc, cancelling_again_changes_nothing);
	world_test(tc, each_kind_comes_back_when_the_loop_drains);
	world_test(tc, each_kind_pending_keeps_the_loop_from_being_freed);
	world_test(tc, a_crowd_of_waiting_ops_comes_back_when_the_loop_drains);
	tc = world_case(suite, "tickets");
	world_test(tc, a_ticket_that_never_was_is_stale);
	world_test(tc, a_ticket_is_stale_once_its_op_called_back);
	world_test(tc, a_ticket_of_another_loop_is_stale);
	world_test(tc, a_stale_ticket_does_not_harm_the_next_op_of_its_cell);
	world_test(tc, in_its_last_callback_an_op_is_gone_already);
	tc = world_case(suite, "cancelling around success");
	world_test(tc, a_cancel_after_the_data_and_before_the_turn_yields_one_true_result);
	world_test(tc, ops_that_cancel_each_other_on_completion_both_call_back_once);
	world_test(tc, a_cancel_of_an_op_that_is_about_to_be_refused_keeps_its_error);
	world_test(tc, a_multishot_op_may_be_cancelled_in_its_own_callback);
	world_test(tc, a_late_cancel_does_not_reach_the_next_op_of_the_cell);
	tc = world_case(suite, "await");
	world_test(tc, await_gives_the_result_and_the_buffer);
	world_test(tc, await_gives_the_error_and_the_buffer);
	world_test(tc, await_without_a_place_for_the_buffer_returns_it_to_the_slab);
	world_test(tc, awaiting_nothing_is_enomem);
	world_test(tc, a_multishot_op_cannot_be_awaited);
	world_test(tc, other_callbacks_run_while_one_op_is_awaited);
	world_test(tc, in_a_callback_await_refuses_and_gives_the_buffer_back);
	return world_run(suite);
}

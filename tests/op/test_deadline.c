/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: an op that is not done in time ends as one that was cancelled does, under its own name.
 * Races and crowds are for test_deadline_race.c.
 */
#include "deadlines.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL "ring.entries=8 ring.cq_entries=8"

/*
 * In time.
 */

static int here, there, listener, caller;
static struct sockaddr_in address;

static sfr_op *prompt_read(sfr_loop *loop)
{
	ck_assert_int_eq(write(there, "hello", 5), 5);
	return sfr_read(loop, here, sfr_buf_get(loop, 64));
}

static sfr_op *prompt_write(sfr_loop *loop)
{
	return sfr_write(loop, here, sfr_buf_from(loop, "hello", 5));
}

static sfr_op *prompt_recv(sfr_loop *loop)
{
	ck_assert_int_eq(write(there, "hello", 5), 5);
	return sfr_recv(loop, here, sfr_buf_get(loop, 64));
}

static sfr_op *prompt_send(sfr_loop *loop)
{
	return sfr_send(loop, here, sfr_buf_from(loop, "hello", 5));
}

static sfr_op *prompt_connect(sfr_loop *loop)
{
	return sfr_connect(loop, caller, (struct sockaddr *)&address, sizeof(address));
}

static sfr_op *prompt_accept(sfr_loop *loop)
{
	return sfr_accept(loop, listener);
}

static sfr_op *prompt_poll(sfr_loop *loop)
{
	return sfr_poll(loop, here, POLLOUT);
}

static sfr_op *prompt_timeout(sfr_loop *loop)
{
	return sfr_timeout(loop, 0);
}

static sfr_op *prompt_shutdown(sfr_loop *loop)
{
	return sfr_shutdown(loop, here, SHUT_WR);
}

static sfr_op *prompt_close(sfr_loop *loop)
{
	return sfr_close(loop, dup(here));
}

static const struct {
	const char *name;
	sfr_op *(*build)(sfr_loop *loop);
	int result;
	bool carries_buf;
} prompt_kinds[] = {
	{"nop", sfr_nop, 0, false},
	{"read", prompt_read, 5, true},
	{"write", prompt_write, 5, true},
	{"recv", prompt_recv, 5, true},
	{"send", prompt_send, 5, true},
	{"poll", prompt_poll, POLLOUT, false},
	{"timeout", prompt_timeout, 0, false},
	{"connect", prompt_connect, 0, false},
	{"accept", prompt_accept, -1, false}, /* a descriptor */
	{"close", prompt_close, 0, false},
	{"shutdown", prompt_shutdown, 0, false},
};

#define PROMPT_KINDS (sizeof(prompt_kinds) / sizeof(prompt_kinds[0]))

START_TEST(each_kind_done_in_time_knows_nothing_of_its_deadline)
{
	sfr_loop *loop = loop_in(_i, NULL);
	size_t i;

	pair_of_unix_sockets(&here, &there);
	listener = listening_socket(&address, 8);
	caller = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	for (i = 0; i < PROMPT_KINDS; i++) {
		const char *name = prompt_kinds[i].name;

		sfr_submit(sfr_within(prompt_kinds[i].build(loop), HOUR), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_msg(seen.calls == (int)i + 1, "%s: %d calls", name, seen.calls);
		if (prompt_kinds[i].result < 0)
			owned_fd(seen.result);
		else
			ck_assert_msg(seen.result == prompt_kinds[i].result, "%s: %d", name,
				      seen.result);
		ck_assert_msg(!seen.buf == !prompt_kinds[i].carries_buf, "%s: its buffer", name);
		assert_no_deadlines(loop);
	}
}
END_TEST

START_TEST(a_deadline_that_is_never_reached_keeps_no_op_waiting)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_within(sfr_read(loop, read_end, sfr_buf_get(loop, 64)), UINT64_MAX), record,
		   &seen);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 1);
	assert_no_deadlines(loop);
}
END_TEST

/*
 * Too late.
 */

static void assert_timed_out(const struct pending_kind *kind)
{
	ck_assert_msg(seen.calls == 1, "%s: %d calls", kind->name, seen.calls);
	ck_assert_msg(seen.result == -ETIMEDOUT, "%s: %s", kind->name, sfr_errname(seen.result));
	ck_assert_msg(!seen.buf == !kind->carries_buf, "%s: its buffer", kind->name);
	if (seen.buf)
		ck_assert(sfr_buf_is_owned(seen.buf));
	seen_release(&seen);
	seen = (struct seen){0};
}

START_TEST(each_kind_that_waits_too_long_ends_with_etimedout_and_is_never_early)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		uint64_t begin = sfr__loop_clock_ns(loop);

		sfr_submit(sfr_within(pending_kinds[i].build(loop), MS), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_timed_out(&pending_kinds[i]);
		ck_assert_uint_ge(sfr_loop_now(loop) - begin, MS);
		ck_assert_uint_eq(stat_held(loop), 0);
		assert_no_deadlines(loop);
	}
}
END_TEST

START_TEST(a_deadline_of_nothing_has_passed_in_the_first_turn_that_finds_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_submit(sfr_within(pending_kinds[i].build(loop), 0), record, &seen);
		ck_assert_int_eq(seen.calls, 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_timed_out(&pending_kinds[i]);
	}
}
END_TEST

START_TEST(an_op_with_a_deadline_can_be_awaited)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = NULL;

	ck_assert_int_eq(sfr_await(sfr_within(pending_read(loop), MS), &buf), -ETIMEDOUT);

	ck_assert(sfr_buf_is_owned(buf));
	ck_assert_uint_eq(buf->len, 0);
	sfr_buf_release(buf);
	ck_assert_int_eq(sfr_await(sfr_within(sfr_nop(loop), HOUR), NULL), 0);
}
END_TEST

START_TEST(a_receive_again_and_again_ends_by_its_deadline_after_what_came_before)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	pair_of_sockets(&a, &b);
	sfr_submit(sfr_within(sfr_recv_multi(loop, a), HOUR), record, &seen);
	ck_assert_int_eq(send(b, "hello", 5, 0), 5);
	turn_until(loop, &seen.calls, 1);
	deadlines_due(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.results[0], 5);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
	ck_assert_ptr_null(seen.buf);
	assert_no_deadlines(loop);
}
END_TEST

static void keep_connection(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result >= 0)
		owned_fd(result);
	record(loop, result, buf, arg);
}

START_TEST(an_accept_again_and_again_ends_by_its_deadline_after_who_came_before)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int i, fd = listening_socket(&addr, 8);

	sfr_submit(sfr_within(sfr_accept_multi(loop, fd), HOUR), keep_connection, &seen);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(connect(owned_fd(socket(AF_INET, SOCK_STREAM, 0)),
					 (struct sockaddr *)&addr, sizeof(addr)),
				 0);
		turn_until(loop, &seen.calls, i + 1);
	}
	deadlines_due(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 4);
	ck_assert_int_ge(seen.results[2], 0);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
	assert_no_deadlines(loop);
}
END_TEST

START_TEST(an_interval_and_a_timeout_end_by_their_deadlines)
{
	sfr_loop *loop = loop_in(_i, NULL);

	sfr_submit(sfr_within(sfr_interval(loop, 1), HOUR), record, &seen);
	turn_until(loop, &seen.calls, 3);
	sfr_submit(sfr_within(sfr_timeout(loop, HOUR), 2 * HOUR), record, &other);
	deadlines_due(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_ge(seen.calls, 4);
	ck_assert_int_gt(seen.results[2], 0);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(other.result, -ETIMEDOUT);
	assert_no_deadlines(loop);
}
END_TEST

START_TEST(a_timeout_that_is_due_with_its_deadline_ends_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	uint64_t ns;

	for (ns = 0; ns < 50; ns++) {
		sfr_submit(sfr_within(sfr_timeout(loop, ns * 4000), ns * 4000), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, (int)ns + 1);
		ck_assert(seen.result == 0 || seen.result == -ETIMEDOUT);
		assert_no_deadlines(loop);
	}
}
END_TEST

/*
 * Saying it.
 */

START_TEST(said_again_the_last_counts)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_within(sfr_within(pending_read(loop), UINT64_MAX), 0), record, &seen);
	sfr_submit(sfr_within(sfr_within(sfr_read(loop, read_end, sfr_buf_get(loop, 1)), 0),
			      UINT64_MAX),
		   record, &other);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 2 * MS), NULL), 0);
	ck_assert_int_eq(other.calls, 0);

	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(other.result, 1);
	assert_no_deadlines(loop);
}
END_TEST

START_TEST(an_op_that_is_wrong_already_keeps_its_error)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 64);

	sfr_submit(sfr_within(sfr_read(loop, 0, NULL), 0), record, &seen);
	buf->data--;
	sfr_submit(sfr_within(sfr_send(loop, 0, buf), 0), record, &other);
	ck_assert_uint_eq(loop->wheel.count, 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -SFR_EPOOLEMPTY);
	ck_assert_int_eq(other.result, -EINVAL);
	ck_assert(sfr_buf_is_owned(other.buf));
	assert_no_deadlines(loop);
}
END_TEST

START_TEST(a_discarded_op_forgets_its_deadline)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, fd = empty_pipe();

	for (i = 0; i < 100000; i++)
		sfr_op_discard(sfr_within(sfr_read(loop, fd, sfr_buf_get(loop, 64)), HOUR));

	ck_assert_uint_eq(stat_held(loop), 0);
	assert_no_deadlines(loop);
}
END_TEST

/* However many wait, a turn looks at none of them before its time. */
START_TEST(a_hundred_thousand_pending_deadlines_cost_nothing_by_the_turn)
{
	enum { TURNS = 1000 };
	sfr_loop *loop = loop_in(_i, "ring.ops_max=200000");
	int pending = under_valgrind() ? 1000 : 100000, i;
	sfr_loop_stats before, after;

	for (i = 0; i < pending; i++)
		sfr_submit(sfr_within(sfr_timeout(loop, 2 * HOUR), HOUR + (uint64_t)i), NULL, NULL);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	sfr_loop_stats_get(loop, &before, sizeof(before));
	for (i = 0; i < TURNS; i++)
		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	sfr_loop_stats_get(loop, &after, sizeof(after));

	ck_assert_uint_le(after.timers_moved - before.timers_moved, TURNS);
	ck_assert_uint_eq(sfr_loop_inflight(loop), (size_t)pending);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	assert_no_deadlines(loop);
}
END_TEST

START_TEST(no_op_has_no_deadline)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_ptr_null(sfr_within(NULL, 1));
	ck_assert_uint_eq(sfr_submit(sfr_within(NULL, 1), record, &seen), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 0);
	assert_no_deadlines(loop);
}
END_TEST

START_TEST(an_op_that_is_submitted_takes_no_deadline_any_more)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;
	sfr_op *op, *submitted;

	pair_of_pipe_ends(&read_end, &write_end);
	op = sfr_read(loop, read_end, sfr_buf_get(loop, 1));
	submitted = same(op);
	log_listen();
	sfr_submit(op, record, &seen);

	ck_assert_ptr_eq(sfr_within(submitted, 0), submitted);
	ck_assert_int_eq(log_lines, 1);
	assert_no_deadlines(loop);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, MS), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);

	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, 1);
}
END_TEST

/* What was said before the submission still holds after such a mistake. */
START_TEST(an_op_that_is_submitted_keeps_the_deadline_it_has)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_op *op = sfr_within(pending_read(loop), MS), *submitted = same(op);

	log_listen();
	sfr_submit(op, record, &seen);

	ck_assert_ptr_eq(sfr_within(submitted, UINT64_MAX), submitted);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
}
END_TEST

START_TEST(without_memory_for_its_deadline_an_op_ends_with_enomem)
{
	sfr_loop *loop = loop_in(_i, NULL);
	size_t count_max = loop->deadlines.count_max;
	sfr_op *read, *wrong;

	loop->deadlines.count_max = 0;
	read = sfr_within(pending_read(loop), HOUR);
	wrong = sfr_within(sfr_all(sfr_nop(loop)), HOUR);
	loop->deadlines.count_max = count_max;
	sfr_submit(read, record, &seen);
	sfr_submit(wrong, record, &other);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ENOMEM);
	ck_assert(sfr_buf_is_owned(seen.buf));
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(other.result, -EINVAL);
	assert_no_deadlines(loop);
}
END_TEST

/*
 * Ops that the engine does not have.
 */

START_TEST(a_receive_that_waits_for_a_buffer_ends_by_its_deadline)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=4");
	sfr_buf *held[4];
	char byte;
	int a, b, i;

	pair_of_sockets(&a, &b);
	for (i = 0; i < 4; i++)
		held[i] = sfr_buf_get(loop, 1);
	sfr_submit(sfr_within(sfr_recv_multi(loop, a), HOUR), record, &seen);
	ck_assert_int_eq(send(b, "x", 1, 0), 1);
	turn_until_true(loop, has_parked, loop);
	deadlines_due(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
	ck_assert_int_eq(recv(a, &byte, 1, MSG_DONTWAIT), 1);
	assert_no_deadlines(loop);
	while (i)
		sfr_buf_release(held[--i]);
}
END_TEST

START_TEST(ops_that_wait_for_room_in_the_ring_end_by_their_deadlines)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	int i, fd = empty_pipe();

	for (i = 0; i < 100; i++)
		sfr_submit(sfr_within(sfr_read(loop, fd, sfr_buf_get(loop, 1)), HOUR), record,
			   &seen);
	deadlines_due(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 100);
	for (i = 0; i < 64; i++)
		ck_assert_int_eq(seen.results[i], -ETIMEDOUT);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	assert_no_deadlines(loop);
}
END_TEST

START_TEST(ops_that_wait_for_room_in_the_ring_and_are_cancelled_first_end_with_ecanceled)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	sfr_ticket tickets[50];
	int i, fd = empty_pipe();

	for (i = 0; i < 50; i++)
		tickets[i] = sfr_submit(sfr_within(sfr_read(loop, fd, sfr_buf_get(loop, 1)), HOUR),
					record, &seen);
	for (i = 0; i < 50; i++)
		ck_assert_int_eq(sfr_cancel(loop, tickets[i]), 0);
	deadlines_due(loop);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 50);
	for (i = 0; i < 50; i++)
		ck_assert_int_eq(seen.results[i], -ECANCELED);
	assert_no_deadlines(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deadline");
	TCase *tc = world_case(suite, "in time");

	world_test(tc, each_kind_done_in_time_knows_nothing_of_its_deadline);
	world_test(tc, a_deadline_that_is_never_reached_keeps_no_op_waiting);
	tc = world_case(suite, "too late");
	world_test(tc, each_kind_that_waits_too_long_ends_with_etimedout_and_is_never_early);
	world_test(tc, a_deadline_of_nothing_has_passed_in_the_first_turn_that_finds_nothing);
	world_test(tc, an_op_with_a_deadline_can_be_awaited);
	world_test(tc, a_receive_again_and_again_ends_by_its_deadline_after_what_came_before);
	world_test(tc, an_accept_again_and_again_ends_by_its_deadline_after_who_came_before);
	world_test(tc, an_interval_and_a_timeout_end_by_their_deadlines);
	world_test(tc, a_timeout_that_is_due_with_its_deadline_ends_once);
	tc = world_case(suite, "saying it");
	world_test(tc, said_again_the_last_counts);
	world_test(tc, an_op_that_is_wrong_already_keeps_its_error);
	world_test(tc, a_hundred_thousand_pending_deadlines_cost_nothing_by_the_turn);
	world_test(tc, a_discarded_op_forgets_its_deadline);
	world_test(tc, no_op_has_no_deadline);
	world_test(tc, an_op_that_is_submitted_takes_no_deadline_any_more);
	world_test(tc, an_op_that_is_submitted_keeps_the_deadline_it_has);
	world_test(tc, without_memory_for_its_deadline_an_op_ends_with_enomem);
	tc = world_case(suite, "not with the engine");
	world_test(tc, a_receive_that_waits_for_a_buffer_ends_by_its_deadline);
	world_test(tc, ops_that_wait_for_room_in_the_ring_end_by_their_deadlines);
	world_test(tc,
		   ops_that_wait_for_room_in_the_ring_and_are_cancelled_first_end_with_ecanceled);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * The five rules. test_life.c defends the second with random lives.
 */
#include "pending.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * 1. Giving is total.
 */

static sfr_op *read_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_read(loop, fd, buf);
}

static sfr_op *read_at_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_read_at(loop, fd, buf, 3);
}

static sfr_op *write_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_write(loop, fd, buf);
}

static sfr_op *write_at_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_write_at(loop, fd, buf, 3);
}

static sfr_op *recv_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_recv(loop, fd, buf);
}

static sfr_op *send_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_send(loop, fd, buf);
}

static sfr_op *send_zc_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_send_zc(loop, fd, buf);
}

static sfr_op *sendto_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_sendto(loop, fd, buf, NULL, 0);
}

static sfr_op *recvfrom_of(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return sfr_recvfrom(loop, fd, buf);
}

static const struct {
	const char *name;
	sfr_op *(*build)(sfr_loop *loop, int fd, sfr_buf *buf);
	bool fills;
} givers[] = {
	{"send_zc", send_zc_of, false},   {"sendto", sendto_of, false},
	{"recvfrom", recvfrom_of, true},  {"read", read_of, true},
	{"read_at", read_at_of, true},    {"write", write_of, false},
	{"write_at", write_at_of, false}, {"recv", recv_of, true},
	{"send", send_of, false},
};

#define GIVERS (sizeof(givers) / sizeof(givers[0]))

START_TEST(an_op_on_a_bad_descriptor_brings_its_buffer_back_with_the_error)
{
	sfr_loop *loop = loop_in(_i, NULL);
	size_t i;

	for (i = 0; i < GIVERS; i++) {
		sfr_buf *buf = sfr_buf_from(loop, "hello", 5), *again = same(buf);

		sfr_submit(givers[i].build(loop, -1, buf), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, (int)i + 1);
		ck_assert_int_eq(seen.result, -EBADF);
		ck_assert_ptr_eq(seen.buf, again);
		ck_assert_uint_eq(seen.buf->len, givers[i].fills ? 0 : 5);
		ck_assert_mem_eq(seen.buf->data, "hello", 5);
	}
}
END_TEST

START_TEST(an_op_built_without_the_buffer_it_needs_says_so_to_its_callback)
{
	sfr_loop *loop = loop_in(_i, NULL);
	size_t i;

	for (i = 0; i < GIVERS; i++) {
		ck_assert_uint_ne(sfr_submit(givers[i].build(loop, 0, NULL), record, &seen), 0);
		ck_assert_int_eq(seen.calls, (int)i);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, (int)i + 1);
		ck_assert_int_eq(seen.result, -SFR_EPOOLEMPTY);
		ck_assert_ptr_null(seen.buf);
	}
}
END_TEST

START_TEST(a_buffer_whose_window_left_its_block_comes_back_with_einval)
{
	sfr_loop *loop = loop_in(_i, NULL);
	size_t i, way;

	for (i = 0; i < 4 * GIVERS; i++) {
		sfr_buf *buf = sfr_buf_from(loop, "hello", 5), *again = same(buf);
		unsigned char *block = buf->data;

		way = i / GIVERS;
		if (way == 0)
			buf->data--;
		else if (way == 1)
			buf->data += buf->cap + 1;
		else if (way == 2)
			buf->len = buf->cap + 1;
		else
			buf->data = NULL;
		sfr_submit(givers[i % GIVERS].build(loop, empty_pipe(), buf), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, (int)i + 1);
		ck_assert_int_eq(seen.result, -EINVAL);
		ck_assert_ptr_eq(seen.buf, again);
		ck_assert_ptr_eq(seen.buf->data, block);
		ck_assert_uint_eq(seen.buf->len, 0);
	}
}
END_TEST

START_TEST(a_buffer_without_room_cannot_be_filled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	size_t i;
	int fills = 0;

	for (i = 0; i < GIVERS; i++) {
		sfr_buf *buf = sfr_buf_get(loop, 64), *again = same(buf);

		buf->data += buf->cap;
		if (!givers[i].fills) {
			sfr_buf_release(buf);
			continue;
		}
		sfr_submit(givers[i].build(loop, empty_pipe(), buf), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, ++fills);
		ck_assert_int_eq(seen.result, -EINVAL);
		ck_assert_ptr_eq(seen.buf, again);
	}
}
END_TEST

START_TEST(a_buffer_given_twice_stays_with_the_first_op)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 64), *again = same(buf);
	int read_end, write_end;

	log_listen();
	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_read(loop, read_end, buf), record, &seen);

	sfr_submit(sfr_read(loop, read_end, again), record, &other);
	turn_until(loop, &other.calls, 1);
	ck_assert_int_eq(other.result, -SFR_EINFLIGHT);
	ck_assert_ptr_null(other.buf);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_int_eq(seen.calls, 0);

	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, 1);
	ck_assert_ptr_eq(seen.buf, again);
	ck_assert_int_eq(other.calls, 1);
}
END_TEST

START_TEST(a_released_buffer_cannot_be_given)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 64), *again = same(buf);

	log_listen();
	sfr_buf_release(buf);

	sfr_submit(sfr_send(loop, 0, again), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -SFR_EINFLIGHT);
	ck_assert_ptr_null(seen.buf);
	ck_assert_int_eq(log_lines, 1);
}
END_TEST

START_TEST(a_discarded_op_gives_its_buffer_to_the_slab)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=1");
	size_t i;

	for (i = 0; i < GIVERS; i++)
		sfr_op_discard(givers[i].build(loop, 0, sfr_buf_from(loop, "hello", 5)));
	sfr_op_discard(NULL);

	ck_assert_uint_eq(stat_held(loop), 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
}
END_TEST

/*
 * 2. Back exactly once.
 */

START_TEST(in_flight_a_buffer_is_out_of_reach)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 64), *mine = same(buf);
	sfr_op *op;

	ck_assert(sfr_buf_is_owned(buf));
	ck_assert_ptr_eq(sfr_buf_access(buf), buf->data);
	op = sfr_read(loop, empty_pipe(), buf);
	ck_assert_ptr_null(mine->data);
	ck_assert(!sfr_buf_is_owned(mine));
	ck_assert_ptr_null(sfr_buf_access(mine));

	sfr_submit(op, record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_ptr_null(mine->data);

	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_ptr_eq(seen.buf, mine);
	ck_assert_ptr_nonnull(mine->data);
	ck_assert(sfr_buf_is_owned(mine));
}
END_TEST

START_TEST(an_op_nobody_wants_to_know_about_leaves_nothing_behind)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 8),
	    caller = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	int before = open_descriptors(), a, b;
	char byte;

	sfr_submit(sfr_accept(loop, listener), NULL, NULL);
	ck_assert_int_eq(connect(caller, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_int_eq(recv(caller, &byte, 1, 0), 0);

	pair_of_unix_sockets(&a, &b);
	sfr_submit(sfr_send(loop, a, sfr_buf_from(loop, "x", 1)), NULL, NULL);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(recv(b, &byte, 1, 0), 1);
	sfr_submit(sfr_recv_multi(loop, a), NULL, NULL);
	ck_assert_int_eq(send(b, "x", 1, 0), 1);
	shutdown(b, SHUT_WR);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

/*
 * 3. Never re-entrant.
 */

START_TEST(no_callback_runs_outside_a_turn)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket;
	int i;

	sfr_submit(sfr_nop(loop), record, &seen);
	sfr_submit(sfr_read(loop, -1, sfr_buf_get(loop, 1)), record, &seen);
	sfr_submit(sfr_read(loop, -1, NULL), record, &seen);
	sfr_submit(sfr_timeout(loop, 0), record, &seen);
	ck_assert_int_eq(sfr_loop_post(loop, record_post, &seen), 0);
	for (i = 0; i < pending_count; i++) {
		ticket = sfr_submit(pending_kinds[i].build(loop), record, &seen);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		sfr_op_discard(pending_kinds[i].build(loop));
	}
	sfr_buf_release(sfr_buf_get(loop, 1));
	sfr_loop_stop(loop);
	ck_assert_int_eq(seen.calls, 0);

	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(seen.calls, 5 + pending_count);
}
END_TEST

static int depth, deepest;

static void dig(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int *left = arg;
	sfr_ticket ticket;

	(void)result;
	if (++depth > deepest)
		deepest = depth;
	sfr_buf_release(buf);
	if (*left > 0) {
		--*left;
		sfr_submit(sfr_read(loop, -1, sfr_buf_get(loop, 1)), dig, left);
		sfr_submit(sfr_nop(loop), dig, left);
		ticket = sfr_submit(sfr_timeout(loop, 1000000000), dig, left);
		sfr_cancel(loop, ticket);
	}
	depth--;
}

START_TEST(callbacks_do_not_nest_however_ops_are_started_and_ended_in_them)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int left = 200;

	depth = deepest = 0;
	sfr_submit(sfr_nop(loop), dig, &left);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(left, 0);
	ck_assert_int_eq(deepest, 1);
}
END_TEST

static bool enough;

static void start_another(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	(void)buf;
	seen.calls++;
	if (enough)
		return;
	sfr_submit(sfr_nop(loop), start_another, arg);
	sfr_submit(sfr_read(loop, -1, NULL), record, &other);
}

START_TEST(what_a_callback_starts_waits_for_the_next_turn)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int turns = 0;

	enough = false;
	sfr_submit(sfr_nop(loop), start_another, NULL);
	while (seen.calls < 20) {
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
		turns++;
	}

	enough = true;

	ck_assert_int_ge(turns, 20);
	ck_assert_int_le(other.calls, seen.calls);
}
END_TEST

/* A nop that is always there must not keep the timer and the post from their turn. */
START_TEST(no_callback_keeps_the_others_from_theirs)
{
	sfr_loop *loop = loop_in(_i, NULL);
	static struct seen timer;

	timer = (struct seen){0};
	enough = false;
	sfr_submit(sfr_nop(loop), start_another, NULL);
	sfr_submit(sfr_timeout(loop, 1000000), record, &timer);
	ck_assert_int_eq(sfr_loop_post(loop, record_post, &other), 0);

	turn_until(loop, &timer.calls, 1);
	enough = true;
	ck_assert_int_ge(other.calls, 1);
}
END_TEST

/*
 * 4. Nothing passed by pointer must outlive the call.
 */

START_TEST(an_address_is_copied)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	sfr_op *op;

	listening_socket(&addr, 8);
	op = sfr_connect(loop, owned_fd(socket(AF_INET, SOCK_STREAM, 0)), (struct sockaddr *)&addr,
			 sizeof(addr));
	memset(&addr, 0xff, sizeof(addr));

	ck_assert_int_eq(sfr_await(op, NULL), 0);
}
END_TEST

START_TEST(bytes_are_copied)
{
	sfr_loop *loop = loop_in(_i, NULL);
	char bytes[] = "hello";
	sfr_buf *buf = sfr_buf_from(loop, bytes, 5);

	memset(bytes, 'x', 5);

	ck_assert_uint_eq(buf->len, 5);
	ck_assert_mem_eq(buf->data, "hello", 5);
	sfr_buf_release(buf);
}
END_TEST

/*
 * 5. Nothing is lost, nothing is silent.
 */

START_TEST(a_connection_that_a_cancelled_accept_won_is_delivered)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 8),
	    caller = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	sfr_ticket ticket = sfr_submit(sfr_accept(loop, listener), record, &seen);

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(connect(caller, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	if (seen.result >= 0)
		owned_fd(seen.result);
	else
		ck_assert_int_eq(seen.result, -ECANCELED);
}
END_TEST

START_TEST(what_arrived_before_a_cancelled_receive_ended_is_not_lost)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, i;
	char rest[8];

	pair_of_sockets(&a, &b);
	for (i = 0; i < 100; i++) {
		sfr_ticket ticket = sfr_submit(sfr_recv(loop, a, sfr_buf_get(loop, 8)), record,
					       &seen);

		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(send(b, "x", 1, 0), 1);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.calls, i + 1);
		if (seen.result == -ECANCELED)
			ck_assert_int_eq(recv(a, rest, sizeof(rest), MSG_DONTWAIT), 1);
		else
			ck_assert_int_eq(seen.result, 1);
	}
}
END_TEST

START_TEST(an_op_that_cannot_be_built_at_the_limit_is_null_and_submits_nothing)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	int i;

	for (i = 0; i < 64; i++)
		ck_assert_uint_ne(sfr_submit(sfr_timeout(loop, UINT64_MAX), record, &seen), 0);

	ck_assert_ptr_null(sfr_nop(loop));
	ck_assert_uint_eq(sfr_submit(sfr_nop(loop), record, &other), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), -ENOMEM);
	ck_assert_int_eq(other.calls, 0);
}
END_TEST

/* sfr_recv(loop, fd, sfr_buf_get(loop, n)) promises a callback even when everything has run out. */
START_TEST(at_the_limit_of_ops_one_without_its_buffer_is_refused_by_its_ticket)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	sfr_op *op;
	int i;

	for (i = 0; i < 64; i++)
		sfr_submit(sfr_timeout(loop, UINT64_MAX), record, &seen);

	op = sfr_recv(loop, 0, NULL);

	ck_assert_ptr_null(op);
	ck_assert_uint_eq(sfr_submit(op, record, &other), 0);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, 0, NULL), NULL), -ENOMEM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tc = world_case(suite, "giving is total");

	world_test(tc, an_op_on_a_bad_descriptor_brings_its_buffer_back_with_the_error);
	world_test(tc, an_op_built_without_the_buffer_it_needs_says_so_to_its_callback);
	world_test(tc, a_buffer_whose_window_left_its_block_comes_back_with_einval);
	world_test(tc, a_buffer_without_room_cannot_be_filled);
	world_test(tc, a_buffer_given_twice_stays_with_the_first_op);
	world_test(tc, a_released_buffer_cannot_be_given);
	world_test(tc, a_discarded_op_gives_its_buffer_to_the_slab);
	tc = world_case(suite, "back exactly once");
	world_test(tc, in_flight_a_buffer_is_out_of_reach);
	world_test(tc, an_op_nobody_wants_to_know_about_leaves_nothing_behind);
	tc = world_case(suite, "never re-entrant");
	world_test(tc, no_callback_runs_outside_a_turn);
	world_test(tc, callbacks_do_not_nest_however_ops_are_started_and_ended_in_them);
	world_test(tc, what_a_callback_starts_waits_for_the_next_turn);
	world_test(tc, no_callback_keeps_the_others_from_theirs);
	tc = world_case(suite, "nothing passed by pointer must outlive the call");
	world_test(tc, an_address_is_copied);
	world_test(tc, bytes_are_copied);
	tc = world_case(suite, "nothing is lost, nothing is silent");
	world_test(tc, a_connection_that_a_cancelled_accept_won_is_delivered);
	world_test(tc, what_arrived_before_a_cancelled_receive_ended_is_not_lost);
	world_test(tc, an_op_that_cannot_be_built_at_the_limit_is_null_and_submits_nothing);
	world_test(tc, at_the_limit_of_ops_one_without_its_buffer_is_refused_by_its_ticket);
	return world_run(suite);
}

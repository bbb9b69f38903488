/* SPDX-License-Identifier: MIT */
/*
 * Cancelling by descriptor: all ops on it are asked to end, and no other.
 */
#include "pending.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define SMALL "ring.entries=8 ring.cq_entries=8"

static int cancelled_calls;

static void note_cancelled(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int *calls = arg;

	(void)loop;
	ck_assert_int_eq(result, -ECANCELED);
	ck_assert_int_eq((*calls)++, 0);
	cancelled_calls++;
	sfr_buf_release(buf);
}

START_TEST(all_ops_on_a_descriptor_are_asked_to_end_and_no_other)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, calls[6] = {0}, fd = full_socket(), turns;

	for (turns = 0; turns < 2; turns++) {
		int i;

		cancelled_calls = 0;
		memset(calls, 0, sizeof(calls));
		pair_of_sockets(&a, &b);
		sfr_submit(sfr_recv(loop, fd, sfr_buf_get(loop, 1)), note_cancelled, &calls[0]);
		sfr_submit(sfr_send(loop, fd, sfr_buf_from(loop, "x", 1)), note_cancelled,
			   &calls[1]);
		sfr_submit(sfr_read(loop, fd, sfr_buf_get(loop, 1)), note_cancelled, &calls[2]);
		sfr_submit(sfr_poll(loop, fd, POLLIN), note_cancelled, &calls[3]);
		sfr_submit(sfr_all(sfr_write(loop, fd, sfr_buf_from(loop, "x", 1))), note_cancelled,
			   &calls[4]);
		sfr_submit(sfr_recv_multi(loop, fd), note_cancelled, &calls[5]);
		sfr_submit(sfr_recv(loop, b, sfr_buf_get(loop, 1)), record, &seen);
		sfr_submit(sfr_timeout(loop, MS), record, &other);
		if (turns)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);

		ck_assert_int_eq(sfr_cancel_fd(loop, fd), 6);
		ck_assert_int_eq(sfr_cancel_fd(loop, fd), 0);
		ck_assert_int_eq(cancelled_calls, 0);
		turn_until(loop, &cancelled_calls, 6);
		turn_until(loop, &other.calls, turns + 1);

		for (i = 0; i < 6; i++)
			ck_assert_int_eq(calls[i], 1);
		ck_assert_int_eq(other.result, 0);
		ck_assert_int_eq(seen.calls, turns);
		ck_assert_int_eq(send(a, "x", 1, 0), 1);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, turns + 1);
		ck_assert_int_eq(seen.result, 1);
	}
}
END_TEST

START_TEST(listeners_and_callers_are_asked_by_their_descriptors)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int calls[3] = {0}, listener = listening_socket(&addr, 0);
	int caller = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	struct sockaddr_in busy;

	cancelled_calls = 0;
	sfr_submit(sfr_accept(loop, listener), note_cancelled, &calls[0]);
	sfr_submit(sfr_accept_multi(loop, listener), note_cancelled, &calls[1]);
	listening_socket(&busy, 0);
	ck_assert_int_eq(connect(owned_fd(socket(AF_INET, SOCK_STREAM, 0)),
				 (struct sockaddr *)&busy, sizeof(busy)),
			 0);
	sfr_submit(sfr_connect(loop, caller, (struct sockaddr *)&busy, sizeof(busy)),
		   note_cancelled, &calls[2]);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);

	ck_assert_int_eq(sfr_cancel_fd(loop, listener), 2);
	ck_assert_int_eq(sfr_cancel_fd(loop, caller), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(cancelled_calls, 3);
}
END_TEST

START_TEST(where_there_is_no_op_none_is_asked)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket interval = sfr_submit(sfr_interval(loop, UINT64_MAX), record, &seen);
	int fd = empty_pipe();

	sfr_submit(sfr_nop(loop), record, &other);
	sfr_submit(sfr_timeout(loop, 0), record, &other);
	sfr_submit(sfr_read(loop, fd, NULL), record, &other); /* it has ended already */
	sfr_op_discard(sfr_read(loop, fd, sfr_buf_get(loop, 1)));
	ck_assert_int_eq(sfr_cancel_fd(loop, fd), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, -1), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, 1 << 30), 0);
	turn_until(loop, &other.calls, 3);

	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(sfr_cancel(loop, interval), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, fd), 0);
}
END_TEST

START_TEST(what_closes_or_shuts_down_goes_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, copy, before = open_descriptors();
	char byte;

	pair_of_unix_sockets(&a, &b);
	sfr_submit(sfr_shutdown(loop, a, SHUT_WR), record, &seen);
	ck_assert_int_eq(sfr_cancel_fd(loop, a), 0);
	copy = dup(a);
	sfr_submit(sfr_close(loop, copy), record, &other);
	ck_assert_int_eq(sfr_cancel_fd(loop, copy), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(recv(b, &byte, 1, 0), 0);
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(other.result, 0);
	ck_assert_int_eq(open_descriptors(), before + 2);
}
END_TEST

START_TEST(ops_that_wait_for_room_in_the_ring_are_asked_too)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	int calls[100] = {0}, i, fd = empty_pipe();

	cancelled_calls = 0;
	for (i = 0; i < 100; i++)
		sfr_submit(sfr_read(loop, fd, sfr_buf_get(loop, 1)), note_cancelled, &calls[i]);
	ck_assert_int_eq(sfr_cancel_fd(loop, fd), 100);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(cancelled_calls, 100);
}
END_TEST

START_TEST(a_receive_that_waits_for_a_buffer_is_asked_too)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=4");
	sfr_buf *held[4];
	int a, b, i;

	pair_of_sockets(&a, &b);
	for (i = 0; i < 4; i++)
		held[i] = sfr_buf_get(loop, 1);
	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	ck_assert_int_eq(send(b, "x", 1, 0), 1);
	turn_until_true(loop, has_parked, loop);
	ck_assert_int_eq(sfr_cancel_fd(loop, a), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECANCELED);
	while (i)
		sfr_buf_release(held[--i]);
}
END_TEST

START_TEST(an_orphan_is_not_asked_again)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_pipe();

	ck_assert_int_eq(sfr_abandon(loop, sfr_submit(sfr_read(loop, fd, sfr_buf_get(loop, 1)),
						      record, &seen)),
			 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, fd), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 0);
	ck_assert_uint_eq(sfr_loop_orphans(loop), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cancel_fd");
	TCase *tc = world_case(suite, "on a descriptor");

	world_test(tc, all_ops_on_a_descriptor_are_asked_to_end_and_no_other);
	world_test(tc, listeners_and_callers_are_asked_by_their_descriptors);
	world_test(tc, where_there_is_no_op_none_is_asked);
	world_test(tc, what_closes_or_shuts_down_goes_on);
	world_test(tc, ops_that_wait_for_room_in_the_ring_are_asked_too);
	world_test(tc, a_receive_that_waits_for_a_buffer_is_asked_too);
	world_test(tc, an_orphan_is_not_asked_again);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Receiving again and again: each arrival is a buffer, an idle receive holds none, and one that finds
 * the slab empty waits without turning the loop.
 */
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int a, b;

static sfr_loop *loop_with_pair(int world, const char *more)
{
	pair_of_sockets(&a, &b);
	return loop_in(world, more);
}

static void send_text(const char *text)
{
	ck_assert_int_eq(send(b, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

START_TEST(each_arrival_is_a_buffer)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);

	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	send_text("hello");
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 5);
	ck_assert(sfr_buf_is_owned(seen.buf));
	ck_assert_uint_eq(seen.buf->len, 5);
	ck_assert_mem_eq(seen.buf->data, "hello", 5);

	send_text("again, and longer");
	turn_until(loop, &seen.calls, 2);
	ck_assert_int_eq(seen.result, 17);
	ck_assert_mem_eq(seen.buf->data, "again, and longer", 17);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
}
END_TEST

START_TEST(what_was_received_can_be_sent_on_as_it_is)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	char back[8];
	sfr_buf *buf;

	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	send_text("hello");
	turn_until(loop, &seen.calls, 1);
	buf = seen.buf;
	seen.buf = NULL;

	ck_assert_int_eq(sfr_await(sfr_send(loop, a, buf), NULL), 5);

	ck_assert_int_eq(recv(b, back, sizeof(back), 0), 5);
	ck_assert_mem_eq(back, "hello", 5);
}
END_TEST

START_TEST(the_end_of_the_stream_is_the_last_call_and_has_no_buffer)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);

	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	send_text("hello");
	shutdown(b, SHUT_WR);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.results[0], 5);
	ck_assert_int_eq(seen.results[1], 0);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

/* Both arrive before the loop's thread looks: liburing#1549, and see lib/machine/quirk.c. */
START_TEST(an_end_at_once_behind_bytes_is_not_missed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	sfr_submit(sfr_recv_multi(loop, ends[0]), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0); /* it waits in the kernel */
	ck_assert_int_eq(send(ends[1], "hello", 5, MSG_NOSIGNAL), 5);
	shutdown(ends[1], SHUT_WR);
	turn_until(loop, &seen.calls, 2);

	ck_assert_int_eq(seen.results[0], 5);
	ck_assert_int_eq(seen.result, 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(a_reset_is_the_last_call)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	int victim;

	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(setsockopt(b, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	victim = open("/dev/null", O_RDONLY);
	dup2(victim, b); /* closes the socket; the fixture closes what stands in its place */
	close(victim);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECONNRESET);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

START_TEST(a_receive_on_what_is_no_socket_fails_once)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_recv_multi(loop, empty_file()), record, &seen);
	sfr_submit(sfr_recv_multi(loop, read_end), record, &seen);
	sfr_submit(sfr_recv_multi(loop, -1), record, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.results[0], -ENOTSOCK);
	ck_assert_int_eq(seen.results[1], -ENOTSOCK);
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(other.result, -EBADF);
}
END_TEST

START_TEST(an_idle_receive_holds_no_buffer)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=8 buffers.receive=2");
	int i;

	for (i = 0; i < 50; i++) {
		int x, y;

		pair_of_unix_sockets(&x, &y);
		sfr_submit(sfr_recv_multi(loop, x), record, &seen);
	}
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);

	ck_assert_uint_eq(stats_of(loop).bufs_held, 0);
	ck_assert_uint_eq(stats_of(loop).bufs_ring, world_has_buffer_rings(_i) ? 2 : 0);
	ck_assert_uint_eq(stats_of(loop).bufs_free, world_has_buffer_rings(_i) ? 6 : 8);
}
END_TEST

START_TEST(a_cancelled_receive_ends_with_ecanceled_after_its_data)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_recv_multi(loop, a), record, &seen);

	send_text("hello");
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.results[0], 5);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_ptr_null(seen.buf);
	ck_assert_int_eq(sfr_cancel(loop, ticket), -SFR_ESTALE);
}
END_TEST

/* Every byte is in a callback or still in the socket; none is lost between. */
START_TEST(a_cancel_amid_arrivals_loses_no_byte)
{
	sfr_loop *loop = loop_with_pair(_i, NULL);
	char rest[64];
	int i;

	for (i = 0; i < 100; i++) {
		sfr_ticket ticket = sfr_submit(sfr_recv_multi(loop, a), record, &seen);
		uint64_t sent = 0;
		struct pollfd readable = {.fd = a, .events = POLLIN};

		seen.bytes = 0;
		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		for (; sent < 9; sent += 3) {
			send_text("abc");
			if ((i >> sent) & 1)
				ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		}
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(seen.result, -ECANCELED);
		while (seen.bytes < sent) {
			ck_assert_msg(poll(&readable, 1, PATIENCE_MS) == 1, "lost %u of %u bytes",
				      (unsigned)(sent - seen.bytes), (unsigned)sent);
			seen.bytes += (uint64_t)recv(a, rest, sizeof(rest), 0);
		}
		ck_assert_uint_eq(seen.bytes, sent);
	}
}
END_TEST

/*
 * An empty slab.
 */

START_TEST(a_receive_without_buffer_waits_and_goes_on_when_one_is_released)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=1");

	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	send_text("one");
	turn_until(loop, &seen.calls, 1);
	send_text("two");
	turn_until_true(loop, has_parked, loop);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);

	seen_release(&seen);
	turn_until(loop, &seen.calls, 2);
	ck_assert_int_eq(seen.result, 3);
	ck_assert_mem_eq(seen.buf->data, "two", 3);
}
END_TEST

START_TEST(a_receive_that_waits_does_not_turn_the_loop)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=1");
	uint64_t turns, parked;

	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	send_text("one");
	turn_until(loop, &seen.calls, 1);
	send_text("two");
	turn_until_true(loop, has_parked, loop);
	turns = stats_of(loop).turns;
	parked = stats_of(loop).parked;

	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 50000000), NULL), 0);

	ck_assert_uint_le(stats_of(loop).turns - turns, 50);
	ck_assert_uint_eq(stats_of(loop).parked, parked);
	ck_assert_int_eq(seen.calls, 1);
}
END_TEST

START_TEST(a_receive_that_waits_for_a_buffer_can_be_cancelled)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=1");
	sfr_ticket ticket = sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	sfr_buf *kept;
	char rest[8];

	send_text("one");
	turn_until(loop, &seen.calls, 1);
	kept = seen.buf;
	seen.buf = NULL;
	send_text("two");
	turn_until_true(loop, has_parked, loop);

	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_int_eq(recv(a, rest, sizeof(rest), MSG_DONTWAIT), 3);
	sfr_buf_release(kept);
}
END_TEST

START_TEST(a_drain_ends_a_receive_that_waits_for_a_buffer)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=1");
	sfr_buf *kept;

	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	send_text("one");
	turn_until(loop, &seen.calls, 1);
	kept = seen.buf;
	seen.buf = NULL;
	send_text("two");
	turn_until_true(loop, has_parked, loop);

	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.result, -ECANCELED);
	sfr_buf_release(kept);
}
END_TEST

static void record_and_release(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	record(loop, result, buf, arg);
	seen_release(arg);
}

#define MESSAGES 1000
#define MESSAGE_SIZE 64

static int order_next, order_partial;

/* Checks that the stream is whole, in order, and counts its messages. */
static void in_order(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int i;

	for (i = 0; buf && i < (int)buf->len; i++) {
		ck_assert_uint_eq(buf->data[i], (unsigned char)order_next);
		order_partial = (order_partial + 1) % MESSAGE_SIZE;
		order_next += order_partial == 0;
	}
	record_and_release(loop, result, buf, arg); /* at once: the next arrival needs it */
}

static void send_messages(void)
{
	int i;

	for (i = 0; i < MESSAGES; i++) {
		char message[MESSAGE_SIZE];

		memset(message, i & 0xff, sizeof(message));
		ck_assert_int_eq(send(b, message, sizeof(message), 0), sizeof(message));
	}
	shutdown(b, SHUT_WR);
}

START_TEST(a_burst_through_one_buffer_loses_nothing_and_does_not_spin)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=1 buffers.size=64");

	order_next = order_partial = 0;
	sfr_submit(sfr_recv_multi(loop, a), in_order, &seen);
	send_messages();
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(order_next, MESSAGES);
	ck_assert_uint_eq(seen.bytes, MESSAGES * MESSAGE_SIZE);
	ck_assert_int_eq(seen.result, 0);
	ck_assert_uint_le(stats_of(loop).turns, 8 * MESSAGES);
	ck_assert_uint_le(stats_of(loop).parked, 2 * MESSAGES);
}
END_TEST

START_TEST(many_receives_share_few_buffers_and_none_is_left_out)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=2 buffers.size=64 buffers.receive=2");
	static struct seen each[40];
	int peers[40], i, round;

	memset(each, 0, sizeof(each));
	for (i = 0; i < 40; i++) {
		int x;

		pair_of_unix_sockets(&x, &peers[i]);
		sfr_submit(sfr_recv_multi(loop, x), record_and_release, &each[i]);
	}
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 40; i++)
			ck_assert_int_eq(send(peers[i], (char[32]){0}, 32, 0), 32);
		for (i = 0; i < 40; i++)
			turn_until(loop, &each[i].calls, round + 1);
	}
	for (i = 0; i < 40; i++)
		ck_assert_uint_eq(each[i].bytes, 20 * 32);
}
END_TEST

START_TEST(the_first_to_wait_is_the_first_to_go_on)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=1");
	int x, y;

	pair_of_sockets(&x, &y);
	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	sfr_submit(sfr_recv_multi(loop, x), record, &other);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0); /* both are armed by now */
	send_text("one");
	turn_until(loop, &seen.calls, 1);
	send_text("two");
	turn_until_true(loop, has_parked, loop);
	ck_assert_int_eq(send(y, "xyz", 3, 0), 3);
	while (stats_of(loop).parked < 2)
		ck_assert_int_ge(sfr_loop_step(loop, 10000000), 0);

	seen_release(&seen);
	turn_until(loop, &seen.calls, 2);
	ck_assert_int_eq(other.calls, 0);
	seen_release(&seen);
	turn_until(loop, &other.calls, 1);
}
END_TEST

START_TEST(buffers_of_an_ended_receive_may_be_kept)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=4");
	sfr_buf *kept;

	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	send_text("hello");
	turn_until(loop, &seen.calls, 1);
	kept = seen.buf;
	seen.buf = NULL;
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	ck_assert(sfr_buf_is_owned(kept));
	ck_assert_mem_eq(kept->data, "hello", 5);
	sfr_buf_release(kept);
}
END_TEST

START_TEST(a_release_by_another_thread_wakes_a_receive_that_waits)
{
	sfr_loop *loop = loop_with_pair(_i, "buffers.count=1");
	pthread_t thread;
	int round;

	if (under_valgrind())
		return;
	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	for (round = 0; round < 50; round++) {
		sfr_buf *kept;

		send_text("one");
		turn_until(loop, &seen.calls, 2 * round + 1);
		kept = seen.buf;
		seen.buf = NULL;
		send_text("two");
		while (stats_of(loop).parked <= (uint64_t)round)
			ck_assert_int_ge(sfr_loop_step(loop, 10000000), 0);

		ck_assert_int_eq(pthread_create(&thread, NULL, release_there, kept), 0);
		while (seen.calls <
		       2 * round + 2) /* asleep without limit: only the release wakes */
			ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_int_eq(seen.result, 3);
		seen_release(&seen);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recv_multi");
	TCase *tc = world_case(suite, "a stream");

	world_test(tc, each_arrival_is_a_buffer);
	world_test(tc, what_was_received_can_be_sent_on_as_it_is);
	world_test(tc, the_end_of_the_stream_is_the_last_call_and_has_no_buffer);
	world_test(tc, an_end_at_once_behind_bytes_is_not_missed);
	world_test(tc, a_reset_is_the_last_call);
	world_test(tc, a_receive_on_what_is_no_socket_fails_once);
	world_test(tc, an_idle_receive_holds_no_buffer);
	world_test(tc, a_cancelled_receive_ends_with_ecanceled_after_its_data);
	world_test(tc, a_cancel_amid_arrivals_loses_no_byte);
	world_test(tc, buffers_of_an_ended_receive_may_be_kept);
	tc = world_case(suite, "an empty slab");
	world_test(tc, a_receive_without_buffer_waits_and_goes_on_when_one_is_released);
	world_test(tc, a_receive_that_waits_does_not_turn_the_loop);
	world_test(tc, a_receive_that_waits_for_a_buffer_can_be_cancelled);
	world_test(tc, a_drain_ends_a_receive_that_waits_for_a_buffer);
	world_test(tc, a_burst_through_one_buffer_loses_nothing_and_does_not_spin);
	world_test(tc, many_receives_share_few_buffers_and_none_is_left_out);
	world_test(tc, the_first_to_wait_is_the_first_to_go_on);
	world_test(tc, a_release_by_another_thread_wakes_a_receive_that_waits);
	return world_run(suite);
}

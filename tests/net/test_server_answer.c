/* SPDX-License-Identifier: MIT */
/*
 * What a peer said before it went, while we still poured: a send fails, and what was received is delivered all
 * the same, before on_close, which says why the send failed.
 */
#include "peers.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB 1024
#define MUCH (2048 * KIB) /* more than the kernel takes */

/* With this much queued the connection is full, and receives nothing; or is not. */
#define FULL "server.high_water=64KiB server.low_water=16KiB "
#define NOT_FULL "server.high_water=32MiB server.low_water=16KiB "

static unsigned char heard[512 * KIB];
static int heard_at_close; /* bytes */
static void (*in_data)(sfr_conn *conn);

static void data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct told *told = arg;

	ck_assert_int_eq(told->closed, 0);
	ck_assert_uint_le(told->bytes + (uint64_t)result, sizeof(heard));
	memcpy(heard + told->bytes, buf->data, (size_t)result);
	note_data(conn, result, buf, arg);
	if (in_data)
		in_data(conn);
}

static void closed(sfr_conn *conn, int reason, void *arg)
{
	heard_at_close = (int)here.bytes;
	note_close(conn, reason, arg);
}

static const sfr_handlers handlers = {
	.on_open = note_open, .on_data = data, .on_drain = note_drain, .on_close = closed};

/* A connection of a server with its peer. */
static sfr_loop *loop;
static sfr_conn *conn;
static int peer;

static void wire_up_with(int world, const char *settings, const sfr_handlers *all)
{
	sfr_server *server;

	in_data = NULL;
	loop = loop_in(world, settings);
	server = serve(loop, all, &here);
	peer = peer_of(server);
	peer_narrow(peer);
	turns_until(loop, here.opened == 1);
	conn = here.conn;
	conn_narrow(conn);
}

static void wire_up(int world, const char *settings)
{
	wire_up_with(world, settings, &handlers);
}

/* Pour until neither the peer's kernel nor ours takes more. */
static void pour(void)
{
	static unsigned char bytes[MUCH];
	sfr_buf *buf = sfr_buf_wrap(loop, bytes, sizeof(bytes), NULL, NULL);

	buf->len = sizeof(bytes);
	ck_assert_int_gt(sfr_conn_send(conn, buf), 0);
	turns_until_quiet(loop);
	ck_assert_uint_gt(sfr_conn_queued(conn), 64 * KIB);
}

static void answer(unsigned id, size_t size)
{
	unsigned char *bytes = malloc(size);

	pattern_fill(bytes, id, 0, size);
	ck_assert_int_eq(send(peer, bytes, size, 0), (ssize_t)size);
	free(bytes);
}

static void assert_answered(unsigned id, size_t size)
{
	turns_until(loop, here.closed);
	turns_until_quiet(loop);
	ck_assert_int_eq(here.closed, 1);
	ck_assert_uint_eq(here.bytes, size);
	ck_assert_int_eq(heard_at_close, (int)size);
	ck_assert(pattern_is(heard, id, 0, size));
	ck_assert_uint_eq(stat_held(loop), 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1); /* the server's */
}

static void assert_peer_gone(int reason)
{
	ck_assert_msg(reason == -EPIPE || reason == -ECONNRESET, "%s", sfr_errname(reason));
}

START_TEST(an_answer_before_a_reset_is_delivered_though_the_connection_is_full)
{
	wire_up(_i, FULL);
	pour();
	answer(1, 26);
	turns_until_quiet(loop);
	ck_assert_int_eq(here.received, 0);
	peer_reset(peer);

	assert_answered(1, 26);
	assert_peer_gone(here.reason);
}
END_TEST

/* Both are there when the loop comes to look: with bytes in its receive queue the peer's close is a reset. */
START_TEST(an_answer_and_a_reset_that_come_at_once_are_told_in_order)
{
	wire_up(_i, NOT_FULL);
	pour();
	answer(2, 26);
	close(peer);

	assert_answered(2, 26);
	assert_peer_gone(here.reason);
}
END_TEST

START_TEST(a_long_answer_arrives_whole_and_in_order)
{
	wire_up(_i, FULL "buffers.size=4KiB buffers.count=16 buffers.receive=2");
	pour();
	answer(3, 60 * KIB);
	peer_reset(peer);

	assert_answered(3, 60 * KIB);
	assert_peer_gone(here.reason);
}
END_TEST

/* The program has all buffers that there are. */
static sfr_buf *kept[2];
static int kept_count;

static void keep(sfr_conn *from, int result, sfr_buf *buf, void *arg)
{
	if (kept_count == 2) {
		data(from, result, buf, arg);
		return;
	}
	here.received++;
	kept[kept_count++] = buf;
}

static void fail_without_buffers(int world)
{
	static const sfr_handlers keeping = {
		.on_open = note_open, .on_data = keep, .on_drain = note_drain, .on_close = closed};

	wire_up_with(world, FULL "buffers.count=2 buffers.receive=1", &keeping);
	kept_count = 0;
	while (kept_count < 2) {
		int before = kept_count;

		ck_assert_int_eq(send(peer, "x", 1, 0), 1);
		turns_until(loop, kept_count > before);
	}
	pour();
	answer(4, 26);
	peer_reset(peer);
	turns_until_quiet(loop);
	ck_assert_int_eq(here.closed, 0);
}

START_TEST(it_waits_for_a_buffer_if_there_is_none)
{
	fail_without_buffers(_i);
	sfr_buf_release(kept[0]);
	sfr_buf_release(kept[1]);

	assert_answered(4, 26);
	assert_peer_gone(here.reason);
}
END_TEST

START_TEST(a_connection_that_is_paused_is_told_as_well)
{
	wire_up(_i, NOT_FULL);
	sfr_conn_pause(conn);
	pour();
	answer(5, 26);
	peer_reset(peer);

	assert_answered(5, 26);
	assert_peer_gone(here.reason);
}
END_TEST

/*
 * Sends that the library refuses.
 */

START_TEST(what_was_received_is_delivered_before_a_refused_send_closes)
{
	wire_up(_i, FULL);
	pour();
	answer(6, 26);
	ck_assert_int_eq(sfr_conn_send(conn, NULL), -SFR_EPOOLEMPTY);
	ck_assert_int_eq(conn_say(conn, "more", 4), -ECANCELED);

	assert_answered(6, 26);
	ck_assert_int_eq(here.reason, -SFR_EPOOLEMPTY);
	close(peer);
}
END_TEST

/* It closes when all is delivered that was there when it failed. */
static void say_more(sfr_conn *from)
{
	(void)from;
	(void)!send(peer, "more", 4, MSG_DONTWAIT | MSG_NOSIGNAL);
}

START_TEST(a_peer_that_goes_on_talking_does_not_keep_it)
{
	wire_up(_i, FULL);
	in_data = say_more;
	pour();
	answer(7, 26);
	ck_assert_int_eq(sfr_conn_send(conn, NULL), -SFR_EPOOLEMPTY);
	turns_until(loop, here.closed);

	ck_assert_int_ge(heard_at_close, 26);
	ck_assert_int_eq(here.reason, -SFR_EPOOLEMPTY);
	close(peer);
}
END_TEST

/*
 * Handlers, meanwhile.
 */

static int said;

static void say_and_close(sfr_conn *to)
{
	said = conn_say(to, "thanks", 6);
	sfr_conn_pause(to);
	sfr_conn_shutdown(to);
	sfr_conn_close(to);
	sfr_conn_close(to);
}

START_TEST(a_handler_can_neither_send_nor_close_twice)
{
	wire_up(_i, FULL "buffers.size=4KiB buffers.count=16 buffers.receive=2");
	in_data = say_and_close;
	pour();
	answer(8, 60 * KIB);
	peer_reset(peer);
	turns_until(loop, here.closed);
	turns_until_quiet(loop);

	ck_assert_int_eq(said, -ECANCELED);
	ck_assert_int_eq(here.received, 1);
	ck_assert_int_eq(here.closed, 1);
	assert_peer_gone(here.reason);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

START_TEST(a_loop_that_drains_does_not_wait_for_it)
{
	fail_without_buffers(_i);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(here.closed, 1);
	assert_peer_gone(here.reason);
	sfr_buf_release(kept[0]);
	sfr_buf_release(kept[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server answer");
	TCase *tcase = peers_case(suite, "peers that answer and go");

	world_test(tcase, an_answer_before_a_reset_is_delivered_though_the_connection_is_full);
	world_test(tcase, an_answer_and_a_reset_that_come_at_once_are_told_in_order);
	world_test(tcase, a_long_answer_arrives_whole_and_in_order);
	world_test(tcase, it_waits_for_a_buffer_if_there_is_none);
	world_test(tcase, a_connection_that_is_paused_is_told_as_well);
	tcase = peers_case(suite, "sends that are refused");
	world_test(tcase, what_was_received_is_delivered_before_a_refused_send_closes);
	world_test(tcase, a_peer_that_goes_on_talking_does_not_keep_it);
	tcase = peers_case(suite, "handlers");
	world_test(tcase, a_handler_can_neither_send_nor_close_twice);
	world_test(tcase, a_loop_that_drains_does_not_wait_for_it);
	return world_run(suite);
}

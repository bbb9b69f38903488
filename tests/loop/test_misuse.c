/* SPDX-License-Identifier: MIT */
/*
 * What callers do wrong, or at the wrong time: it has a name, and it harms nobody else.
 */
#include "peers.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The same pointer, which the compiler does not know to be given away. */
__attribute__((noinline)) static void *again(void *pointer)
{
	void *volatile same_pointer = pointer;

	return same_pointer;
}

START_TEST(an_op_that_is_submitted_twice_runs_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_op *op = sfr_nop(loop), *second = again(op), *third = again(op), *fourth = again(op);

	ck_assert_uint_ne(sfr_submit(op, record, &seen), 0);
	ck_assert_uint_eq(sfr_submit(second, record, &other), 0);
	sfr_op_discard(third);
	ck_assert_int_eq(sfr_await(fourth, NULL), -SFR_ESTALE);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(other.calls, 0);
}
END_TEST

START_TEST(a_buffer_of_another_loop_comes_back_with_einval)
{
	sfr_loop *loop = loop_in(_i, NULL), *foreign;

	ck_assert_int_eq(sfr_loop_new(&foreign, NULL), 0);

	sfr_submit(sfr_write(loop, 1, sfr_buf_from(foreign, "x", 1)), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, -EINVAL);
	ck_assert(sfr_buf_is_owned(seen.buf));
	seen_release(&seen);
	ck_assert_int_eq(sfr_loop_free(foreign), 0);
}
END_TEST

START_TEST(what_is_scribbled_on_a_given_buffer_is_not_sent)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &note_all, &here);
	int peer = peer_of(server);
	char heard[8] = {0};
	sfr_buf *buf, *same_buf;

	turns_until(loop, here.conn);
	buf = sfr_buf_from(loop, "hello", 5);
	same_buf = again(buf); /* kept, though it is given away */
	ck_assert_int_eq(sfr_conn_send(here.conn, buf), 5);
	same_buf->len = 4000;
	ck_assert_uint_eq(sfr_conn_queued(here.conn), 5);

	sfr_conn_shutdown(here.conn);
	peer_hear(loop, peer, heard, 5);
	ck_assert_str_eq(heard, "hello");
	ck_assert_int_eq(peer_end(loop, peer), 0);
	close(peer);
}
END_TEST

static int peer_known;

static void ask_for_the_peer(sfr_conn *conn, int reason, void *arg)
{
	char text[64];

	peer_known = sfr_conn_peer(conn, text, sizeof(text));
	note_close(conn, reason, arg);
}

START_TEST(in_on_close_nobody_elses_address_is_given_as_the_peers)
{
	const sfr_handlers handlers = {.on_open = note_open,
				       .on_data = note_data,
				       .on_drain = note_drain,
				       .on_close = ask_for_the_peer};
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &handlers, &here);
	int peer = peer_of(server);

	turns_until(loop, here.opened == 1);
	close(peer);
	turns_until(loop, here.closed == 1);

	ck_assert_int_eq(peer_known, -ENOTCONN);
}
END_TEST

static int redials, served;

static void dial_again(sfr_conn *conn, int reason, void *arg)
{
	sfr_loop *loop = sfr_conn_loop(conn);

	note_close(conn, reason, arg);
	redials++;
	ck_assert_int_eq(sfr_dial(loop, ANY_PORT, &note_all, arg, NULL), -ECANCELED);
	served = sfr_serve(loop, ANY_PORT, &note_all, arg, NULL);
}

START_TEST(a_loop_that_drains_neither_dials_nor_serves)
{
	const sfr_handlers handlers = {.on_open = note_open,
				       .on_data = note_data,
				       .on_drain = note_drain,
				       .on_close = dial_again};
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &note_all, &here);

	redials = 0;
	dial(loop, server, &handlers, &there);
	turns_until(loop, there.opened == 1);

	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	ck_assert_int_eq(redials, 1);
	ck_assert_int_eq(served, -ECANCELED);
	ck_assert_ptr_nonnull(strstr(sfr_loop_refusal(loop), "draining"));
}
END_TEST

/* At ring.ops_max a connection opens and cannot receive: it must not wait for others to close. */
START_TEST(a_turn_does_not_sleep_on_a_connection_that_has_to_close)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	sfr_server *server = serve(loop, &note_all, &here);
	int peers[80], i;

	for (i = 0; i < COUNT_OF(peers); i++)
		peers[i] = peer_of(server);
	while (here.closed < COUNT_OF(peers) - 63)
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0); /* sleeps for good if it sleeps */

	ck_assert_int_eq(here.reason, -ENOMEM);
	for (i = 0; i < COUNT_OF(peers); i++)
		close(peers[i]);
}
END_TEST

static sfr_buf *kept[4];
static int kept_count;

static void keep(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)conn;
	(void)result;
	(void)arg;
	kept[kept_count++] = buf;
}

/* Who keeps all buffers starves the receivers; sends that hold none of them cannot help, and go on. */
START_TEST(whoever_keeps_all_buffers_does_not_disturb_sends_that_have_none)
{
	const sfr_handlers handlers = {.on_open = note_open,
				       .on_data = keep,
				       .on_drain = note_drain,
				       .on_close = note_close};
	sfr_loop *loop = loop_in(_i,
				 "buffers.count=4 server.queue_max=1GiB server.high_water=512MiB");
	sfr_server *server = serve(loop, &handlers, &here);
	int peer = peer_of(server);
	sfr_loop_stats before, after;
	sfr_buf *large;

	kept_count = 0;
	turns_until(loop, here.conn);
	large = sfr_buf_get(loop, 64 << 20);
	memset(large->data, 0, large->cap);
	large->len = large->cap;
	ck_assert_int_gt(sfr_conn_send(here.conn, large), 0);
	while (kept_count < 4) {
		int had = kept_count;

		peer_say(loop, peer, "x", 1);
		turns_until(loop, kept_count > had);
	}
	peer_say(loop, peer, "x", 1);
	sfr_loop_stats_get(loop, &before, sizeof(before));
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 200000000), NULL), 0);
	sfr_loop_stats_get(loop, &after, sizeof(after));

	ck_assert_uint_le(after.ops, before.ops + 2);
	ck_assert_uint_eq(after.ended_slow, 0);
	while (kept_count)
		sfr_buf_release(kept[--kept_count]);
	close(peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("misuse");
	TCase *tc = peers_case(suite, "ops and buffers");

	world_test(tc, an_op_that_is_submitted_twice_runs_once);
	world_test(tc, a_buffer_of_another_loop_comes_back_with_einval);
	tc = peers_case(suite, "connections");
	world_test(tc, what_is_scribbled_on_a_given_buffer_is_not_sent);
	world_test(tc, in_on_close_nobody_elses_address_is_given_as_the_peers);
	world_test(tc, a_loop_that_drains_neither_dials_nor_serves);
	world_test(tc, a_turn_does_not_sleep_on_a_connection_that_has_to_close);
	world_test(tc, whoever_keeps_all_buffers_does_not_disturb_sends_that_have_none);
	return world_run(suite);
}

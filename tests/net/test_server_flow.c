/* SPDX-License-Identifier: MIT */
/*
 * What flows through a connection: sends in order and whole, refused sends, water marks, pause, and
 * finishing one direction.
 */
#include "peers.h"
#include <errno.h>
#include <netinet/in.h>
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_WATER "server.high_water=64KiB server.low_water=16KiB"

static int released[1024]; /* by number of the wrapped buffer */

/* A connection of a server with its peer. */
struct wire {
	sfr_loop *loop;
	sfr_server *server;
	sfr_conn *conn;
	int peer;
};

static void wire_up(struct wire *wire, int world, const char *settings,
		    const sfr_handlers *handlers)
{
	memset(released, 0, sizeof(released));
	wire->loop = loop_in(world, settings);
	wire->server = serve(wire->loop, handlers, &here);
	wire->peer = peer_of(wire->server);
	turns_until(wire->loop, here.opened == 1);
	wire->conn = here.conn;
}

/* The peer hears `size` bytes of stream 1 and then the end. */
static void assert_hears_pattern(struct wire *wire, size_t size)
{
	unsigned char *heard = malloc(size);

	peer_hear(wire->loop, wire->peer, heard, size);
	ck_assert(pattern_is(heard, 1, 0, size));
	free(heard);
}

/* The connection ends with this reason, and so does the peer. */
static void assert_ends_with(struct wire *wire, int reason)
{
	turns_until(wire->loop, here.closed);
	turns_until_quiet(wire->loop);
	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, reason);
	(void)peer_end(wire->loop, wire->peer);
	close(wire->peer);
}

/* A buffer of stream 1. */
static sfr_buf *piece(sfr_loop *loop, uint64_t offset, size_t size)
{
	sfr_buf *buf = sfr_buf_get(loop, size);

	ck_assert_ptr_nonnull(buf);
	pattern_fill(buf->data, 1, offset, size);
	buf->len = (uint32_t)size;
	return buf;
}

static void free_and_note(void *mem, void *arg)
{
	++*(int *)arg;
	free(mem);
}

/* Wrapped memory with a piece of stream 1; its release counts at `n`. */
static sfr_buf *wrapped_piece(sfr_loop *loop, uint64_t offset, size_t size, int n)
{
	void *mem = malloc(size);
	sfr_buf *buf = sfr_buf_wrap(loop, mem, size, free_and_note, &released[n]);

	ck_assert_ptr_nonnull(buf);
	pattern_fill(mem, 1, offset, size);
	buf->len = (uint32_t)size;
	return buf;
}

/*
 * Sending.
 */

START_TEST(what_is_sent_in_many_pieces_of_all_kinds_arrives_whole_and_in_order)
{
	static const size_t sizes[] = {1, 4096, 7, 100000, 63, 1024, 2, 4097, 500};
	struct wire wire;
	size_t total = 0, size;
	int i;

	wire_up(&wire, _i, "buffers.count=2048 server.high_water=1GiB server.queue_max=4GiB",
		&note_all);
	for (i = 0; i < 700; i++, total += size) {
		sfr_buf *buf;

		size = sizes[i % COUNT_OF(sizes)];
		buf = i % 4 ? piece(wire.loop, total, size)
			    : wrapped_piece(wire.loop, total, size, i);
		ck_assert_int_eq(sfr_conn_send(wire.conn, buf), (int)size);
	}
	ck_assert_uint_eq(sfr_conn_queued(wire.conn), total);
	assert_hears_pattern(&wire, total);
	turns_until(wire.loop, sfr_conn_queued(wire.conn) == 0);

	for (i = 0; i < 700; i++)
		ck_assert_int_eq(released[i], i % 4 == 0);
	ck_assert_uint_eq(stat_held(wire.loop), 0);
	close(wire.peer);
}
END_TEST

START_TEST(what_is_sent_in_one_turn_leaves_in_one_operation)
{
	struct wire wire;
	uint64_t before;
	int i;

	wire_up(&wire, _i, "buffers.count=1024", &note_all);
	turns_until_quiet(wire.loop);
	before = stats_of(wire.loop).ops;
	for (i = 0; i < 700; i++)
		ck_assert_int_eq(sfr_conn_send(wire.conn, piece(wire.loop, (uint64_t)i, 1)), 1);
	assert_hears_pattern(&wire, 700);
	turns_until(wire.loop, sfr_conn_queued(wire.conn) == 0);

	ck_assert_uint_eq(stats_of(wire.loop).ops, before + 1);
	close(wire.peer);
}
END_TEST

START_TEST(sends_of_many_turns_keep_their_order)
{
	struct wire wire;
	size_t total = 0;
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	peer_narrow(wire.peer);
	conn_narrow(wire.conn); /* so that one send is in flight when the next comes */
	for (i = 0; i < 500; i++) {
		size_t size = (size_t)(i * 3701 % 20000) + 1;

		ck_assert_int_eq(sfr_conn_send(wire.conn, piece(wire.loop, total, size)),
				 (int)size);
		total += size;
		if (i % 3 == 0)
			(void)sfr_loop_step(wire.loop, 0);
	}
	assert_hears_pattern(&wire, total);
	close(wire.peer);
}
END_TEST

START_TEST(a_send_begins_where_data_stands)
{
	struct wire wire;
	sfr_buf *buf;
	char heard[5];

	wire_up(&wire, _i, NULL, &note_all);
	buf = sfr_buf_from(wire.loop, "header:hello", 12);
	buf->data += 7;
	buf->len -= 7;
	ck_assert_int_eq(sfr_conn_send(wire.conn, buf), 5);
	peer_hear(wire.loop, wire.peer, heard, 5);

	ck_assert_mem_eq(heard, "hello", 5);
	close(wire.peer);
}
END_TEST

START_TEST(wrapped_memory_that_is_never_sent_is_released_once_when_the_connection_closes)
{
	struct wire wire;
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	for (i = 0; i < 30; i++)
		ck_assert_int_gt(sfr_conn_send(wire.conn, wrapped_piece(wire.loop, 0, 1 << 20, i)),
				 0);
	turns_until_quiet(wire.loop); /* the peer reads nothing */
	sfr_conn_close(wire.conn);
	assert_ends_with(&wire, -ECANCELED);

	for (i = 0; i < 30; i++)
		ck_assert_int_eq(released[i], 1);
}
END_TEST

START_TEST(a_send_of_0_bytes_is_taken_and_changes_nothing)
{
	struct wire wire;
	char heard[5];

	wire_up(&wire, _i, NULL, &note_all);
	ck_assert_int_eq(conn_say(wire.conn, NULL, 0), 0);
	ck_assert_uint_eq(sfr_conn_queued(wire.conn), 0);
	ck_assert_int_eq(conn_say(wire.conn, "hel", 3), 3);
	ck_assert_int_eq(conn_say(wire.conn, NULL, 0), 0);
	ck_assert_int_eq(conn_say(wire.conn, "lo", 2), 2);
	peer_hear(wire.loop, wire.peer, heard, 5);

	ck_assert_mem_eq(heard, "hello", 5);
	ck_assert_int_eq(here.closed, 0);
	close(wire.peer);
}
END_TEST

START_TEST(a_send_of_no_buffer_closes_with_epoolempty)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	ck_assert_int_eq(sfr_conn_send(wire.conn, NULL), -SFR_EPOOLEMPTY);
	sfr_conn_close(wire.conn); /* the first reason stays */
	ck_assert_int_eq(here.closed, 0);

	assert_ends_with(&wire, -SFR_EPOOLEMPTY);
}
END_TEST

START_TEST(a_buffer_sent_twice_closes_with_einflight)
{
	struct wire wire;
	sfr_buf *buf, *volatile again;

	wire_up(&wire, _i, NULL, &note_all);
	again = buf = piece(wire.loop, 0, 100);
	ck_assert_int_eq(sfr_conn_send(wire.conn, buf), 100);
	ck_assert_int_eq(sfr_conn_send(wire.conn, again), -SFR_EINFLIGHT);

	assert_ends_with(&wire, -SFR_EINFLIGHT);
}
END_TEST

START_TEST(a_buffer_sent_after_its_release_closes_with_einflight)
{
	struct wire wire;
	sfr_buf *buf, *volatile again;

	wire_up(&wire, _i, NULL, &note_all);
	again = buf = piece(wire.loop, 0, 100);
	sfr_buf_release(buf);
	ck_assert_int_eq(sfr_conn_send(wire.conn, again), -SFR_EINFLIGHT);

	assert_ends_with(&wire, -SFR_EINFLIGHT);
}
END_TEST

START_TEST(a_window_outside_its_buffer_closes_with_einval)
{
	struct wire wire;
	sfr_buf *buf;

	wire_up(&wire, _i, NULL, &note_all);
	buf = piece(wire.loop, 0, 100);
	buf->len = buf->cap + 1;
	ck_assert_int_eq(sfr_conn_send(wire.conn, buf), -EINVAL);

	assert_ends_with(&wire, -EINVAL);
}
END_TEST

START_TEST(a_send_above_queue_max_closes_with_enobufs)
{
	struct wire wire;
	int i, r = 0;

	wire_up(&wire, _i, "server.queue_max=32KiB server.high_water=16KiB server.low_water=8KiB",
		&note_all);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(sfr_conn_send(wire.conn, wrapped_piece(wire.loop, 0, 4096, i)),
				 4096);
	r = sfr_conn_send(wire.conn, wrapped_piece(wire.loop, 0, 1, 8));
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_int_eq(conn_say(wire.conn, "x", 1), -ECANCELED);
	assert_ends_with(&wire, -ENOBUFS);

	for (i = 0; i < 9; i++)
		ck_assert_int_eq(released[i], 1);
}
END_TEST

/*
 * Water marks.
 */

static void fill_to_high_water(struct wire *wire, uint64_t *total)
{
	while (sfr_conn_queued(wire->conn) <= 128 << 10) {
		ck_assert_int_gt(sfr_conn_send(wire->conn, piece(wire->loop, *total, 100000)), 0);
		*total += 100000;
		turns_until_quiet(wire->loop);
	}
}

START_TEST(above_high_water_nothing_is_received_until_on_drain_comes_once_at_low_water)
{
	struct wire wire;
	uint64_t total = 0, heard = 0;
	int round;

	wire_up(&wire, _i, SMALL_WATER, &note_all);
	peer_narrow(wire.peer);
	conn_narrow(wire.conn);
	for (round = 1; round <= 3; round++) {
		int received, drained;

		fill_to_high_water(&wire, &total);
		received = here.received;
		drained = here.drained;
		ck_assert_int_eq(send(wire.peer, "hello", 5, 0), 5);
		turns_until_quiet(wire.loop);
		ck_assert_int_eq(here.received, received);

		for (; heard < total; heard += 10000) {
			unsigned char bytes[10000];

			peer_hear(wire.loop, wire.peer, bytes, sizeof(bytes));
			ck_assert(pattern_is(bytes, 1, heard, sizeof(bytes)));
			if (sfr_conn_queued(wire.conn) > 64 << 10)
				ck_assert_int_eq(here.drained, drained);
		}
		turns_until(wire.loop, here.drained == drained + 1);
		turns_until(wire.loop, here.received == received + 1);
		turns_until_quiet(wire.loop);
		ck_assert_int_eq(here.drained, drained + 1);
	}
	close(wire.peer);
}
END_TEST

START_TEST(a_queue_that_stayed_below_high_water_drains_in_silence)
{
	struct wire wire;

	wire_up(&wire, _i, SMALL_WATER, &note_all);
	ck_assert_int_eq(sfr_conn_send(wire.conn, piece(wire.loop, 0, 60000)), 60000);
	assert_hears_pattern(&wire, 60000);
	turns_until(wire.loop, sfr_conn_queued(wire.conn) == 0);
	turns_until_quiet(wire.loop);

	ck_assert_int_eq(here.drained, 0);
	close(wire.peer);
}
END_TEST

/* A source of 20 MiB that sends only when there is room: what on_drain is for. */
static uint64_t poured;

static void pour(sfr_conn *conn)
{
	while (poured < 20 << 20 && sfr_conn_queued(conn) <= 64 << 10) {
		ck_assert_int_eq(sfr_conn_send(conn, piece(sfr_conn_loop(conn), poured, 4096)),
				 4096);
		poured += 4096;
	}
	if (poured == 20 << 20)
		sfr_conn_shutdown(conn);
}

static void pour_in_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	pour(conn);
}

static void pour_in_drain(sfr_conn *conn, void *arg)
{
	note_drain(conn, arg);
	pour(conn);
}

START_TEST(a_source_that_refills_in_on_drain_delivers_everything)
{
	const sfr_handlers source = {.on_open = pour_in_open,
				     .on_data = note_data,
				     .on_drain = pour_in_drain,
				     .on_close = note_close};
	struct wire wire;

	poured = 0;
	wire_up(&wire, _i, SMALL_WATER, &source);
	assert_hears_pattern(&wire, 20 << 20);
	ck_assert_int_eq(peer_end(wire.loop, wire.peer), 0);
	ck_assert_int_gt(here.drained, 1);
	close(wire.peer);
	turns_until(wire.loop, here.closed);

	ck_assert_int_eq(here.reason, 0);
}
END_TEST

/*
 * Pause.
 */

START_TEST(a_paused_connection_hears_nothing_until_it_resumes)
{
	struct wire wire;
	uint64_t before;

	wire_up(&wire, _i, NULL, &note_all);
	peer_say(wire.loop, wire.peer, "hello", 5);
	turns_until(wire.loop, here.bytes == 5);
	sfr_conn_pause(wire.conn);
	turns_until_quiet(wire.loop);
	peer_say(wire.loop, wire.peer, "unheard", 7);
	turns_until_quiet(wire.loop);
	before = here.bytes;
	sfr_conn_resume(wire.conn);
	turns_until(wire.loop, here.bytes == 12);

	ck_assert_uint_eq(before, 5);
	close(wire.peer);
}
END_TEST

START_TEST(the_peer_of_a_paused_connection_feels_it)
{
	static char much[65536];
	struct wire wire;
	uint64_t said = 0;
	ssize_t n;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_pause(wire.conn);
	turns_until_quiet(wire.loop);
	while ((n = send(wire.peer, much, sizeof(much), MSG_DONTWAIT)) > 0 && said < 1 << 30) {
		said += (uint64_t)n;
		turn_once(wire.loop);
	}
	turns_until_quiet(wire.loop);
	ck_assert_uint_lt(said, 1 << 30);
	ck_assert_uint_eq(here.bytes, 0);
	ck_assert_uint_eq(stat_held(wire.loop), 0);
	sfr_conn_resume(wire.conn);
	turns_until(wire.loop, here.bytes == said);
	close(wire.peer);
}
END_TEST

static void pause_in_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct told *told = arg;

	if (buf)
		ck_assert(pattern_is(buf->data, 1, told->bytes, buf->len));
	note_data(conn, result, buf, arg);
	sfr_conn_pause(conn);
	if (told->received % 2)
		sfr_conn_resume(conn);
}

START_TEST(pausing_and_resuming_many_times_loses_nothing)
{
	const sfr_handlers pausing = {
		.on_open = note_open, .on_data = pause_in_data, .on_close = note_close};
	static unsigned char much[1000000];
	struct wire wire;
	size_t said = 0;
	int i;

	wire_up(&wire, _i, NULL, &pausing);
	pattern_fill(much, 1, 0, sizeof(much));
	for (i = 0; here.bytes < sizeof(much); i++) {
		ssize_t n = send(wire.peer, much + said, sizeof(much) - said, MSG_DONTWAIT);

		said += n > 0 ? (size_t)n : 0;
		(void)sfr_loop_step(wire.loop, 0);
		sfr_conn_resume(wire.conn);
		if (i % 2)
			(void)sfr_loop_step(wire.loop, 0);
	}
	sfr_conn_resume(wire.conn);
	close(wire.peer);
	turns_until(wire.loop, here.closed);

	ck_assert_uint_eq(here.bytes, sizeof(much));
	ck_assert_int_eq(here.reason, 0);
}
END_TEST

START_TEST(the_end_waits_for_a_paused_connection)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_pause(wire.conn);
	turns_until_quiet(wire.loop);
	peer_say(wire.loop, wire.peer, "hello", 5);
	close(wire.peer);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(here.closed, 0);
	sfr_conn_resume(wire.conn);
	turns_until(wire.loop, here.closed);

	ck_assert_uint_eq(here.bytes, 5);
	ck_assert_int_eq(here.reason, 0);
}
END_TEST

/*
 * Finishing.
 */

START_TEST(on_end_is_told_the_end_once_and_sending_goes_on)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &ends_too);
	peer_finish(wire.peer);
	turns_until(wire.loop, here.finished);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(here.closed, 0);
	ck_assert_int_eq(sfr_conn_send(wire.conn, piece(wire.loop, 0, 4000)), 4000);
	assert_hears_pattern(&wire, 4000);
	sfr_conn_shutdown(wire.conn);
	assert_ends_with(&wire, 0);

	ck_assert_int_eq(here.finished, 1);
}
END_TEST

START_TEST(without_on_end_everything_queued_is_sent_before_the_close)
{
	struct wire wire;
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	for (i = 0; i < 100; i++)
		ck_assert_int_gt(
			sfr_conn_send(wire.conn, piece(wire.loop, (uint64_t)i * 100000, 100000)),
			0);
	peer_finish(wire.peer);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(here.closed, 0);
	assert_hears_pattern(&wire, 100 * 100000);
	assert_ends_with(&wire, 0);

	ck_assert_int_eq(here.finished, 0);
}
END_TEST

START_TEST(after_a_shutdown_the_peer_hears_the_end_behind_the_data_and_is_still_heard)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	ck_assert_int_gt(sfr_conn_send(wire.conn, piece(wire.loop, 0, 3000000)), 0);
	sfr_conn_shutdown(wire.conn);
	ck_assert_int_eq(sfr_conn_send(wire.conn, wrapped_piece(wire.loop, 0, 10, 0)), -EPIPE);
	ck_assert_int_eq(released[0], 1);
	assert_hears_pattern(&wire, 3000000);
	ck_assert_int_eq(peer_end(wire.loop, wire.peer), 0);
	peer_say(wire.loop, wire.peer, "hello", 5);
	turns_until(wire.loop, here.bytes == 5);
	ck_assert_int_eq(here.closed, 0);
	peer_finish(wire.peer);

	assert_ends_with(&wire, 0);
}
END_TEST

START_TEST(after_the_peer_finished_sending_goes_on_as_long_as_something_is_queued)
{
	struct wire wire;

	wire_up(&wire, _i, "server.high_water=64MiB", &note_all);
	ck_assert_int_gt(sfr_conn_send(wire.conn, piece(wire.loop, 0, 10000000)), 0);
	peer_finish(wire.peer);
	turns_until_quiet(wire.loop);
	ck_assert_int_gt(sfr_conn_send(wire.conn, piece(wire.loop, 10000000, 4000)), 0);
	assert_hears_pattern(&wire, 10004000);

	assert_ends_with(&wire, 0);
}
END_TEST

/* A question, and the end behind it; the answer takes steps of the server's own. */
static void hold_and_note(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	sfr_conn_hold(conn);
	note_data(conn, result, buf, arg);
}

START_TEST(a_peer_that_asks_and_finishes_has_its_answer_from_a_connection_that_is_held)
{
	const sfr_handlers handlers = {
		.on_open = note_open, .on_data = hold_and_note, .on_close = note_close};
	struct wire wire;

	wire_up(&wire, _i, NULL, &handlers);
	peer_say(wire.loop, wire.peer, "?", 1);
	peer_finish(wire.peer);
	turns_until(wire.loop, here.bytes == 1);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(here.closed, 0);
	ck_assert_int_eq(sfr_conn_send(wire.conn, piece(wire.loop, 0, 4000)), 4000);
	sfr_conn_unhold(wire.conn);
	assert_hears_pattern(&wire, 4000);

	assert_ends_with(&wire, 0);
}
END_TEST

START_TEST(a_connection_that_is_let_go_without_an_answer_closes)
{
	const sfr_handlers handlers = {
		.on_open = note_open, .on_data = hold_and_note, .on_close = note_close};
	struct wire wire;

	wire_up(&wire, _i, NULL, &handlers);
	peer_say(wire.loop, wire.peer, "?", 1);
	peer_finish(wire.peer);
	turns_until(wire.loop, here.bytes == 1);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(here.closed, 0);
	sfr_conn_unhold(wire.conn);

	assert_ends_with(&wire, 0);
}
END_TEST

static void answer(sfr_loop *loop, void *arg)
{
	(void)loop;
	ck_assert_int_eq(conn_say(arg, "!", 1), 1);
}

static void answer_later(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	note_data(conn, result, buf, arg);
	ck_assert_int_eq(sfr_loop_post(sfr_conn_loop(conn), answer, conn), 0);
}

START_TEST(a_function_that_on_data_posts_may_answer_still)
{
	const sfr_handlers handlers = {
		.on_open = note_open, .on_data = answer_later, .on_close = note_close};
	struct wire wire;
	char heard;

	wire_up(&wire, _i, NULL, &handlers);
	peer_say(wire.loop, wire.peer, "?", 1);
	peer_finish(wire.peer);
	peer_hear(wire.loop, wire.peer, &heard, 1);

	assert_ends_with(&wire, 0);
}
END_TEST

START_TEST(a_connection_that_nobody_holds_is_not_let_go)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	log_listen();
	sfr_conn_unhold(wire.conn);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "that nobody held"));
	peer_finish(wire.peer);

	assert_ends_with(&wire, 0);
}
END_TEST

START_TEST(a_configuration_cannot_change_what_handlers_see)
{
	sfr_config *config;
	sfr_config_error error;

	ck_assert_int_eq(sfr_config_new(&config, NULL), 0);
	ck_assert_int_eq(sfr_config_set(config, "server.half_open", "on", &error), -SFR_ECONFIG);
	sfr_config_free(config);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server flow");
	TCase *tcase = peers_case(suite, "sending");

	world_test(tcase, what_is_sent_in_many_pieces_of_all_kinds_arrives_whole_and_in_order);
	world_test(tcase, what_is_sent_in_one_turn_leaves_in_one_operation);
	world_test(tcase, sends_of_many_turns_keep_their_order);
	world_test(tcase, a_send_begins_where_data_stands);
	world_test(tcase,
		   wrapped_memory_that_is_never_sent_is_released_once_when_the_connection_closes);
	world_test(tcase, a_send_of_0_bytes_is_taken_and_changes_nothing);
	world_test(tcase, a_send_of_no_buffer_closes_with_epoolempty);
	world_test(tcase, a_buffer_sent_twice_closes_with_einflight);
	world_test(tcase, a_buffer_sent_after_its_release_closes_with_einflight);
	world_test(tcase, a_window_outside_its_buffer_closes_with_einval);
	world_test(tcase, a_send_above_queue_max_closes_with_enobufs);
	tcase = peers_case(suite, "water marks");
	world_test(tcase,
		   above_high_water_nothing_is_received_until_on_drain_comes_once_at_low_water);
	world_test(tcase, a_queue_that_stayed_below_high_water_drains_in_silence);
	world_test(tcase, a_source_that_refills_in_on_drain_delivers_everything);
	tcase = peers_case(suite, "pause");
	world_test(tcase, a_paused_connection_hears_nothing_until_it_resumes);
	world_test(tcase, the_peer_of_a_paused_connection_feels_it);
	world_test(tcase, pausing_and_resuming_many_times_loses_nothing);
	world_test(tcase, the_end_waits_for_a_paused_connection);
	tcase = peers_case(suite, "finishing");
	world_test(tcase, on_end_is_told_the_end_once_and_sending_goes_on);
	world_test(tcase, without_on_end_everything_queued_is_sent_before_the_close);
	world_test(tcase,
		   after_a_shutdown_the_peer_hears_the_end_behind_the_data_and_is_still_heard);
	world_test(tcase, after_the_peer_finished_sending_goes_on_as_long_as_something_is_queued);
	world_test(tcase,
		   a_peer_that_asks_and_finishes_has_its_answer_from_a_connection_that_is_held);
	world_test(tcase, a_connection_that_is_let_go_without_an_answer_closes);
	world_test(tcase, a_function_that_on_data_posts_may_answer_still);
	world_test(tcase, a_connection_that_nobody_holds_is_not_let_go);
	tcase_add_test(tcase, a_configuration_cannot_change_what_handlers_see);
	return world_run(suite);
}

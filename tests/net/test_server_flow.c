/* SPDX-License-Identifier: MIT */
/*
 * What holds the flow of a connection back, and what ends it: water marks, pause, and finishing one direction.
 */
#include "wires.h"
#include <errno.h>
#include <unistd.h>

#define SMALL_WATER "server.high_water=64KiB server.low_water=16KiB"

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
	TCase *tcase = peers_case(suite, "water marks");

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

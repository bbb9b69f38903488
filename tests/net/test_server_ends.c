/* SPDX-License-Identifier: MIT */
/*
 * How connections end: what the peer sees, what becomes of what is queued, and which reason on_close has.
 */
#include "wires.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <unistd.h>

/*
 * Resets that nobody waits for.
 */

START_TEST(a_paused_connection_notices_that_its_peer_reset_it)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_pause(wire.conn);
	turns_until_quiet(wire.loop);
	peer_reset(wire.peer);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, -ECONNRESET);
}
END_TEST

START_TEST(what_a_paused_connection_has_not_received_is_delivered_before_the_reset)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_pause(wire.conn);
	turns_until_quiet(wire.loop);
	peer_say(wire.loop, wire.peer, "hello", 5);
	turns_until_quiet(wire.loop);
	ck_assert_uint_eq(here.bytes, 0);
	peer_reset(wire.peer);
	turns_until(wire.loop, here.closed);
	ck_assert_uint_eq(here.bytes, 5);
	ck_assert_int_eq(here.reason, -ECONNRESET);
}
END_TEST

START_TEST(a_paused_connection_whose_peer_finishes_waits_in_its_sleep)
{
	struct wire wire;
	sfr_loop_stats before, after;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_pause(wire.conn);
	turns_until_quiet(wire.loop);
	peer_say(wire.loop, wire.peer, "hello", 5);
	peer_finish(wire.peer);
	turns_until_quiet(wire.loop);
	sfr_loop_stats_get(wire.loop, &before, sizeof(before));
	turns_until_quiet(wire.loop);
	sfr_loop_stats_get(wire.loop, &after, sizeof(after));
	ck_assert_uint_eq(after.ops, before.ops);
	sfr_conn_resume(wire.conn);
	turns_until(wire.loop, here.closed);
	ck_assert_uint_eq(here.bytes, 5);
	ck_assert_int_eq(here.reason, 0);
	close(wire.peer);
}
END_TEST

START_TEST(a_paused_connection_goes_on_when_it_resumes)
{
	struct wire wire;
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	for (i = 1; i <= 5; i++) {
		sfr_conn_pause(wire.conn);
		turn_once(wire.loop);
		turn_once(wire.loop);
		peer_say(wire.loop, wire.peer, "hello", 5);
		sfr_conn_resume(wire.conn);
		turns_until(wire.loop, here.bytes == 5 * (uint64_t)i);
	}
	peer_finish(wire.peer);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, 0);
	close(wire.peer);
}
END_TEST

START_TEST(a_paused_connection_can_be_closed_and_drained)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_pause(wire.conn);
	turn_once(wire.loop);
	sfr_conn_close(wire.conn);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, -ECANCELED);
	close(wire.peer);

	wire.peer = peer_of(wire.server);
	turns_until(wire.loop, here.opened == 2);
	sfr_conn_pause(here.conn);
	turn_once(wire.loop);
	ck_assert_int_eq(sfr_loop_drain(wire.loop, -1), 0);
	ck_assert_int_eq(here.closed, 2);
	close(wire.peer);
}
END_TEST

/*
 * Finishing.
 */

static void assert_hears_and_ends(struct wire *wire, size_t size, int end)
{
	assert_hears_pattern(wire, size);
	ck_assert_int_eq(peer_end(wire->loop, wire->peer), end);
}

#define MINUTES UINT64_C(600000000000)

/* Bytes that nobody has received would make the kernel cut off the answer. */
START_TEST(who_finishes_is_heard_to_the_end_though_the_peer_says_more)
{
	static const char more[100000];
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_pause(wire.conn);
	turn_once(wire.loop);
	ck_assert_int_gt(send(wire.peer, more, sizeof(more), MSG_DONTWAIT), 0);
	ck_assert_int_gt(sfr_conn_send(wire.conn, piece(wire.loop, 0, 3000000)), 0);
	sfr_conn_finish(wire.conn, MINUTES);
	ck_assert_int_eq(sfr_conn_send(wire.conn, piece(wire.loop, 0, 1)), -EPIPE);
	assert_hears_and_ends(&wire, 3000000, 0);
	turns_until_quiet(wire.loop);
	ck_assert_int_eq(here.closed, 0);
	peer_say(wire.loop, wire.peer, "more", 4);
	peer_finish(wire.peer);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, 0);
	ck_assert_uint_eq(here.bytes, 0);
	close(wire.peer);
}
END_TEST

START_TEST(a_peer_that_does_not_finish_is_not_waited_for_longer_than_it_may_take)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &ends_too);
	ck_assert_int_gt(sfr_conn_send(wire.conn, piece(wire.loop, 0, 1000)), 0);
	sfr_conn_finish(wire.conn, 1);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, -ETIMEDOUT);
	ck_assert_int_eq(here.finished, 0);
	assert_hears_and_ends(&wire, 1000, 0);
	close(wire.peer);
}
END_TEST

START_TEST(who_may_take_no_time_is_told_and_left)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	ck_assert_int_gt(sfr_conn_send(wire.conn, piece(wire.loop, 0, 1000)), 0);
	sfr_conn_finish(wire.conn, 0);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, -ETIMEDOUT);
	assert_hears_and_ends(&wire, 1000, 0);
	close(wire.peer);
}
END_TEST

START_TEST(to_finish_a_connection_whose_peer_has_finished_closes_it_with_0)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &ends_too);
	peer_finish(wire.peer);
	turns_until(wire.loop, here.finished);
	sfr_conn_finish(wire.conn, MINUTES);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, 0);
	close(wire.peer);
}
END_TEST

START_TEST(a_connection_that_lingers_can_be_closed_reset_and_drained)
{
	struct wire wire;
	int i;

	wire_up(&wire, _i, NULL, &note_all);
	for (i = 0; i < 3; i++) {
		if (i)
			wire.peer = peer_of(wire.server);
		turns_until(wire.loop, here.opened == i + 1);
		sfr_conn_finish(here.conn, MINUTES);
		ck_assert_int_eq(peer_end(wire.loop, wire.peer), 0);
		turns_until_quiet(wire.loop);
		if (i == 0)
			sfr_conn_close(here.conn);
		else if (i == 1)
			sfr_conn_reset(here.conn);
		else
			ck_assert_int_eq(sfr_loop_drain(wire.loop, -1), 0);
		turns_until(wire.loop, here.closed == i + 1);
		ck_assert_int_eq(here.reason, -ECANCELED);
		close(wire.peer);
	}
}
END_TEST

/*
 * Cut.
 */

START_TEST(the_peer_of_a_connection_that_is_reset_sees_that_it_was_cut)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	sfr_conn_reset(wire.conn);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(peer_end(wire.loop, wire.peer), -ECONNRESET);
	close(wire.peer);
}
END_TEST

START_TEST(a_reset_drops_what_is_queued)
{
	struct wire wire;

	wire_up(&wire, _i, NULL, &note_all);
	ck_assert_int_gt(sfr_conn_send(wire.conn, piece(wire.loop, 0, 10000000)), 0);
	turns_until_quiet(wire.loop);
	sfr_conn_reset(wire.conn);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(peer_end(wire.loop, wire.peer), -ECONNRESET);
	ck_assert_uint_eq(stat_held(wire.loop), 0);
	close(wire.peer);
}
END_TEST

/*
 * Full.
 */

/* A queue of more than 64 KiB, as the peer reads nothing. */
static void fill(struct wire *wire)
{
	conn_narrow(wire->conn);
	peer_narrow(wire->peer);
	ck_assert(!sfr_conn_is_full(wire->conn));
	ck_assert_int_gt(sfr_conn_send(wire->conn, piece(wire->loop, 0, 3000000)), 0);
	ck_assert(sfr_conn_is_full(wire->conn));
	turns_until_quiet(wire->loop);
}

#define SMALL_WATER "server.high_water=64KiB server.low_water=16KiB"

START_TEST(a_connection_that_is_full_says_so_until_it_drains)
{
	struct wire wire;

	wire_up(&wire, _i, SMALL_WATER, &note_all);
	fill(&wire);
	peer_say(wire.loop, wire.peer, "hello", 5);
	turns_until_quiet(wire.loop);
	ck_assert(sfr_conn_is_full(wire.conn));
	ck_assert_int_eq(here.drained, 0);
	ck_assert_uint_eq(here.bytes, 0);
	peer_finish(wire.peer);
	assert_hears_and_ends(&wire, 3000000, 0);
	turns_until(wire.loop, here.closed);
	ck_assert_int_eq(here.drained, 1);
	ck_assert_uint_eq(here.bytes, 5);
	close(wire.peer);
}
END_TEST

START_TEST(one_that_reads_when_full_hears_what_it_needs_to_go_on)
{
	struct wire wire;

	wire_up(&wire, _i, SMALL_WATER, &note_all);
	fill(&wire);
	sfr_conn_read_when_full(wire.conn, true);
	peer_say(wire.loop, wire.peer, "hello", 5);
	turns_until(wire.loop, here.bytes == 5);
	ck_assert(sfr_conn_is_full(wire.conn));
	sfr_conn_read_when_full(wire.conn, false);
	turns_until_quiet(wire.loop);
	peer_say(wire.loop, wire.peer, "hello", 5);
	turns_until_quiet(wire.loop);
	ck_assert_uint_eq(here.bytes, 5);
	peer_reset(wire.peer);
	turns_until(wire.loop, here.closed);
	ck_assert_uint_eq(here.bytes, 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ends of connections");
	TCase *tcase = peers_case(suite, "resets");

	world_test(tcase, a_paused_connection_notices_that_its_peer_reset_it);
	world_test(tcase, what_a_paused_connection_has_not_received_is_delivered_before_the_reset);
	world_test(tcase, a_paused_connection_whose_peer_finishes_waits_in_its_sleep);
	world_test(tcase, a_paused_connection_goes_on_when_it_resumes);
	world_test(tcase, a_paused_connection_can_be_closed_and_drained);
	tcase = peers_case(suite, "finishing");
	world_test(tcase, who_finishes_is_heard_to_the_end_though_the_peer_says_more);
	world_test(tcase, a_peer_that_does_not_finish_is_not_waited_for_longer_than_it_may_take);
	world_test(tcase, who_may_take_no_time_is_told_and_left);
	world_test(tcase, to_finish_a_connection_whose_peer_has_finished_closes_it_with_0);
	world_test(tcase, a_connection_that_lingers_can_be_closed_reset_and_drained);
	tcase = peers_case(suite, "cut");
	world_test(tcase, the_peer_of_a_connection_that_is_reset_sees_that_it_was_cut);
	world_test(tcase, a_reset_drops_what_is_queued);
	tcase = peers_case(suite, "full");
	world_test(tcase, a_connection_that_is_full_says_so_until_it_drains);
	world_test(tcase, one_that_reads_when_full_hears_what_it_needs_to_go_on);
	return world_run(suite);
}

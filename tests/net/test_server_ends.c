/* SPDX-License-Identifier: MIT */
/*
 * How connections end: what the peer sees, what becomes of what is queued, and which reason on_close has.
 */
#include "peers.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <string.h>
#include <unistd.h>

struct wire {
	sfr_loop *loop;
	sfr_server *server;
	sfr_conn *conn;
	int peer;
};

static void wire_up(struct wire *wire, int world, const char *settings,
		    const sfr_handlers *handlers)
{
	wire->loop = loop_in(world, settings);
	wire->server = serve(wire->loop, handlers, &here);
	wire->peer = peer_of(wire->server);
	turns_until(wire->loop, here.opened == 1);
	wire->conn = here.conn;
}

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

int main(void)
{
	Suite *suite = suite_create("ends of connections");
	TCase *tcase = peers_case(suite, "resets");

	world_test(tcase, a_paused_connection_notices_that_its_peer_reset_it);
	world_test(tcase, what_a_paused_connection_has_not_received_is_delivered_before_the_reset);
	world_test(tcase, a_paused_connection_whose_peer_finishes_waits_in_its_sleep);
	world_test(tcase, a_paused_connection_goes_on_when_it_resumes);
	world_test(tcase, a_paused_connection_can_be_closed_and_drained);
	return world_run(suite);
}

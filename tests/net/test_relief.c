/* SPDX-License-Identifier: MIT */
/*
 * What the net does while memory is short, where it could go wrong: connections that close, pause or drain in the
 * middle of it, and a loop that nothing else wakes.
 */
#include "net/send.h"
#include "net/server.h"
#include "peers.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <string.h>
#include <unistd.h>

#define KIB 1024
#define FEW "buffers.count=8 buffers.receive=1 "
#define SOON FEW "server.slow_after=10ms "
#define NEVER FEW "server.slow_after=1000s "

static sfr_buf *kept[64];
static int kept_count;

/* All memory but a quarter, which is two buffers: perhaps the kernel has one of them. */
static void keep_most(sfr_loop *loop)
{
	sfr_buf *buf;

	kept_count = 0;
	while ((buf = sfr_buf_get(loop, 0)))
		kept[kept_count++] = buf;
	while (sfr__pressure_left(loop) < sfr__pool_limit(loop->pool) / 4)
		sfr_buf_release(kept[--kept_count]);
}

static void let_go(void)
{
	while (kept_count)
		sfr_buf_release(kept[--kept_count]);
}

static struct sfr__net *net_of(sfr_loop *loop)
{
	return sfr__container(loop->resident, struct sfr__net, resident);
}

/* One whose peer is full from the first: see conn_stuff(). */
static int full_peer;

static void stuff_in_open(sfr_conn *conn, void *arg)
{
	full_peer = conn_stuff(conn);
	note_open(conn, arg);
}

static const sfr_handlers stuffed = {.on_open = stuff_in_open,
				     .on_data = note_data,
				     .on_drain = note_drain,
				     .on_close = note_close};

#define SAID "said to one that does not read"

/* A connection with a send in flight that gets nowhere. */
static sfr_conn *stuck(sfr_loop *loop)
{
	close(peer_of(serve(loop, &stuffed, &there)));
	turns_until(loop, there.opened);
	ck_assert_int_gt(conn_say(there.conn, SAID, sizeof(SAID)), 0);
	turns_until(loop, sfr__conn_of(there.conn)->send);
	return there.conn;
}

/*
 * Rounds.
 */

static void let_go_of(sfr_loop *loop, void *buf)
{
	(void)loop;
	sfr_buf_release(buf);
}

/* What arrives is kept for a moment, so one arrival is more than its share of a round. */
static void keep_for_a_moment(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct told *told = arg;

	told->bytes += (uint64_t)result;
	ck_assert_int_eq(sfr_loop_post(sfr_conn_loop(conn), let_go_of, buf), 0);
	if (told->bytes == 64 * KIB)
		sfr_loop_stop(sfr_conn_loop(conn));
}

static const sfr_handlers keeper = {
	.on_open = note_open, .on_data = keep_for_a_moment, .on_close = note_close};

/* A connection that has had its share of this round, and receives nothing; its peer has more to say. */
static sfr_conn *held(sfr_loop *loop, int *peer_out)
{
	static char bytes[64 * KIB];
	sfr_server *server = serve(loop, &keeper, &here);
	sfr_conn *conn;

	owned_fd(peer_of(server)); /* so that the share of each is half a buffer */
	turns_until(loop, here.opened == 1);
	*peer_out = peer_of(server);
	turns_until(loop, here.opened == 2);
	conn = here.conn;
	keep_most(loop);
	ck_assert_int_eq(send(*peer_out, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
	while (!sfr__conn_of(conn)->held) {
		(void)sfr_loop_step(loop, 0);
		ck_assert_uint_lt(here.bytes, sizeof(bytes));
	}
	return conn;
}

START_TEST(one_that_had_its_share_goes_on_in_the_next_round_though_nothing_else_happens)
{
	sfr_loop *loop = loop_in(_i, NEVER);
	int peer;

	(void)held(loop, &peer);
	run_until_stopped(loop);
	ck_assert_uint_eq(here.bytes, 64 * KIB);
	let_go();
	close(peer);
}
END_TEST

START_TEST(one_that_waits_for_the_next_round_may_pause_and_resume)
{
	sfr_loop *loop = loop_in(_i, NEVER);
	uint64_t before;
	sfr_conn *conn;
	int peer;

	conn = held(loop, &peer);
	sfr_conn_pause(conn);
	turns_until_quiet(loop);
	ck_assert(!sfr__conn_of(conn)->held);
	before = here.bytes;
	turns_until_quiet(loop);
	ck_assert_uint_eq(here.bytes, before);
	sfr_conn_resume(conn);
	turns_until(loop, here.bytes == 64 * KIB);
	let_go();
	close(peer);
}
END_TEST

START_TEST(one_that_waits_for_the_next_round_may_be_closed)
{
	sfr_loop *loop = loop_in(_i, NEVER);
	int peer;

	sfr_conn_close(held(loop, &peer));
	turns_until(loop, here.closed);
	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert(sfr__list_empty(&net_of(loop)->relief.held));
	let_go();
	close(peer);
}
END_TEST

/* Nothing of it is in flight. */
START_TEST(a_loop_runs_on_for_one_that_waits_for_the_next_round)
{
	sfr_loop *loop = loop_in(_i, NEVER);
	int peer;

	sfr_server_close(sfr__server_handle(sfr__conn_of(held(loop, &peer))->terms->server));
	let_go();
	run_until_stopped(loop); /* that closed all of them */
	ck_assert_int_eq(here.closed, 2);
	close(peer);
}
END_TEST

START_TEST(a_loop_drains_while_connections_wait_for_the_next_round_or_are_asked)
{
	sfr_loop *loop = loop_in(_i, NEVER);
	sfr_conn *conn = stuck(loop);
	int peer;

	(void)held(loop, &peer);
	sfr__conn_ask(sfr__conn_of(conn));
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);
	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(there.reason, -ECANCELED);
	ck_assert_uint_eq(net_of(loop)->relief.asked, 0);
	let_go();
	close(peer);
	close(full_peer);
}
END_TEST

/*
 * Sends that are asked how far they got.
 */

/* What the kernel had first, then what was said. */
static void assert_hears_all(sfr_loop *loop, int peer)
{
	char byte = 0, heard[sizeof(SAID)] = {0};

	while (!byte)
		peer_hear(loop, peer, &byte, 1);
	heard[0] = byte;
	peer_hear(loop, peer, heard + 1, sizeof(heard) - 1);
	ck_assert_mem_eq(heard, SAID, sizeof(SAID));
}

START_TEST(one_that_is_asked_goes_on_if_there_is_memory_by_then)
{
	sfr_loop *loop = loop_in(_i, SOON);
	sfr_conn *conn = stuck(loop);

	sfr__conn_ask(sfr__conn_of(conn));
	turns_until(loop, !sfr__conn_of(conn)->asked);
	ck_assert_uint_eq(net_of(loop)->relief.asked, 0);
	assert_hears_all(loop, full_peer);
	ck_assert_int_eq(there.closed, 0);
	close(full_peer);
}
END_TEST

START_TEST(one_that_is_asked_may_be_closed_before_it_answers)
{
	sfr_loop *loop = loop_in(_i, SOON);
	sfr_conn *conn = stuck(loop);

	sfr__conn_ask(sfr__conn_of(conn));
	sfr_conn_close(conn);
	turns_until(loop, there.closed);
	ck_assert_int_eq(there.reason, -ECANCELED);
	ck_assert_uint_eq(net_of(loop)->relief.asked, 0);
	close(full_peer);
}
END_TEST

START_TEST(one_that_is_asked_may_fail_before_it_answers)
{
	sfr_loop *loop = loop_in(
		_i, SOON "server.queue_max=4KiB server.high_water=2KiB server.low_water=1KiB");
	sfr_conn *conn = stuck(loop);
	sfr_buf *buf = sfr_buf_get(loop, 0);

	sfr__conn_ask(sfr__conn_of(conn));
	buf->len = buf->cap;
	ck_assert_int_eq(sfr_conn_send(conn, buf), -ENOBUFS);
	turns_until(loop, there.closed);
	ck_assert_int_eq(there.reason, -ENOBUFS);
	ck_assert_uint_eq(net_of(loop)->relief.asked, 0);
	close(full_peer);
}
END_TEST

/* Time is counted in 32 bits. */
START_TEST(how_long_a_send_waits_is_known_when_the_count_of_time_begins_anew)
{
	const uint64_t tick = SFR__CONN_TICK_NS, end = (uint64_t)1 << 32;
	struct sfr__conn conn = {.state = SFR__CONN_OPEN, .send = 1, .queue.pool_memory = 1};

	conn.sent_at = (uint32_t)(end - 5);
	ck_assert_uint_eq(sfr__conn_waited(&conn, (end - 5) * tick), 0);
	ck_assert_uint_eq(sfr__conn_waited(&conn, (end + 7) * tick), 12 * tick);
	conn.sent_at = 3; /* since the last look at completions */
	ck_assert_uint_eq(sfr__conn_waited(&conn, (end - 5) * tick), 0);
}
END_TEST

/*
 * The end.
 */

static void answer_in_close(sfr_conn *conn, int reason, void *arg)
{
	note_close(conn, reason, arg);
	ck_assert_int_eq(conn_say(conn, SAID, sizeof(SAID)), -ECANCELED);
	sfr_conn_resume(conn);
	sfr_conn_shutdown(conn);
	sfr_conn_close(conn);
	sfr_loop_stop(sfr_conn_loop(conn));
}

START_TEST(who_is_ended_may_still_be_sent_to_in_on_close)
{
	static const sfr_handlers handlers = {
		.on_open = stuff_in_open, .on_data = note_data, .on_close = answer_in_close};
	sfr_loop *loop = loop_in(_i, SOON);
	sfr_buf *buf;

	close(peer_of(serve(loop, &handlers, &there)));
	turns_until(loop, there.opened);
	while ((buf = sfr_buf_get(loop, 0))) {
		buf->len = buf->cap;
		ck_assert_int_gt(sfr_conn_send(there.conn, buf), 0);
	}
	while (!there.closed)
		turn_once(loop);
	ck_assert_int_eq(there.reason, -SFR_ESLOW);
	turns_until_quiet(loop);
	ck_assert_uint_eq(stat_held(loop), 0);
	close(full_peer);
}
END_TEST

START_TEST(a_dialled_connection_is_ended_as_well)
{
	sfr_loop *loop = loop_in(_i, SOON);
	int listener = peer_listen(1);
	sfr_conn *conn;
	sfr_buf *buf;

	ck_assert_int_eq(sfr_dial(loop, listen_address(listener), &stuffed, &there, &conn), 0);
	turns_until(loop, there.opened);
	while ((buf = sfr_buf_get(loop, 0))) {
		buf->len = buf->cap;
		ck_assert_int_gt(sfr_conn_send(conn, buf), 0);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(there.reason, -SFR_ESLOW);
	ck_assert_uint_eq(stats_of(loop).ended_slow, 1);
	close(listener);
	close(full_peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("relief");
	TCase *tcase = peers_case(suite, "rounds");

	world_test(tcase,
		   one_that_had_its_share_goes_on_in_the_next_round_though_nothing_else_happens);
	world_test(tcase, one_that_waits_for_the_next_round_may_pause_and_resume);
	world_test(tcase, one_that_waits_for_the_next_round_may_be_closed);
	world_test(tcase, a_loop_runs_on_for_one_that_waits_for_the_next_round);
	world_test(tcase, a_loop_drains_while_connections_wait_for_the_next_round_or_are_asked);
	tcase = peers_case(suite, "asked");
	world_test(tcase, one_that_is_asked_goes_on_if_there_is_memory_by_then);
	world_test(tcase, one_that_is_asked_may_be_closed_before_it_answers);
	world_test(tcase, one_that_is_asked_may_fail_before_it_answers);
	tcase_add_test(tcase, how_long_a_send_waits_is_known_when_the_count_of_time_begins_anew);
	tcase = peers_case(suite, "the end");
	world_test(tcase, who_is_ended_may_still_be_sent_to_in_on_close);
	world_test(tcase, a_dialled_connection_is_ended_as_well);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Peers that do not read, many of them: memory stays within the budget, and those who read are served. Those who do
 * not are ended when their memory is needed, and only then.
 */
#include "crowd.h"
#include "leap.h"
#include "net/conn.h"
#include "net/send.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <string.h>
#include <unistd.h>

#define BUDGET "buffers.count=64 buffers.budget=1MiB buffers.receive=16 "
#define SOON "server.slow_after=5ms "
#define NEVER "server.slow_after=1000s "
#define GUESTS_MAX 200

static char zeros[64 * KIB];
static int peers[GUESTS_MAX];

/*
 * Peers that pour into an echo and read nothing of it.
 */

static const sfr_handlers echo_narrow = {
	.on_open = narrow_open, .on_data = echo, .on_drain = note_drain, .on_close = note_close};

static void pour_all(sfr_loop *loop, int count)
{
	int i;

	for (i = 0; i < count; i++)
		(void)press(peers[i]);
	for (i = 0; i < 20; i++)
		(void)sfr_loop_step(loop, 0);
}

START_TEST(peers_that_pour_and_never_read_take_no_more_than_the_budget)
{
	sfr_loop *loop = loop_in(_i, BUDGET SOON);
	sfr_server *server = serve(loop, &echo_narrow, &here);
	int count = crowd_of(60), round, honest;

	crowd_come(loop, server, peers, count);
	while (!stats_of(loop).shortages) /* what the kernel has room for comes first */
		pour_all(loop, count);
	honest = peer_of(server);
	for (round = 0; round < 5; round++) {
		pour_all(loop, count);
		ask_and_hear(loop, honest, 5);
		crowd_within_budget(loop, count);
	}
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 0);
	close(honest);
	crowd_go(loop, peers, count);
}
END_TEST

/* Nobody is ended here, so what serves the honest one is what was kept for it. */
START_TEST(an_honest_peer_is_served_though_few_pourers_are_never_ended)
{
	sfr_loop *loop = loop_in(_i, BUDGET NEVER "server.high_water=64MiB");
	sfr_server *server = serve(loop, &echo_narrow, &here);
	int i, round, honest;

	crowd_come(loop, server, peers, 8);
	while (!stats_of(loop).shortages)
		pour_all(loop, 8);
	honest = peer_of(server);
	for (round = 0; round < 40; round++) {
		for (i = 0; i < 8; i++)
			(void)press(peers[i]);
		ask_and_hear(loop, honest, 5);
	}
	crowd_within_budget(loop, 8);
	ck_assert_uint_eq(stats_of(loop).ended_slow, 0);
	ck_assert_int_eq(here.closed, 0);
	close(honest);
	crowd_go(loop, peers, 8);
}
END_TEST

/*
 * Peers that send as much as they can, and read nothing: the others do not notice.
 */

static size_t queued_most; /* for one connection */

static void queued_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	echo(conn, result, buf, arg);
	if (sfr_conn_queued(conn) > queued_most)
		queued_most = sfr_conn_queued(conn);
}

static const sfr_handlers watch_queue = {.on_open = narrow_open,
					 .on_data = queued_data,
					 .on_drain = note_drain,
					 .on_close = note_close};

/* Each says as much as it can, until the server takes no more of any. */
static void press_until_full(sfr_loop *loop, int count)
{
	bool pressed = true;
	int i;

	while (pressed) {
		pressed = false;
		for (i = 0; i < count; i++)
			pressed |= press(peers[i]);
		turns_until_quiet(loop);
	}
}

static void never_readers_leave_the_others_alone(int world, const char *settings, int count)
{
	sfr_loop *loop = loop_in(world, settings);
	sfr_server *server = serve(loop, &watch_queue, &here);
	struct swarm swarm = {.peers = 10, .bytes = 20 * KIB, .message = 1024, .window = 1024};
	sfr_loop_stats stats;

	queued_most = 0;
	crowd_come(loop, server, peers, count);
	press_until_full(loop, count);
	swarm_run(&swarm, loop, server);
	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	crowd_go(loop, peers, count);

	ck_assert_uint_eq(stats.bytes_heap, 0);
	ck_assert_uint_le(queued_most, 64 * KIB + 256 * KIB); /* high water, and one turn's worth */
	ck_assert_uint_le(stats.bytes_max, stats.budget ? stats.budget : stats.bytes_made);
	assert_recovered(loop, server, &here);
}

START_TEST(one_peer_that_never_reads_does_not_keep_8_buffers_from_the_others)
{
	never_readers_leave_the_others_alone(
		_i, NEVER "buffers.count=8 server.high_water=64KiB server.low_water=16KiB", 1);
}
END_TEST

START_TEST(one_peer_that_never_reads_does_not_keep_a_whole_budget_from_the_others)
{
	never_readers_leave_the_others_alone(
		_i,
		NEVER
		"buffers.count=2 buffers.budget=32KiB server.high_water=64KiB server.low_water=16KiB",
		1);
}
END_TEST

START_TEST(a_hundred_peers_that_never_read_do_not_keep_64_buffers_from_the_others)
{
	never_readers_leave_the_others_alone(
		_i, SOON "buffers.count=64 server.high_water=64KiB server.low_water=16KiB", 100);
}
END_TEST

/* The others were served meanwhile, from what was kept for them. */
START_TEST(a_peer_that_reads_late_hears_everything)
{
	sfr_loop *loop = loop_in(_i, NEVER "buffers.count=4");
	sfr_server *server = serve(loop, &echo_all, &here);
	static unsigned char said[2 * MIB], heard[2 * MIB];
	struct swarm swarm = {.peers = 3, .bytes = 20 * KIB, .message = 1024, .window = 1024};
	int peer = peer_of(server);
	size_t sent = 0;
	ssize_t n = 1;

	peer_narrow(peer);
	pattern_fill(said, 1, 0, sizeof(said));
	while (n > 0 && sent < sizeof(said)) {
		n = send(peer, said + sent, sizeof(said) - sent, MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		turns_until_quiet(loop);
	}
	swarm_run(&swarm, loop, server);
	peer_hear(loop, peer, heard, sent);

	ck_assert(pattern_is(heard, 1, 0, sent));
	close(peer);
	assert_recovered(loop, server, &here);
}
END_TEST

/*
 * Peers that hold all memory, by what is said to them, in a loop that sleeps without limit: nothing but the wait for
 * slow peers can wake it.
 */

#define HOLDERS 2

static sfr_conn *holders[HOLDERS];

static void hold_in_open(sfr_conn *conn, void *arg)
{
	holders[there.opened] = conn;
	peers[there.opened] = conn_stuff(conn);
	note_open(conn, arg);
}

static void stop_when_all_closed(sfr_conn *conn, int reason, void *arg)
{
	note_close(conn, reason, arg);
	if (there.closed == there.opened)
		sfr_loop_stop(sfr_conn_loop(conn));
}

static const sfr_handlers hold = {
	.on_open = hold_in_open, .on_data = note_data, .on_close = stop_when_all_closed};

/* Say to all of them what there are buffers for. */
static void holders_fill(sfr_loop *loop, int count)
{
	sfr_buf *buf;
	int i;

	while ((buf = sfr_buf_get(loop, 0))) {
		buf->len = buf->cap;
		for (i = 1; i < count; i++)
			ck_assert_int_gt(sfr_conn_send(holders[i], sfr_buf_share(buf)), 0);
		ck_assert_int_gt(sfr_conn_send(holders[0], buf), 0);
	}
}

static void holders_are_ended(int world, int count)
{
	sfr_loop *loop = loop_in(world, SOON "buffers.count=8 buffers.receive=1");
	sfr_server *server = serve(loop, &echo_all, &here);
	sfr_server *holding = serve(loop, &hold, &there);
	int asks = peer_of(server), i;

	for (i = 0; i < count; i++)
		close(peer_of(holding));
	turns_until(loop, here.opened && there.opened == count);
	holders_fill(loop, count);
	ck_assert_int_eq(send(asks, "hello", 5, MSG_NOSIGNAL), 5);
	run_until_stopped(loop);

	for (i = 0; i < count; i++) {
		ck_assert_int_eq(there.reasons[i], -SFR_ESLOW);
		close(peers[i]);
	}
	ask_and_hear(loop, asks, 1);
	close(asks);
	assert_recovered(loop, server, &here);
}

START_TEST(slow_peers_are_ended_when_nothing_else_happens)
{
	holders_are_ended(_i, 1);
}
END_TEST

/* Each buffer is held by the slowest of those it was said to. */
START_TEST(those_that_never_read_what_all_hear_do_not_keep_the_buffers_of_it)
{
	holders_are_ended(_i, HOLDERS);
}
END_TEST

/*
 * A chat: what one says goes to all, by reference. Most never read.
 */

static sfr_conn *guests[GUESTS_MAX + 2];
static int guests_count;

static void chat_joined(sfr_conn *conn, void *arg)
{
	narrow_open(conn, arg);
	sfr_conn_set_data(conn, &guests[guests_count]);
	guests[guests_count++] = conn;
}

static void chat_said(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct told *told = arg;
	int i;

	(void)conn;
	told->received++;
	told->bytes += (uint64_t)result;
	for (i = 0; i < guests_count; i++) {
		sfr_buf *share = guests[i] ? sfr_buf_share(buf) : NULL;

		if (share)
			(void)sfr_conn_send(guests[i], share);
	}
	sfr_buf_release(buf);
}

static void chat_left(sfr_conn *conn, int reason, void *arg)
{
	*(sfr_conn **)sfr_conn_data(conn) = NULL;
	note_close(conn, reason, arg);
}

static const sfr_handlers chat = {
	.on_open = chat_joined, .on_data = chat_said, .on_close = chat_left};

static int count_reason(const struct told *told, int reason)
{
	int i, count = 0;

	for (i = 0; i < told->closed; i++)
		count += told->reasons[i] == reason;
	return count;
}

START_TEST(chat_guests_that_never_read_are_ended_and_nothing_is_copied_for_them)
{
	sfr_loop *loop = loop_in(_i, BUDGET SOON "server.queue_max=1GiB");
	sfr_server *server = serve(loop, &chat, &here);
	int count = crowd_of(GUESTS_MAX), talker;
	uint64_t said = 0;
	ssize_t n;

	guests_count = 0;
	crowd_come(loop, server, peers, count);
	talker = peer_of(server);
	turns_until(loop, here.opened == count + 1);
	while (here.closed < count) { /* it reads what it says, and so is never slow */
		n = send(talker, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);
		said += n > 0 ? (uint64_t)n : 0;
		turn_once(loop);
		swallow(talker);
		crowd_within_budget(loop, count);
	}
	ck_assert_int_eq(here.closed, count);
	ck_assert_int_eq(count_reason(&here, -SFR_ESLOW), count);
	ck_assert_uint_eq(stats_of(loop).ended_slow, (uint64_t)count);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 0);
	ck_assert_uint_gt(said, MIB / 2);
	close(talker);
	crowd_go(loop, peers, count);
}
END_TEST

/* The log has one line, however many are ended. */
START_TEST(a_shortage_is_told_once)
{
	sfr_loop *loop = loop_in(_i, BUDGET SOON);
	sfr_server *server = serve(loop, &echo_narrow, &here);
	int count = 50, i;

	log_listen();
	crowd_come(loop, server, peers, count);
	while (stats_of(loop).ended_slow < 3) {
		for (i = 0; i < count; i++)
			(void)press(peers[i]);
		turn_once(loop);
	}
	ck_assert_uint_ge(stats_of(loop).shortages, 1);
	ck_assert_int_ge(log_lines, 1);
	ck_assert_int_le(log_lines, (int)stats_of(loop).shortages);
	ck_assert_ptr_nonnull(strstr(log_line, "memory for buffers is short"));
	crowd_go(loop, peers, count);
}
END_TEST

#define LEAP_NS (UINT64_C(400) * 1000000000)

/* Slow is who reads nothing: one that reads a little, now and then, stays. Each time it has, 400 seconds pass. */
START_TEST(a_peer_that_reads_a_little_is_not_ended)
{
	sfr_loop *loop = loop_in(_i, BUDGET NEVER "server.high_water=64MiB");
	sfr_server *server = serve(loop, &echo_narrow, &here);
	const struct sfr__conn *reader;
	int i;

	crowd_come(loop, server, peers, 1);
	reader = sfr__conn_of(here.conn);
	crowd_come(loop, server, peers + 1, 1);
	turns_until(loop, here.opened == 2);
	while (here.closed == 0) {
		for (i = 0; i < 2; i++)
			(void)press(peers[i]);
		swallow(peers[0]);
		turn_once(loop);
		if (here.closed == 0 &&
		    sfr__conn_waited(reader, sfr__loop_clock_ns(loop)) < LEAP_NS)
			clock_leap(loop, LEAP_NS);
	}
	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, -SFR_ESLOW);
	ck_assert_ptr_null(here.conn); /* the one that came last */
	crowd_go(loop, peers, 2);
}
END_TEST

START_TEST(a_server_may_be_less_patient_than_its_loop)
{
	sfr_loop *loop = loop_in(_i, BUDGET NEVER);
	sfr_config *options = config_in(_i, SOON);
	sfr_server *server;
	int i;

	ck_assert_int_eq(sfr_serve_with(loop, ANY_PORT, options, &echo_narrow, &here, &server), 0);
	sfr_config_free(options);
	crowd_come(loop, server, peers, 8);
	while (here.closed == 0) {
		for (i = 0; i < 8; i++)
			(void)press(peers[i]);
		turn_once(loop);
	}

	ck_assert_int_eq(here.reason, -SFR_ESLOW);
	crowd_go(loop, peers, 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("slow readers");
	TCase *tcase = peers_case(suite, "an echo");

	world_test(tcase, peers_that_pour_and_never_read_take_no_more_than_the_budget);
	world_test(tcase, an_honest_peer_is_served_though_few_pourers_are_never_ended);
	world_test(tcase, a_peer_that_reads_a_little_is_not_ended);
	world_test(tcase, a_server_may_be_less_patient_than_its_loop);
	world_test(tcase, a_shortage_is_told_once);
	tcase = peers_case(suite, "those who read beside those who do not");
	world_test(tcase, one_peer_that_never_reads_does_not_keep_8_buffers_from_the_others);
	world_test(tcase, one_peer_that_never_reads_does_not_keep_a_whole_budget_from_the_others);
	world_test(tcase, a_hundred_peers_that_never_read_do_not_keep_64_buffers_from_the_others);
	world_test(tcase, a_peer_that_reads_late_hears_everything);
	tcase = peers_case(suite, "nothing else happens");
	world_test(tcase, slow_peers_are_ended_when_nothing_else_happens);
	world_test(tcase, those_that_never_read_what_all_hear_do_not_keep_the_buffers_of_it);
	tcase = peers_case(suite, "a chat");
	world_test(tcase, chat_guests_that_never_read_are_ended_and_nothing_is_copied_for_them);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * As many connections as there may be, and what a server counts.
 */
#include "peers.h"
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int peers[64];

static sfr_server_stats stats_of_server(const sfr_server *server)
{
	sfr_server_stats stats;

	sfr_server_stats_get(server, &stats, sizeof(stats));
	return stats;
}

static void peers_come(const sfr_server *server, int count)
{
	int i;

	for (i = 0; i < count; i++)
		peers[i] = peer_of(server);
}

static void peers_go(int count)
{
	while (count--)
		close(peers[count]);
}

/*
 * Limits.
 */

START_TEST(above_the_limit_peers_are_refused_counted_and_told_once)
{
	sfr_loop *loop = loop_in(_i, "server.connections_max=2");
	sfr_server *server = serve(loop, &echo_all, &here);
	int i;

	log_listen();
	peers_come(server, 6);
	turns_until(loop, stats_of_server(server).refused == 4);

	ck_assert_int_eq(here.opened, 2);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "server.connections_max (2)"));
	for (i = 2; i < 6; i++)
		ck_assert_int_eq(peer_end(loop, peers[i]), 0);
	peers_go(6);
}
END_TEST

START_TEST(a_limit_is_told_again_after_half_have_gone)
{
	sfr_loop *loop = loop_in(_i, "server.connections_max=2");
	sfr_server *server = serve(loop, &echo_all, &here);

	log_listen();
	peers_come(server, 3);
	turns_until(loop, stats_of_server(server).refused == 1);
	peers_go(3);
	turns_until(loop, here.closed == 2);
	peers_come(server, 3);
	turns_until(loop, stats_of_server(server).refused == 2);

	ck_assert_int_eq(log_lines, 2);
	peers_go(3);
}
END_TEST

static int open_now, open_most;

static void count_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	if (++open_now > open_most)
		open_most = open_now;
}

static void count_close(sfr_conn *conn, int reason, void *arg)
{
	note_close(conn, reason, arg);
	open_now--;
}

static const sfr_handlers counting = {
	.on_open = count_open, .on_data = echo, .on_close = count_close};

static sfr_server *serve_counting(sfr_loop *loop)
{
	open_now = open_most = 0;
	return serve(loop, &counting, &here);
}

START_TEST(peers_may_wait_instead_and_all_are_served)
{
	sfr_loop *loop = loop_in(_i, "server.connections_max=2 server.when_full=wait");
	sfr_server *server = serve_counting(loop);
	char heard[5];
	int i;

	log_listen();
	peers_come(server, 20);
	for (i = 0; i < 20; i++)
		peer_say(loop, peers[i], "hello", 5);
	turns_until(loop, here.received == 2);
	turns_until_quiet(loop);
	ck_assert_int_eq(here.opened, 2);
	ck_assert_int_eq(log_lines, 1);
	for (i = 0; i < 20; i++) {
		peer_hear(loop, peers[i], heard, 5);
		ck_assert_mem_eq(heard, "hello", 5);
		close(peers[i]);
	}
	turns_until(loop, here.closed == 20);

	ck_assert_int_eq(open_most, 2);
	ck_assert_uint_eq(stats_of_server(server).accepted, 20);
	ck_assert_uint_eq(stats_of_server(server).refused, 0);
	ck_assert_uint_gt(stats_of_server(server).pauses, 0);
}
END_TEST

START_TEST(one_connection_at_a_time_serves_all)
{
	sfr_loop *loop = loop_in(_i, "server.connections_max=1 server.when_full=wait");
	sfr_server *server = serve_counting(loop);
	char heard[5];
	int i;

	for (i = 0; i < 30; i++) {
		peers_come(server, 1);
		peer_say(loop, peers[0], "hello", 5);
		peer_hear(loop, peers[0], heard, 5);
		close(peers[0]);
	}

	ck_assert_int_eq(open_most, 1);
	ck_assert_uint_eq(stats_of_server(server).refused, 0);
}
END_TEST

static void close_in_open(sfr_conn *conn, void *arg)
{
	count_open(conn, arg);
	sfr_conn_close(conn);
}

START_TEST(peers_that_wait_are_served_though_each_is_closed_as_it_opens)
{
	static const sfr_handlers closing = {
		.on_open = close_in_open, .on_data = note_data, .on_close = count_close};
	sfr_loop *loop = loop_in(_i, "server.connections_max=1 server.when_full=wait");
	sfr_server *server;

	open_now = open_most = 0;
	server = serve(loop, &closing, &here);
	peers_come(server, 20);
	turns_until(loop, here.closed == 20);

	ck_assert_int_eq(open_most, 1);
	peers_go(20);
}
END_TEST

START_TEST(peers_that_wait_see_the_end_of_the_server)
{
	sfr_loop *loop = loop_in(_i, "server.connections_max=1 server.when_full=wait");
	sfr_server *server = serve_counting(loop);
	int i, r;

	peers_come(server, 20);
	turns_until(loop, here.opened);
	turns_until_quiet(loop);
	sfr_server_close(server);
	turns_until(loop, here.closed);

	ck_assert_int_eq(here.opened, 1);
	for (i = 0; i < 20; i++) {
		r = peer_end(loop, peers[i]);
		ck_assert(r == 0 || r == -ECONNRESET);
	}
	peers_go(20);
}
END_TEST

START_TEST(draining_ends_what_waits)
{
	sfr_loop *loop = loop_in(_i, "server.connections_max=1 server.when_full=wait");
	sfr_server *server = serve_counting(loop);
	int i, r;

	peers_come(server, 20);
	turns_until(loop, here.opened);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(here.opened, 1);
	ck_assert_uint_eq(stats_of_server(server).waiting, 0);
	for (i = 0; i < 20; i++) {
		r = peer_end(loop, peers[i]);
		ck_assert(r == 0 || r == -ECONNRESET);
	}
	peers_go(20);
}
END_TEST

START_TEST(without_descriptors_accepting_pauses_and_goes_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	struct rlimit limit, none;
	char heard[5];

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	peers_come(server, 2);
	none = limit;
	none.rlim_cur = (rlim_t)peers[1] + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	turns_until(loop, stats_of_server(server).pauses == 1);
	turns_until_quiet(loop);
	ck_assert_uint_eq(stats_of_server(server).pauses, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	peer_say(loop, peers[1], "hello", 5);
	peer_hear(loop, peers[1], heard, 5);

	peers_go(2);
}
END_TEST

/*
 * Statistics.
 */

static uint64_t ended(const sfr_server_stats *stats)
{
	return stats->ended_finished + stats->ended_closed + stats->ended_reset +
	       stats->ended_timed_out + stats->ended_slow + stats->ended_failed;
}

START_TEST(a_server_counts_bytes_and_why_connections_ended)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here),
		   *silent = serve(loop, &echo_all, &there);
	sfr_server_stats stats;
	char heard[5];
	int i;

	peers_come(server, 5);
	for (i = 0; i < 5; i++) {
		peer_say(loop, peers[i], "hello", 5);
		peer_hear(loop, peers[i], heard, 5);
	}
	close(peers[0]);
	peer_reset(peers[1]);
	turns_until(loop, here.closed == 2);
	sfr_conn_close(here.conn);
	turns_until(loop, here.closed == 3);

	stats = stats_of_server(server);
	ck_assert_uint_eq(stats.accepted, 5);
	ck_assert_uint_eq(stats.open, 2);
	ck_assert_uint_eq(stats.received, 25);
	ck_assert_uint_eq(stats.sent, 25);
	ck_assert_uint_eq(stats.ended_finished, 1);
	ck_assert_uint_eq(stats.ended_reset, 1);
	ck_assert_uint_eq(stats.ended_closed, 1);
	ck_assert_uint_eq(ended(&stats), 3);
	stats = stats_of_server(silent);
	ck_assert_uint_eq(stats.accepted + stats.received + stats.sent + ended(&stats), 0);
	for (i = 2; i < 5; i++)
		close(peers[i]);
}
END_TEST

static sfr_server *asked;

static void check_in_close(sfr_conn *conn, int reason, void *arg)
{
	sfr_server_stats stats = stats_of_server(asked);

	note_close(conn, reason, arg);
	ck_assert_uint_eq(stats.open + ended(&stats), stats.accepted);
	ck_assert_uint_eq(ended(&stats), (uint64_t)here.closed);
}

START_TEST(open_and_ended_are_accepted_in_on_close_too)
{
	static const sfr_handlers checking = {
		.on_open = note_open, .on_data = echo, .on_close = check_in_close};
	sfr_loop *loop = loop_in(_i, NULL);

	asked = serve(loop, &checking, &here);
	peers_come(asked, 3);
	turns_until(loop, here.opened == 3);
	peers_go(3);
	turns_until(loop, here.closed == 3);
}
END_TEST

START_TEST(counters_meet_programs_of_other_versions)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	struct {
		sfr_server_stats stats;
		uint64_t more[2];
	} larger;
	uint64_t smaller[3] = {77, 77, 77};

	peers_come(server, 1);
	turns_until(loop, here.opened);
	memset(&larger, 0xff, sizeof(larger));
	sfr_server_stats_get(server, &larger.stats, sizeof(larger));
	sfr_server_stats_get(server, (sfr_server_stats *)(void *)smaller, 2 * sizeof(uint64_t));

	ck_assert_uint_eq(larger.stats.accepted, 1);
	ck_assert_uint_eq(larger.more[0] | larger.more[1], 0);
	ck_assert_uint_eq(smaller[0], 1);
	ck_assert_uint_eq(smaller[1], 0);
	ck_assert_uint_eq(smaller[2], 77);
	peers_go(1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server limits");
	TCase *tcase = peers_case(suite, "limits");

	world_test(tcase, above_the_limit_peers_are_refused_counted_and_told_once);
	world_test(tcase, a_limit_is_told_again_after_half_have_gone);
	world_test(tcase, peers_may_wait_instead_and_all_are_served);
	world_test(tcase, one_connection_at_a_time_serves_all);
	world_test(tcase, peers_that_wait_are_served_though_each_is_closed_as_it_opens);
	world_test(tcase, peers_that_wait_see_the_end_of_the_server);
	world_test(tcase, draining_ends_what_waits);
	world_test(tcase, without_descriptors_accepting_pauses_and_goes_on);
	tcase = peers_case(suite, "statistics");
	world_test(tcase, a_server_counts_bytes_and_why_connections_ended);
	world_test(tcase, open_and_ended_are_accepted_in_on_close_too);
	world_test(tcase, counters_meet_programs_of_other_versions);
	return world_run(suite);
}

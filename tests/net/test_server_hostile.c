/* SPDX-License-Identifier: MIT */
/*
 * Peers that behave badly: they reset, stay silent, never read, come in masses, or leave at the worst
 * moment. The others are served all the same, and afterwards nothing is missing.
 */
#include "peers.h"
#include <errno.h>
#include <netinet/in.h>
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB 1024
#define MIB (1024 * KIB)

static char zeros[64 * KIB];

static void assert_deserted(sfr_loop *loop, const sfr_server *server, const struct told *told)
{
	turns_until_quiet(loop); /* those that wait are accepted */
	turns_until(loop, told->closed == told->opened);
	ck_assert_uint_eq(sfr_server_conns(server), 0);
	turns_until(loop, stat_held(loop) == 0);
}

/* The server is as new: nobody is there, every buffer and descriptor is back, and it serves. */
static void assert_recovered(sfr_loop *loop, const sfr_server *server, const struct told *told)
{
	struct swarm swarm = {.peers = 5, .bytes = 10000, .message = 1000, .window = 1000};
	int before;

	assert_deserted(loop, server, told);
	before = open_descriptors();
	swarm_run(&swarm, loop, server);
	assert_deserted(loop, server, told);
	ck_assert_int_eq(open_descriptors(), before);
}

/*
 * Resets.
 */

START_TEST(a_peer_may_reset_after_any_number_of_bytes_and_turns)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=16");
	sfr_server *server = serve(loop, &echo_all, &here);
	int bytes, turns, read;
	char heard[100];

	for (bytes = 0; bytes <= 64 * KIB; bytes = bytes * 5 + 1)
		for (turns = 0; turns < 5; turns++)
			for (read = 0; read < 2; read++) {
				int peer = peer_of(server), i;

				(void)!send(peer, zeros, (size_t)bytes, MSG_DONTWAIT);
				for (i = 0; i < turns; i++)
					(void)sfr_loop_step(loop, 0);
				if (read)
					(void)!recv(peer, heard, sizeof(heard), MSG_DONTWAIT);
				peer_reset(peer);
			}

	assert_recovered(loop, server, &here);
}
END_TEST

START_TEST(a_peer_may_reset_before_it_is_accepted)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	int i;

	for (i = 0; i < 50; i++)
		peer_reset(peer_of(server));

	assert_recovered(loop, server, &here);
}
END_TEST

/* Many messages wait for a peer that goes: while one send is in flight, and more are queued. */
static void say_much_in_open(sfr_conn *conn, void *arg)
{
	int i;

	note_open(conn, arg);
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(conn_say(conn, zeros, sizeof(zeros)), (int)sizeof(zeros));
}

static const sfr_handlers say_much = {say_much_in_open, echo, NULL, note_close};

START_TEST(a_peer_may_reset_in_the_middle_of_a_send)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &say_much, &here);
	int peers[20], i;

	for (i = 0; i < 20; i++)
		peers[i] = peer_of(server);
	turns_until(loop, here.opened == 20);
	turns_until_quiet(loop);
	for (i = 0; i < 20; i++)
		peer_reset(peers[i]);
	turns_until(loop, here.closed == 20);

	for (i = 0; i < 20; i++) /* -EPIPE: a send that got somewhere took note of the reset */
		ck_assert(here.reasons[i] == -ECONNRESET || here.reasons[i] == -EPIPE);
	assert_recovered(loop, serve(loop, &echo_all, &there), &there);
}
END_TEST

START_TEST(a_server_may_be_closed_while_50_connections_are_in_the_middle_of_a_send)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &say_much, &here);
	int peers[50], i;

	for (i = 0; i < 50; i++)
		peers[i] = peer_of(server);
	turns_until(loop, here.opened == 50);
	turns_until_quiet(loop);
	sfr_server_close(server);
	turns_until(loop, here.closed == 50);
	turns_until_quiet(loop);

	for (i = 0; i < 50; i++) {
		ck_assert_int_eq(here.reasons[i], -ECANCELED);
		close(peers[i]);
	}
	ck_assert_uint_eq(stat_held(loop), 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
}
END_TEST

START_TEST(a_loop_drains_while_50_connections_are_in_the_middle_of_a_send)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &say_much, &here);
	int peers[50], i;

	for (i = 0; i < 50; i++)
		peers[i] = peer_of(server);
	turns_until(loop, here.opened == 50);
	turns_until_quiet(loop);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(here.closed, 50);
	for (i = 0; i < 50; i++) {
		ck_assert_int_eq(here.reasons[i], -ECANCELED);
		close(peers[i]);
	}
}
END_TEST

/*
 * Peers that never read, never speak, or stop early.
 */

START_TEST(peers_that_send_nothing_hold_no_buffer)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=4");
	sfr_server *server = serve(loop, &echo_all, &here);
	struct swarm swarm = {.peers = 5, .bytes = 50000, .message = 1000, .window = 5000};
	int peers[200], i;

	for (i = 0; i < 200; i++)
		peers[i] = peer_of(server);
	turns_until(loop, here.opened == 200);
	turns_until_quiet(loop);
	ck_assert_uint_eq(stat_held(loop), 0);
	swarm_run(&swarm, loop, server);
	for (i = 0; i < 200; i++)
		close(peers[i]);

	assert_recovered(loop, server, &here);
}
END_TEST

START_TEST(a_peer_that_finishes_before_it_reads_hears_everything)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=8");
	sfr_server *server = serve(loop, &echo_all, &here);
	static unsigned char said[100 * KIB], heard[100 * KIB];
	int peers[10], i;

	for (i = 0; i < 10; i++) {
		pattern_fill(said, (unsigned)i, 0, sizeof(said));
		peers[i] = peer_of(server);
		peer_say(loop, peers[i], said, sizeof(said));
		peer_finish(peers[i]);
	}
	for (i = 0; i < 10; i++) {
		peer_hear(loop, peers[i], heard, sizeof(heard));
		ck_assert(pattern_is(heard, (unsigned)i, 0, sizeof(heard)));
		ck_assert_int_eq(peer_end(loop, peers[i]), 0);
		close(peers[i]);
	}
	turns_until(loop, here.closed == 10);
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(here.reasons[i], 0);

	assert_recovered(loop, server, &here);
}
END_TEST

static size_t queued_most; /* for one connection */

static void queued_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	conn_narrow(conn);
}

static void queued_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	echo(conn, result, buf, arg);
	if (sfr_conn_queued(conn) > queued_most)
		queued_most = sfr_conn_queued(conn);
}

static const sfr_handlers watch_queue = {queued_open, queued_data, note_drain, note_close};

static int never_reader(const sfr_server *server)
{
	int peer = peer_of(server);

	peer_narrow(peer);
	return peer;
}

/* Each never-reader says as much as it can, until the server takes no more of any. */
static void never_readers_press(sfr_loop *loop, const int *peers, int count)
{
	bool pressed = true;
	int i;

	while (pressed) {
		pressed = false;
		for (i = 0; i < count; i++)
			while (send(peers[i], zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL) >
			       0)
				pressed = true;
		turns_until_quiet(loop);
	}
}

/* When those that read nothing are ended. */
#define NEVER "server.slow_after=1000s "
#define SOON "server.slow_after=10ms "

static void never_readers_leave_the_others_alone(int world, const char *settings, int count)
{
	sfr_loop *loop = loop_in(world, settings);
	sfr_server *server = serve(loop, &watch_queue, &here);
	struct swarm swarm = {.peers = 10, .bytes = 20 * KIB, .message = 1024, .window = 1024};
	sfr_loop_stats stats;
	int peers[100], i;

	queued_most = 0;
	for (i = 0; i < count; i++)
		peers[i] = never_reader(server);
	never_readers_press(loop, peers, count);
	swarm_run(&swarm, loop, server);
	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	for (i = 0; i < count; i++)
		peer_reset(peers[i]);
	turns_until(loop, here.closed == here.opened);

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

/* A swarm that comes when the pool is taken already, in a loop that sleeps without limit: nothing but
 * the wait for slow peers can wake it. */
START_TEST(slow_peers_are_ended_when_nothing_else_happens)
{
	sfr_loop *loop = loop_in(_i, SOON "buffers.count=8 buffers.receive=1");
	sfr_server *server = serve(loop, &echo_all, &here);
	sfr_server *talker = serve(loop, &note_all, &there);
	struct swarm swarm = {.peers = 3, .bytes = 20 * KIB, .message = 1024, .window = 1024};
	int peer = never_reader(talker);
	sfr_buf *buf;

	turns_until(loop, there.opened);
	for (;;) { /* until the kernel takes no more, and the slab has none */
		buf = sfr_buf_get(loop, 0);
		if (!buf)
			break;
		buf->len = buf->cap;
		ck_assert_int_gt(sfr_conn_send(there.conn, buf), 0);
		(void)sfr_loop_step(loop, 0);
	}
	swarm_run(&swarm, loop, server);
	turns_until(loop, there.closed);
	ck_assert_int_eq(there.reason, -SFR_ESLOW);
	close(peer);

	assert_recovered(loop, server, &here);
}
END_TEST

/* What was said to many is held by the slowest when all others have heard it. */
START_TEST(those_that_never_read_what_all_hear_do_not_keep_the_buffers_of_it)
{
	sfr_loop *loop = loop_in(_i, SOON "buffers.count=8 buffers.receive=1");
	sfr_server *server = serve(loop, &echo_all, &here);
	sfr_server *talker = serve(loop, &note_all, &there);
	struct swarm swarm = {.peers = 3, .bytes = 20 * KIB, .message = 1024, .window = 1024};
	sfr_conn *conns[2];
	int peers[2], i;
	sfr_buf *buf;

	for (i = 0; i < 2; i++) {
		peers[i] = never_reader(talker);
		turns_until(loop, there.opened == i + 1);
		conns[i] = there.conn;
	}
	while ((buf = sfr_buf_get(loop, 0))) {
		buf->len = buf->cap;
		for (i = 0; i < 2; i++)
			ck_assert_int_gt(sfr_conn_send(conns[i], sfr_buf_share(buf)), 0);
		sfr_buf_release(buf);
		(void)sfr_loop_step(loop, 0);
	}
	swarm_run(&swarm, loop, server);
	turns_until(loop, there.closed == 2);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(there.reasons[i], -SFR_ESLOW);
		close(peers[i]);
	}

	assert_recovered(loop, server, &here);
}
END_TEST

/* The others were served meanwhile, from what was kept for them. */
START_TEST(a_peer_that_reads_late_hears_everything)
{
	sfr_loop *loop = loop_in(_i, NEVER "buffers.count=4");
	sfr_server *server = serve(loop, &echo_all, &here);
	static unsigned char said[2 * MIB], heard[2 * MIB];
	struct swarm swarm = {.peers = 3, .bytes = 20 * KIB, .message = 1024, .window = 1024};
	int peer = never_reader(server);
	size_t sent = 0;
	ssize_t n = 1;

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
 * Too many.
 */

START_TEST(connections_above_the_limit_are_refused_and_the_rest_is_served)
{
	sfr_loop *loop = loop_in(_i, "server.connections_max=5");
	sfr_server *server = serve(loop, &echo_all, &here);
	int peers[20], i;
	char heard[5];

	for (i = 0; i < 20; i++)
		peers[i] = peer_of(server);
	turns_until(loop, here.opened == 5);
	turns_until_quiet(loop);
	ck_assert_int_eq(here.opened, 5);
	ck_assert_uint_eq(sfr_server_conns(server), 5);
	for (i = 0; i < 5; i++) {
		peer_say(loop, peers[i], "hello", 5);
		peer_hear(loop, peers[i], heard, 5);
	}
	for (i = 5; i < 20; i++)
		ck_assert_int_eq(peer_end(loop, peers[i]), 0);
	for (i = 0; i < 20; i++)
		close(peers[i]);
	turns_until(loop, here.closed == 5);

	assert_recovered(loop, server, &here);
}
END_TEST

START_TEST(running_out_of_descriptors_is_survived)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	struct rlimit limit, tight;
	int peers[30], i;
	char heard[5];

	for (i = 0; i < 30; i++)
		peers[i] = peer_of(server);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = limit;
	tight.rlim_cur = (rlim_t)peers[29] + 1 + 10;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	turns_until_quiet(loop);
	ck_assert_int_ge(here.opened, 1);
	ck_assert_int_lt(here.opened, 30);
	for (i = 0; i < 30; i++) { /* each that leaves makes room for one that waits */
		peer_say(loop, peers[i], "hello", 5);
		peer_hear(loop, peers[i], heard, 5);
		close(peers[i]);
	}
	turns_until(loop, here.closed == 30);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

	assert_recovered(loop, server, &here);
}
END_TEST

static void stop_after_36(sfr_conn *conn, int reason, void *arg)
{
	struct told *told = arg;

	note_close(conn, reason, arg);
	if (told->closed == 36)
		sfr_loop_stop(sfr_conn_loop(conn));
}

/* Connections need operations; those for which there are none close, and say why, in a loop that
 * sleeps without limit. */
START_TEST(connections_for_which_there_are_no_operations_close_with_enomem)
{
	const sfr_handlers handlers = {note_open, echo, NULL, stop_after_36};
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	sfr_server *server = serve(loop, &handlers, &here);
	int peers[100], i;

	for (i = 0; i < 100; i++)
		peers[i] = peer_of(server);
	run_until_stopped(loop);
	turns_until(loop, here.opened == 100);
	turns_until_quiet(loop);
	for (i = 0; i < here.closed; i++)
		ck_assert_int_eq(here.reasons[i], -ENOMEM);
	for (i = 0; i < 100; i++)
		close(peers[i]);

	assert_recovered(loop, server, &here);
}
END_TEST

/*
 * Descriptors that are reused.
 */

/* Each peer has its own pattern: what arrives on a connection is of one peer, from its beginning. */
struct stream {
	unsigned id;
	uint64_t bytes;
};

static void stream_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	sfr_conn_set_data(conn, calloc(1, sizeof(struct stream)));
}

static void stream_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct stream *stream = sfr_conn_data(conn);
	uint32_t skip = 0;

	if (stream->bytes == 0 && buf) { /* the first bytes say who it is; they arrive together */
		ck_assert_uint_ge(buf->len, sizeof(stream->id));
		memcpy(&stream->id, buf->data, sizeof(stream->id));
		skip = sizeof(stream->id);
	}
	if (buf)
		ck_assert(pattern_is(buf->data + skip, stream->id, stream->bytes + skip,
				     buf->len - skip));
	stream->bytes += (uint64_t)result;
	echo(conn, result, buf, arg);
}

static void stream_close(sfr_conn *conn, int reason, void *arg)
{
	free(sfr_conn_data(conn));
	note_close(conn, reason, arg);
}

static int stream_peer(const sfr_server *server, unsigned id)
{
	unsigned char said[20000];
	int peer = peer_of(server);

	pattern_fill(said, id, 0, sizeof(said));
	memcpy(said, &id, sizeof(id));
	ck_assert_int_gt(send(peer, said, 4 + id * 7919 % (sizeof(said) - 4), MSG_DONTWAIT), 0);
	return peer;
}

static void stream_peer_leave(int peer, unsigned id, bool reset)
{
	unsigned char heard[20000], *at = heard;
	ssize_t n = recv(peer, heard, sizeof(heard), MSG_DONTWAIT);

	if (n >= 4) {
		ck_assert_mem_eq(heard, &id, sizeof(id));
		ck_assert(pattern_is(at + 4, id, 4, (size_t)n - 4));
	}
	if (reset)
		peer_reset(peer);
	else
		close(peer);
}

START_TEST(data_never_crosses_connections_however_descriptors_are_reused)
{
	const sfr_handlers handlers = {stream_open, stream_data, NULL, stream_close};
	sfr_loop *loop = loop_in(_i, "buffers.count=32 server.backlog=4096");
	sfr_server *server = serve(loop, &handlers, &here);
	int peers[16];
	unsigned id, seed = 1;

	for (id = 0; id < 2000; id++) {
		unsigned place = id % 16;

		if (id >= 16)
			stream_peer_leave(peers[place], id - 16, (seed = seed * 75 + 74) % 3 == 0);
		peers[place] = stream_peer(server, id);
		if (id % 3 == 0)
			(void)sfr_loop_step(loop, 0);
		if (id % 97 == 0 && here.conn)
			sfr_conn_close(here.conn);
	}
	for (; id < 2016; id++)
		stream_peer_leave(peers[id % 16], id - 16, false);
	turns_until(loop, here.opened > 1000);
	turns_until_quiet(loop);
	turns_until(loop, here.closed == here.opened);

	ck_assert_int_eq(here.closed, here.opened);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server hostile");
	TCase *tcase = peers_case(suite, "resets");

	world_test(tcase, a_peer_may_reset_after_any_number_of_bytes_and_turns);
	world_test(tcase, a_peer_may_reset_before_it_is_accepted);
	world_test(tcase, a_peer_may_reset_in_the_middle_of_a_send);
	world_test(tcase, a_server_may_be_closed_while_50_connections_are_in_the_middle_of_a_send);
	world_test(tcase, a_loop_drains_while_50_connections_are_in_the_middle_of_a_send);
	tcase = peers_case(suite, "peers that do not take part");
	world_test(tcase, peers_that_send_nothing_hold_no_buffer);
	world_test(tcase, a_peer_that_finishes_before_it_reads_hears_everything);
	world_test(tcase, one_peer_that_never_reads_does_not_keep_8_buffers_from_the_others);
	world_test(tcase, one_peer_that_never_reads_does_not_keep_a_whole_budget_from_the_others);
	world_test(tcase, a_hundred_peers_that_never_read_do_not_keep_64_buffers_from_the_others);
	world_test(tcase, slow_peers_are_ended_when_nothing_else_happens);
	world_test(tcase, those_that_never_read_what_all_hear_do_not_keep_the_buffers_of_it);
	world_test(tcase, a_peer_that_reads_late_hears_everything);
	tcase = peers_case(suite, "too many");
	world_test(tcase, connections_above_the_limit_are_refused_and_the_rest_is_served);
	world_test(tcase, running_out_of_descriptors_is_survived);
	world_test(tcase, connections_for_which_there_are_no_operations_close_with_enomem);
	tcase = peers_case(suite, "descriptors that are reused");
	world_test(tcase, data_never_crosses_connections_however_descriptors_are_reused);
	return world_run(suite);
}

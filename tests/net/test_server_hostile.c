/* SPDX-License-Identifier: MIT */
/*
 * Peers that behave badly: they reset, stay silent, come in masses, or leave at the worst moment. The others are served
 * all the same, and afterwards nothing is missing. Those that never read are in test_slow_readers.c.
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

static const sfr_handlers say_much = {
	.on_open = say_much_in_open, .on_data = echo, .on_close = note_close};

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
 * Peers that never speak, or stop early.
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
	const sfr_handlers handlers = {
		.on_open = note_open, .on_data = echo, .on_close = stop_after_36};
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
	const sfr_handlers handlers = {
		.on_open = stream_open, .on_data = stream_data, .on_close = stream_close};
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
	tcase = peers_case(suite, "too many");
	world_test(tcase, connections_above_the_limit_are_refused_and_the_rest_is_served);
	world_test(tcase, running_out_of_descriptors_is_survived);
	world_test(tcase, connections_for_which_there_are_no_operations_close_with_enomem);
	tcase = peers_case(suite, "descriptors that are reused");
	world_test(tcase, data_never_crosses_connections_however_descriptors_are_reused);
	return world_run(suite);
}

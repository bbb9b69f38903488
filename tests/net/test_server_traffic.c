/* SPDX-License-Identifier: MIT */
/*
 * Servers under volume: every byte arrives, once, in order, on its own connection.
 */
#include "peers.h"
#include <errno.h>

/* An echo server and a swarm of peers, from the first connection to the last on_close. */
static void echo_swarm(int world, const char *settings, struct swarm *swarm)
{
	sfr_loop *loop = loop_in(world, settings);
	sfr_server *server = serve(loop, &echo_all, &here);
	int i;

	swarm_run(swarm, loop, server);
	turns_until(loop, here.closed == swarm->peers);

	ck_assert_int_eq(here.opened, swarm->peers);
	ck_assert_uint_eq(here.bytes, (uint64_t)swarm->peers * swarm->bytes);
	for (i = 0; i < here.closed && i < COUNT_OF(here.reasons); i++)
		ck_assert_int_eq(here.reasons[i], 0);
	ck_assert_uint_eq(stat_held(loop), 0);
	ck_assert_uint_eq(sfr_server_conns(server), 0);
}

START_TEST(a_thousand_connections_echo_a_hundred_messages_each)
{
	struct swarm swarm = {.peers = 1000, .bytes = 102400, .message = 1024, .window = 1024};

	echo_swarm(_i, NULL, &swarm);
}
END_TEST

START_TEST(one_connection_echoes_100_mib)
{
	struct swarm swarm = {
		.peers = 1, .bytes = 100 << 20, .message = 65536, .window = 256 << 10};

	echo_swarm(_i, NULL, &swarm);
}
END_TEST

START_TEST(four_buffers_serve_200_connections)
{
	struct swarm swarm = {.peers = 200, .bytes = 20480, .message = 1024, .window = 4096};

	echo_swarm(_i, "buffers.count=4", &swarm);
}
END_TEST

START_TEST(one_buffer_serves_20_connections)
{
	struct swarm swarm = {.peers = 20, .bytes = 20480, .message = 1024, .window = 4096};

	echo_swarm(_i, "buffers.count=1", &swarm);
}
END_TEST

START_TEST(four_buffers_serve_200_peers_that_send_everything_before_they_read)
{
	struct swarm swarm = {
		.peers = 200, .bytes = 65536, .message = 4096, .window = 65536, .mute = true};

	echo_swarm(_i, "buffers.count=4", &swarm);
}
END_TEST

/*
 * Both ends on one loop. They queue everything at once: two ends that wait for each other above their
 * high-water marks would wait forever.
 */

#define VOLUME (10U << 20)

struct end {
	unsigned id;
	uint64_t heard;
};

static struct end ends[2] = {{.id = 1}, {.id = 2}};

static void end_open(sfr_conn *conn, void *arg)
{
	struct end *end = ((struct told *)arg)->more;
	uint64_t sent;

	note_open(conn, arg);
	sfr_conn_set_data(conn, end);
	for (sent = 0; sent < VOLUME; sent += 16384) {
		sfr_buf *buf = sfr_buf_get(sfr_conn_loop(conn), 16384); /* of the heap */

		ck_assert_ptr_nonnull(buf);
		pattern_fill(buf->data, end->id, sent, buf->len = 16384);
		ck_assert_int_eq(sfr_conn_send(conn, buf), 16384);
	}
	sfr_conn_shutdown(conn);
}

static void end_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct end *end = sfr_conn_data(conn), *peer = &ends[end == ends];

	if (buf)
		ck_assert(pattern_is(buf->data, peer->id, end->heard, buf->len));
	end->heard += (uint64_t)result;
	note_data(conn, result, buf, arg);
}

START_TEST(two_ends_on_one_loop_send_10_mib_to_each_other)
{
	const sfr_handlers handlers = {.on_open = end_open,
				       .on_data = end_data,
				       .on_end = note_end,
				       .on_drain = note_drain,
				       .on_close = note_close};
	sfr_loop *loop = loop_in(_i, "server.high_water=32MiB");

	ends[0].heard = ends[1].heard = 0;
	here.more = &ends[0];
	there.more = &ends[1];
	dial(loop, serve(loop, &handlers, &here), &handlers, &there);
	turns_until(loop, here.closed && there.closed);

	ck_assert_uint_eq(ends[0].heard, VOLUME);
	ck_assert_uint_eq(ends[1].heard, VOLUME);
	ck_assert_int_eq(here.reason, 0);
	ck_assert_int_eq(there.reason, 0);
	ck_assert_int_eq(here.finished + there.finished, 2);
}
END_TEST

static void first_words(sfr_conn *conn, void *arg)
{
	static unsigned char words[4096];

	note_open(conn, arg);
	pattern_fill(words, 1, 0, sizeof(words));
	ck_assert_int_eq(conn_say(conn, words, sizeof(words)), (int)sizeof(words));
}

static void send_back(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct told *told = arg;

	if (told->bytes + (uint64_t)result >= VOLUME)
		sfr_conn_close(conn);
	echo(conn, result, buf, arg);
}

START_TEST(buffers_go_round_and_round_between_two_ends_of_one_loop)
{
	const sfr_handlers dialling = {
		.on_open = first_words, .on_data = send_back, .on_close = note_close};
	sfr_loop *loop = loop_in(_i, "buffers.count=8");

	dial(loop, serve(loop, &echo_all, &here), &dialling, &there);
	turns_until(loop, here.closed && there.closed);

	ck_assert_uint_ge(there.bytes, VOLUME);
	ck_assert_int_eq(there.reason, -ECANCELED);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server traffic");
	TCase *tcase = peers_case(suite, "volume");

	world_test(tcase, a_thousand_connections_echo_a_hundred_messages_each);
	world_test(tcase, one_connection_echoes_100_mib);
	world_test(tcase, two_ends_on_one_loop_send_10_mib_to_each_other);
	world_test(tcase, buffers_go_round_and_round_between_two_ends_of_one_loop);
	tcase = peers_case(suite, "a pool that is too small");
	world_test(tcase, four_buffers_serve_200_connections);
	world_test(tcase, one_buffer_serves_20_connections);
	world_test(tcase, four_buffers_serve_200_peers_that_send_everything_before_they_read);
	return world_run(suite);
}

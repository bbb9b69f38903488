/* SPDX-License-Identifier: MIT */
/*
 * Options of one server or dial, beside those of its loop.
 */
#include "peers.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* What a configuration has for these. They are gone when the server or connection is there. */
static sfr_server *serve_with(int world, sfr_loop *loop, const char *settings)
{
	sfr_config *options = config_in(world, settings);
	sfr_server *server = NULL;
	int r = sfr_serve_with(loop, ANY_PORT, options, &echo_all, &here, &server);

	ck_assert_msg(r == 0, "%s", sfr_loop_refusal(loop));
	ck_assert_int_eq(sfr_config_set(options, "server.high_water", "1GiB", NULL), 0);
	ck_assert_int_eq(sfr_config_set(options, "server.connections_max", "1", NULL), 0);
	sfr_config_free(options);
	return server;
}

static sfr_conn *dial_with(int world, sfr_loop *loop, const char *settings,
			   const sfr_server *server)
{
	sfr_config *options = config_in(world, settings);
	sfr_conn *conn = NULL;
	int r = sfr_dial_with(loop, address_of(server), options, &note_all, &there, &conn);

	ck_assert_msg(r == 0, "%s", sfr_loop_refusal(loop));
	sfr_config_free(options);
	return conn;
}

#define LOW_MARKS "server.high_water=1KiB server.low_water=0"

static char much[32768];

START_TEST(a_server_has_marks_of_its_own)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *low = serve_with(_i, loop, LOW_MARKS), *usual = serve(loop, &echo_all, &here);

	dial(loop, usual, &note_all, &there);
	turns_until(loop, here.opened == 1);
	ck_assert_int_eq(conn_say(here.conn, much, sizeof(much)), sizeof(much));
	turns_until(loop, there.bytes == sizeof(much));
	ck_assert_int_eq(here.drained, 0);
	dial(loop, low, &note_all, &there);
	turns_until(loop, here.opened == 2);
	ck_assert_int_eq(conn_say(here.conn, much, sizeof(much)), sizeof(much));
	turns_until(loop, there.bytes == 2 * sizeof(much));

	ck_assert_int_eq(here.drained, 1);
}
END_TEST

START_TEST(a_dial_has_marks_and_limits_of_its_own)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	sfr_conn *low = dial_with(_i, loop, LOW_MARKS " server.queue_max=4KiB", server);
	sfr_conn *usual = dial(loop, server, &note_all, &there);

	turns_until(loop, there.opened == 2);
	ck_assert_int_eq(conn_say(usual, much, sizeof(much)), sizeof(much));
	turns_until(loop, there.bytes == sizeof(much));
	ck_assert_int_eq(there.drained, 0);
	ck_assert_int_eq(conn_say(low, much, 2048), 2048);
	turns_until(loop, there.bytes == sizeof(much) + 2048);
	ck_assert_int_eq(there.drained, 1);
	ck_assert_int_eq(conn_say(low, much, 8192), -ENOBUFS);
	turns_until(loop, there.closed);

	ck_assert_int_eq(there.reason, -ENOBUFS);
}
END_TEST

static int no_delay_of(const sfr_conn *conn)
{
	int value = -1;
	socklen_t size = sizeof(value);

	ck_assert_int_eq(getsockopt(sfr_conn_fd(conn), IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
	return value != 0;
}

START_TEST(what_is_asked_of_sockets_is_asked_of_these_alone)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *slow = serve_with(_i, loop, "server.no_delay=off");
	sfr_conn *usual = dial(loop, slow, &note_all, &there), *conn;

	turns_until(loop, here.opened == 1);
	ck_assert_int_eq(no_delay_of(here.conn), 0);
	ck_assert_int_eq(no_delay_of(usual), 1);
	conn = dial_with(_i, loop, "server.no_delay=off", serve(loop, &echo_all, &here));
	turns_until(loop, here.opened == 2);

	ck_assert_int_eq(no_delay_of(here.conn), 1);
	ck_assert_int_eq(no_delay_of(conn), 0);
}
END_TEST

START_TEST(a_server_counts_its_own_connections)
{
	sfr_loop *loop = loop_in(_i, "server.connections_max=1");
	sfr_server *server = serve_with(_i, loop, "server.connections_max=3");
	int peers[3], i;

	for (i = 0; i < 3; i++)
		peers[i] = peer_of(server);
	turns_until(loop, here.opened == 3);

	for (i = 0; i < 3; i++)
		close(peers[i]);
}
END_TEST

START_TEST(without_options_those_of_the_loop_are_in_force)
{
	sfr_loop *loop = loop_in(_i, LOW_MARKS);
	sfr_server *server;
	sfr_conn *conn;

	ck_assert_int_eq(sfr_serve_with(loop, ANY_PORT, NULL, &echo_all, &here, &server), 0);
	ck_assert_int_eq(sfr_dial_with(loop, address_of(server), NULL, &note_all, &there, &conn),
			 0);
	ck_assert_int_eq(conn_say(conn, much, sizeof(much)), sizeof(much));
	turns_until(loop, there.bytes == sizeof(much));

	ck_assert_int_eq(there.drained, 1);
	ck_assert_int_ge(here.drained, 1);
}
END_TEST

START_TEST(options_that_cannot_be_together_are_refused_in_words)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_config *options = config_in(_i, "server.low_water=512KiB");
	const char *words = "address " ANY_PORT ": options: server.low_water: server.low_water "
			    "must be less than server.high_water";

	ck_assert_int_eq(sfr_serve_with(loop, ANY_PORT, options, &echo_all, &here, NULL),
			 -SFR_ECONFIG);
	ck_assert_int_eq(strncmp(sfr_loop_refusal(loop), words, strlen(words)), 0);
	ck_assert_int_eq(sfr_dial_with(loop, ANY_PORT, options, &echo_all, &here, NULL),
			 -SFR_ECONFIG);
	ck_assert_int_eq(strncmp(sfr_loop_refusal(loop), words, strlen(words)), 0);
	sfr_config_free(options);
}
END_TEST

START_TEST(options_of_a_dial_that_is_refused_are_gone)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_config *options = config_in(_i, LOW_MARKS);

	ck_assert_int_eq(sfr_dial_with(loop, "tcp://[::1]", options, &echo_all, &here, NULL),
			 -EINVAL);
	sfr_config_free(options);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server options");
	TCase *tcase = peers_case(suite, "options");

	world_test(tcase, a_server_has_marks_of_its_own);
	world_test(tcase, a_dial_has_marks_and_limits_of_its_own);
	world_test(tcase, what_is_asked_of_sockets_is_asked_of_these_alone);
	world_test(tcase, a_server_counts_its_own_connections);
	world_test(tcase, without_options_those_of_the_loop_are_in_force);
	world_test(tcase, options_that_cannot_be_together_are_refused_in_words);
	world_test(tcase, options_of_a_dial_that_is_refused_are_gone);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Servers that stop listening while their connections stay, and those who go through the connections.
 */
#include "peers.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static void assert_echoes(sfr_loop *loop, int peer)
{
	char heard[5];

	peer_say(loop, peer, "hello", 5);
	peer_hear(loop, peer, heard, 5);
	ck_assert_mem_eq(heard, "hello", 5);
}

START_TEST(a_stopped_server_keeps_its_connections_and_gets_no_more)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	int peer = peer_of(server);
	char address[ADDRESS_SIZE];

	strcpy(address, address_of(server));
	turns_until(loop, here.opened);
	sfr_server_stop(server);
	turns_until_quiet(loop);
	ck_assert_int_eq(sfr_dial(loop, address, &note_all, &there, NULL), 0);
	turns_until(loop, there.closed);

	ck_assert_int_eq(there.reason, -ECONNREFUSED);
	ck_assert_uint_eq(sfr_server_conns(server), 1);
	ck_assert_int_eq(sfr_server_address(server, address, sizeof(address)), -EBADF);
	assert_echoes(loop, peer);
	close(peer);
}
END_TEST

START_TEST(who_connected_before_the_stop_is_served)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	int peers[20], i;

	for (i = 0; i < 20; i++)
		peers[i] = peer_of(server);
	sfr_server_stop(server);
	for (i = 0; i < 20; i++)
		assert_echoes(loop, peers[i]);

	ck_assert_int_eq(here.opened, 20);
	for (i = 0; i < 20; i++)
		close(peers[i]);
}
END_TEST

START_TEST(a_stopped_server_lets_a_loop_end_when_its_connections_have)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	int peer = peer_of(server);

	turns_until(loop, here.opened);
	sfr_server_stop(server);
	close(peer);
	run_until_stopped(loop);

	ck_assert_int_eq(here.closed, 1);
	sfr_server_stop(server);
	sfr_server_close(server);
}
END_TEST

START_TEST(a_stopped_server_is_closed_as_any_other)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	int peer = peer_of(server);

	turns_until(loop, here.opened);
	sfr_server_stop(server);
	sfr_server_close(server);
	turns_until(loop, here.closed);

	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(peer_end(loop, peer), 0);
	close(peer);
}
END_TEST

START_TEST(a_drained_server_may_be_stopped)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	int peer = peer_of(server);

	sfr_server_stop(server);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);
	sfr_server_stop(server);
	sfr_server_close(server);

	close(peer);
}
END_TEST

/* here.more is the server that is stopped, by its first connection. */
static void stop_once(struct told *told)
{
	sfr_server *server = told->more;

	told->more = NULL;
	if (server)
		sfr_server_stop(server);
}

static void stop_in_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	stop_once(arg);
}

static void stop_in_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	echo(conn, result, buf, arg);
	stop_once(arg);
}

static void stop_in_close(sfr_conn *conn, int reason, void *arg)
{
	note_close(conn, reason, arg);
	stop_once(arg);
}

START_TEST(a_server_may_be_stopped_in_any_handler_and_who_waits_is_served)
{
	static const sfr_handlers stopping[] = {
		{.on_open = stop_in_open, .on_data = echo, .on_close = note_close},
		{.on_open = note_open, .on_data = stop_in_data, .on_close = note_close},
		{.on_open = note_open, .on_data = echo, .on_close = stop_in_close}};
	sfr_loop *loop = loop_in(_i, NULL);
	int i, one, other_one;

	for (i = 0; i < COUNT_OF(stopping); i++) {
		sfr_server *server = serve(loop, &stopping[i], &here);

		here = (struct told){.more = server};
		one = peer_of(server);
		other_one = peer_of(server);
		assert_echoes(loop, one);
		close(one);
		assert_echoes(loop, other_one);
		close(other_one);
		turns_until(loop, here.closed == 2);
		ck_assert_ptr_null(here.more);
		sfr_server_close(server);
	}
}
END_TEST

/* What is taken may be somebody else's as well: a successor's, or that of who starts the program. */
START_TEST(the_backlog_of_a_descriptor_that_was_taken_is_left_to_others)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = owned_fd(peer_listen(8)), peer, accepted;
	sfr_server *server;

	ck_assert_int_eq(sfr_serve_fd(loop, dup(listener), &echo_all, &here, &server), 0);
	turns_until_quiet(loop);
	sfr_server_stop(server);
	turns_until_quiet(loop);
	peer = peer_at(listen_address(listener));
	turns_until_quiet(loop);
	accepted = accept(listener, NULL, NULL);

	ck_assert_int_ge(accepted, 0);
	ck_assert_int_eq(here.opened, 0);
	close(accepted);
	close(peer);
}
END_TEST

/*
 * Each.
 */

static int visits;

static void visit(sfr_conn *conn, void *arg)
{
	visits++;
	if (arg)
		sfr_conn_set_data(conn, arg);
}

START_TEST(each_open_connection_of_a_server_is_visited_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here), *two = serve(loop, &echo_all, &there);
	int peers[10], i;

	for (i = 0; i < 10; i++)
		peers[i] = peer_of(i < 7 ? server : two);
	turns_until(loop, here.opened == 7 && there.opened == 3);
	sfr_conn_close(there.conn);
	visits = 0;
	sfr_server_each(server, visit, &here);
	ck_assert_int_eq(visits, 7);
	ck_assert_ptr_eq(sfr_conn_data(here.conn), &here);
	sfr_server_each(two, visit, NULL);

	ck_assert_int_eq(visits, 9);
	for (i = 0; i < 10; i++)
		close(peers[i]);
}
END_TEST

static void visit_and_close(sfr_conn *conn, void *arg)
{
	(void)arg;
	visits++;
	sfr_conn_close(conn);
}

/* The one that is visited goes meanwhile, and the one after it. */
static void visit_and_wait(sfr_conn *conn, void *arg)
{
	sfr_loop *loop = sfr_conn_loop(conn);
	int *peers = arg, before = here.closed;

	visits++;
	sfr_conn_close(conn);
	close(peers[2 * visits - 1]);
	turns_until(loop, here.closed == before + 2);
}

START_TEST(who_is_visited_may_be_closed_and_turns_may_be_taken)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	int peers[10], i;

	for (i = 0; i < 10; i++) {
		peers[i] = peer_of(server);
		turns_until(loop, here.opened == i + 1);
	}
	visits = 0;
	sfr_server_each(server, visit_and_wait, peers);
	ck_assert_int_eq(visits, 5);
	ck_assert_int_eq(here.closed, 10);
	for (i = 0; i < 10; i += 2)
		close(peers[i]);

	peers[0] = peer_of(server);
	turns_until(loop, here.opened == 11);
	sfr_server_each(server, visit_and_close, NULL);
	sfr_server_each(server, visit_and_close, NULL);
	turns_until(loop, here.closed == 11);
	ck_assert_int_eq(visits, 6);
	close(peers[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server stop");
	TCase *tcase = peers_case(suite, "stop");

	world_test(tcase, a_stopped_server_keeps_its_connections_and_gets_no_more);
	world_test(tcase, who_connected_before_the_stop_is_served);
	world_test(tcase, a_stopped_server_lets_a_loop_end_when_its_connections_have);
	world_test(tcase, a_stopped_server_is_closed_as_any_other);
	world_test(tcase, a_drained_server_may_be_stopped);
	world_test(tcase, a_server_may_be_stopped_in_any_handler_and_who_waits_is_served);
	world_test(tcase, the_backlog_of_a_descriptor_that_was_taken_is_left_to_others);
	tcase = peers_case(suite, "each");
	world_test(tcase, each_open_connection_of_a_server_is_visited_once);
	world_test(tcase, who_is_visited_may_be_closed_and_turns_may_be_taken);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Servers and connections: how they open, how they close, and what handlers may do. What flows between
 * is the concern of test_server_send.c and test_server_flow.c.
 */
#include "peers.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <string.h>
#include <unistd.h>

/* An echo server with one peer, connected and served. */
static int echo_with_peer(sfr_loop *loop, struct told *told)
{
	int peer = peer_of(serve(loop, &echo_all, told));

	turns_until(loop, told->opened == 1);
	return peer;
}

/* Still in working order: a new peer of the server hears itself. */
static void assert_serves(sfr_loop *loop, const sfr_server *server)
{
	char heard[5];
	int peer = peer_of(server);

	peer_say(loop, peer, "still", 5);
	peer_hear(loop, peer, heard, 5);
	ck_assert_mem_eq(heard, "still", 5);
	close(peer);
}

/*
 * Reasons.
 */

START_TEST(a_peer_that_finishes_closes_its_connection_once_with_0)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = echo_with_peer(loop, &here);
	char heard[5];

	peer_say(loop, peer, "hello", 5);
	peer_hear(loop, peer, heard, 5);
	ck_assert_int_eq(here.closed, 0);
	close(peer);
	turns_until(loop, here.closed);
	turns_until_quiet(loop);

	ck_assert_mem_eq(heard, "hello", 5);
	ck_assert_int_eq(here.opened, 1);
	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, 0);
	ck_assert_int_eq(here.finished, 0);
}
END_TEST

START_TEST(sfr_conn_close_closes_with_ecanceled_and_not_inside_the_call)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = echo_with_peer(loop, &here);

	sfr_conn_close(here.conn);
	ck_assert_int_eq(here.closed, 0);
	turns_until(loop, here.closed);
	turns_until_quiet(loop);

	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(peer_end(loop, peer), 0);
	close(peer);
}
END_TEST

START_TEST(sfr_server_close_closes_every_connection_with_ecanceled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	int peers[20], i;

	for (i = 0; i < 20; i++)
		peers[i] = peer_of(server);
	turns_until(loop, here.opened == 20);
	ck_assert_uint_eq(sfr_server_conns(server), 20);
	sfr_server_close(server);
	ck_assert_int_eq(here.closed, 0);
	turns_until(loop, here.closed == 20);
	turns_until_quiet(loop);

	ck_assert_int_eq(here.closed, 20);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(here.reasons[i], -ECANCELED);
		ck_assert_int_eq(peer_end(loop, peers[i]), 0);
		close(peers[i]);
	}
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
}
END_TEST

START_TEST(a_closed_server_refuses_new_peers_and_its_address_is_free)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	char address[ADDRESS_SIZE];

	strcpy(address, address_of(server));
	sfr_server_close(server);
	turns_until_quiet(loop);
	ck_assert_int_eq(sfr_dial(loop, address, &echo_all, &here, NULL), 0);
	turns_until(loop, here.closed);

	ck_assert_int_eq(here.reason, -ECONNREFUSED);
	ck_assert_int_eq(sfr_serve(loop, address, &echo_all, &here, &server), 0);
	assert_serves(loop, server);
}
END_TEST

START_TEST(draining_the_loop_closes_connections_of_both_kinds_with_ecanceled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);

	dial(loop, server, &note_all, &there);
	turns_until(loop, here.opened && there.opened);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(there.closed, 1);
	ck_assert_int_eq(there.reason, -ECANCELED);
}
END_TEST

START_TEST(draining_closes_a_lone_connection)
{
	int listener = peer_listen(8);
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(sfr_dial(loop, listen_address(listener), &note_all, &here, NULL), 0);
	turns_until(loop, here.opened);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, -ECANCELED);
	close(listener);
}
END_TEST

START_TEST(a_server_can_be_closed_after_the_loop_was_drained)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here), *next;

	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);
	sfr_server_close(server);
	next = serve(loop, &echo_all, &here);

	assert_serves(loop, next);
}
END_TEST

START_TEST(a_peer_that_resets_closes_its_connection_with_econnreset)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = echo_with_peer(loop, &here);

	peer_reset(peer);
	turns_until(loop, here.closed);
	turns_until_quiet(loop);

	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, -ECONNRESET);
}
END_TEST

/*
 * Calls inside handlers.
 */

static void close_in_open(sfr_conn *conn, void *arg)
{
	struct told *told = arg;
	int closed = told->closed;

	note_open(conn, arg);
	sfr_conn_close(conn);
	ck_assert_int_eq(told->closed, closed);
}

START_TEST(a_connection_may_be_closed_in_on_open)
{
	sfr_handlers handlers = {
		.on_open = close_in_open, .on_data = note_data, .on_close = note_close};
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = peer_of(serve(loop, &handlers, &here));

	turns_until(loop, here.closed);

	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(peer_end(loop, peer), 0);
	close(peer);
}
END_TEST

static void close_twice_in_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct told *told = arg;

	note_data(conn, result, buf, arg);
	sfr_conn_close(conn);
	sfr_conn_close(conn);
	ck_assert_int_eq(told->closed, 0);
}

START_TEST(a_connection_closed_twice_in_on_data_closes_once_and_hears_no_more)
{
	sfr_handlers handlers = {
		.on_open = note_open, .on_data = close_twice_in_data, .on_close = note_close};
	sfr_loop *loop = loop_in(_i, NULL);
	static char much[65536];
	int peer = peer_of(serve(loop, &handlers, &here));

	peer_say(loop, peer, much, sizeof(much));
	turns_until(loop, here.closed);
	turns_until_quiet(loop);

	ck_assert_int_eq(here.received, 1);
	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, -ECANCELED);
	close(peer);
}
END_TEST

static sfr_buf *wrapped(sfr_loop *loop, size_t len)
{
	static char mem[65536];
	sfr_buf *buf = sfr_buf_wrap(loop, mem, sizeof(mem), note_release, NULL);

	ck_assert_ptr_nonnull(buf);
	buf->len = (uint32_t)len;
	return buf;
}

static void everything_in_close(sfr_conn *conn, int reason, void *arg)
{
	struct told *told = arg;

	ck_assert_int_eq(sfr_conn_send(conn, wrapped(sfr_conn_loop(conn), 9)), -ECANCELED);
	ck_assert_int_eq(sfr_conn_send(conn, NULL), -ECANCELED);
	sfr_conn_pause(conn);
	sfr_conn_resume(conn);
	sfr_conn_shutdown(conn);
	sfr_conn_close(conn);
	ck_assert_uint_eq(sfr_conn_queued(conn), 0);
	ck_assert_ptr_eq(sfr_conn_data(conn), told);
	note_close(conn, reason, arg);
}

static void adorn_in_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	ck_assert_ptr_null(sfr_conn_data(conn));
	sfr_conn_set_data(conn, arg);
}

START_TEST(a_send_in_on_close_is_refused_and_released_and_other_calls_do_nothing)
{
	sfr_handlers handlers = {
		.on_open = adorn_in_open, .on_data = echo, .on_close = everything_in_close};
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = peer_of(serve(loop, &handlers, &here)), before = releases;

	turns_until(loop, here.opened);
	close(peer);
	turns_until(loop, here.closed);
	turns_until_quiet(loop);

	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, 0);
	ck_assert_int_eq(releases - before, 1);
}
END_TEST

START_TEST(between_close_and_on_close_every_call_is_harmless)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = echo_with_peer(loop, &here), before = releases;
	sfr_conn *conn = here.conn;

	ck_assert_int_eq(sfr_conn_send(conn, wrapped(loop, 9)), 9);
	sfr_conn_close(conn);
	ck_assert_int_eq(sfr_conn_send(conn, wrapped(loop, 9)), -ECANCELED);
	ck_assert_int_eq(sfr_conn_send(conn, NULL), -ECANCELED);
	sfr_conn_pause(conn);
	sfr_conn_resume(conn);
	sfr_conn_shutdown(conn);
	turns_until(loop, here.closed);

	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(releases - before, 2);
	close(peer);
}
END_TEST

static void shutdown_in_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	sfr_conn_shutdown(conn);
}

START_TEST(a_connection_shut_down_in_on_open_still_receives)
{
	sfr_handlers handlers = {
		.on_open = shutdown_in_open, .on_data = note_data, .on_close = note_close};
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = peer_of(serve(loop, &handlers, &here));

	ck_assert_int_eq(peer_end(loop, peer), 0);
	peer_say(loop, peer, "hello", 5);
	turns_until(loop, here.bytes == 5);
	ck_assert_int_eq(here.closed, 0);
	close(peer);
	turns_until(loop, here.closed);

	ck_assert_int_eq(here.reason, 0);
}
END_TEST

/* here.more is the server that is closed. */
static void server_close_once(struct told *told)
{
	sfr_server *server = told->more;

	told->more = NULL;
	if (server)
		sfr_server_close(server);
}

static void server_close_in_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	server_close_once(arg);
}

static void server_close_in_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	note_data(conn, result, buf, arg);
	server_close_once(arg);
}

static void server_close_in_close(sfr_conn *conn, int reason, void *arg)
{
	note_close(conn, reason, arg);
	server_close_once(arg);
}

static void server_closes_itself(sfr_loop *loop, const sfr_handlers *handlers)
{
	sfr_server *server = serve(loop, handlers, &here);
	int one = peer_of(server), silent = peer_of(server);

	here = (struct told){.more = server};
	peer_say(loop, one, "hello", 5);
	peer_finish(one);
	turns_until(loop, !here.more && here.closed == here.opened);
	turns_until_quiet(loop);

	ck_assert_int_ge(here.opened, 1);
	ck_assert_int_eq(here.closed, here.opened);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	close(one);
	close(silent);
}

START_TEST(a_server_may_be_closed_in_any_handler_of_its_connections)
{
	const sfr_handlers in_open = {
		.on_open = server_close_in_open, .on_data = note_data, .on_close = note_close};
	const sfr_handlers in_data = {
		.on_open = note_open, .on_data = server_close_in_data, .on_close = note_close};
	const sfr_handlers in_close = {
		.on_open = note_open, .on_data = note_data, .on_close = server_close_in_close};
	sfr_loop *loop = loop_in(_i, NULL);

	server_closes_itself(loop, &in_open);
	server_closes_itself(loop, &in_data);
	server_closes_itself(loop, &in_close);
}
END_TEST

static void stop_in_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	sfr_loop_stop(sfr_conn_loop(conn));
}

static void stop_in_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	note_data(conn, result, buf, arg);
	sfr_loop_stop(sfr_conn_loop(conn));
}

static void stop_in_close(sfr_conn *conn, int reason, void *arg)
{
	note_close(conn, reason, arg);
	sfr_loop_stop(sfr_conn_loop(conn));
}

static const sfr_handlers stop_all = {
	.on_open = stop_in_open, .on_data = stop_in_data, .on_close = stop_in_close};

START_TEST(each_handler_may_stop_the_loop_which_then_runs_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = peer_of(serve(loop, &stop_all, &here));

	run_until_stopped(loop);
	ck_assert_int_eq(here.opened, 1);
	peer_say(loop, peer, "hello", 5);
	run_until_stopped(loop);
	ck_assert_int_eq(here.received, 1);
	close(peer);
	run_until_stopped(loop);

	ck_assert_int_eq(here.closed, 1);
}
END_TEST

/* The other end says hello and is gone. here.more is its listener. */
static void greet_in_open(sfr_conn *conn, void *arg)
{
	struct told *told = arg;
	int peer = accept(*(int *)told->more, NULL, NULL);

	note_open(conn, arg);
	ck_assert_int_eq(write(peer, "hello", 5), 5);
	close(peer);
}

/* Nothing but a dialled connection is on the loop: between its operations it is still something to
 * wait for. */
START_TEST(a_loop_with_one_dialled_connection_runs_until_that_is_closed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	const sfr_handlers handlers = {
		.on_open = greet_in_open, .on_data = note_data, .on_close = note_close};
	int listener = peer_listen(8);

	here.more = &listener;
	ck_assert_int_eq(sfr_dial(loop, listen_address(listener), &handlers, &here, NULL), 0);
	run_until_stopped(loop);

	ck_assert_int_eq(here.opened, 1);
	ck_assert_uint_eq(here.bytes, 5);
	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, 0);
	close(listener);
}
END_TEST

static void dial_again_in_close(sfr_conn *conn, int reason, void *arg)
{
	struct told *told = arg;

	note_close(conn, reason, arg);
	if (told->closed < 10) {
		const sfr_handlers again = {.on_open = note_open,
					    .on_data = note_data,
					    .on_close = dial_again_in_close};

		ck_assert_int_eq(sfr_dial(sfr_conn_loop(conn), told->more, &again, told, NULL), 0);
	}
}

START_TEST(a_connection_may_be_dialled_again_in_on_close)
{
	const sfr_handlers closing = {
		.on_open = close_in_open, .on_data = note_data, .on_close = note_close};
	const sfr_handlers again = {
		.on_open = note_open, .on_data = note_data, .on_close = dial_again_in_close};
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &closing, &here);

	there.more = (void *)(uintptr_t)address_of(server);
	dial(loop, server, &again, &there);
	turns_until(loop, there.closed == 10 && here.closed == here.opened);

	ck_assert_int_eq(there.opened, 10);
	ck_assert_int_eq(here.opened, 10);
}
END_TEST

START_TEST(handlers_may_all_be_missing)
{
	static const sfr_handlers none;
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &none, NULL);
	int peer = peer_of(server);

	dial(loop, server, &none, NULL);
	peer_say(loop, peer, "hello", 5);
	turns_until(loop, sfr_server_conns(server) == 2);
	turns_until_quiet(loop);

	ck_assert_uint_eq(stat_held(loop), 0);
	assert_serves(loop, serve(loop, &echo_all, &here));
	close(peer);
}
END_TEST

START_TEST(a_loop_with_open_connections_is_not_freed_and_still_works)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int peer = echo_with_peer(loop, &here);
	char heard[5];

	ck_assert_int_eq(sfr_loop_free(loop), -SFR_EOPSINFLIGHT);
	peer_say(loop, peer, "hello", 5);
	peer_hear(loop, peer, heard, 5);
	ck_assert_mem_eq(heard, "hello", 5);
	sfr_conn_close(here.conn);
	ck_assert_int_eq(sfr_loop_free(loop), -SFR_EOPSINFLIGHT);
	turns_until(loop, here.closed);

	ck_assert_int_eq(here.closed, 1);
	close(peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *tcase = peers_case(suite, "closing");

	world_test(tcase, a_peer_that_finishes_closes_its_connection_once_with_0);
	world_test(tcase, sfr_conn_close_closes_with_ecanceled_and_not_inside_the_call);
	world_test(tcase, sfr_server_close_closes_every_connection_with_ecanceled);
	world_test(tcase, a_closed_server_refuses_new_peers_and_its_address_is_free);
	world_test(tcase, draining_the_loop_closes_connections_of_both_kinds_with_ecanceled);
	world_test(tcase, draining_closes_a_lone_connection);
	world_test(tcase, a_server_can_be_closed_after_the_loop_was_drained);
	world_test(tcase, a_peer_that_resets_closes_its_connection_with_econnreset);
	world_test(tcase, a_loop_with_open_connections_is_not_freed_and_still_works);
	tcase = peers_case(suite, "calls inside handlers");
	world_test(tcase, a_connection_may_be_closed_in_on_open);
	world_test(tcase, a_connection_closed_twice_in_on_data_closes_once_and_hears_no_more);
	world_test(tcase, a_send_in_on_close_is_refused_and_released_and_other_calls_do_nothing);
	world_test(tcase, between_close_and_on_close_every_call_is_harmless);
	world_test(tcase, a_connection_shut_down_in_on_open_still_receives);
	world_test(tcase, a_server_may_be_closed_in_any_handler_of_its_connections);
	world_test(tcase, a_connection_may_be_dialled_again_in_on_close);
	world_test(tcase, handlers_may_all_be_missing);
	tcase = peers_case(suite, "running");
	world_test(tcase, each_handler_may_stop_the_loop_which_then_runs_on);
	world_test(tcase, a_loop_with_one_dialled_connection_runs_until_that_is_closed);
	return world_run(suite);
}

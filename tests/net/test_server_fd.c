/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that a program has already become servers and connections.
 */
#include "peers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How a program names a descriptor that it inherited. */
static int serve_number(sfr_loop *loop, int fd, sfr_server **out)
{
	char address[ADDRESS_SIZE];

	snprintf(address, sizeof(address), "fd:%d", fd);
	return sfr_serve(loop, address, &echo_all, &here, out);
}

static void assert_said(sfr_loop *loop, int fd, const char *why)
{
	char words[256];

	snprintf(words, sizeof(words), "descriptor %d: %s", fd, why);
	ck_assert_str_eq(sfr_loop_refusal(loop), words);
}

static void assert_refused(sfr_loop *loop, int fd, int err, const char *why)
{
	ck_assert_int_eq(serve_number(loop, fd, NULL), err);
	assert_said(loop, fd, why);
	ck_assert_int_eq(sfr_serve_fd(loop, fd, &echo_all, &here, NULL), err);
	assert_said(loop, fd, why);
}

static void assert_not_adopted(sfr_loop *loop, int fd, int err, const char *why)
{
	ck_assert_int_eq(sfr_conn_adopt(loop, fd, &echo_all, &here, NULL), err);
	assert_said(loop, fd, why);
}

START_TEST(a_listening_descriptor_is_served_under_the_name_it_has)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = peer_listen(8), early;
	char address[ADDRESS_SIZE], heard[5];
	sfr_server *server;

	strcpy(address, listen_address(listener));
	early = peer_at(address);
	ck_assert_int_eq(serve_number(loop, listener, &server), 0);
	ck_assert_str_eq(address_of(server), address);
	peer_say(loop, early, "hello", 5);
	peer_hear(loop, early, heard, 5);

	ck_assert_mem_eq(heard, "hello", 5);
	close(early);
}
END_TEST

START_TEST(a_descriptor_that_is_served_does_not_block_and_is_not_inherited_further)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = peer_listen(8);

	ck_assert_int_eq(fcntl(listener, F_SETFD, 0), 0);
	ck_assert_int_eq(serve_number(loop, listener, NULL), 0);

	ck_assert(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(listener, F_GETFL) & O_NONBLOCK);
}
END_TEST

START_TEST(a_descriptor_that_is_served_is_closed_with_the_server)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = peer_listen(8);
	sfr_server *server;

	ck_assert_int_eq(serve_number(loop, listener, &server), 0);
	sfr_server_close(server);
	turns_until_quiet(loop);

	ck_assert_int_eq(fcntl(listener, F_GETFD), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(what_does_not_listen_is_refused_in_words_and_stays_the_callers)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int stream = owned_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int datagrams = owned_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	int read_end, write_end, none = dup(stream);

	pair_of_pipe_ends(&read_end, &write_end);
	close(none);
	assert_refused(loop, none, -EBADF, strerror(EBADF));
	assert_refused(loop, read_end, -ENOTSOCK, strerror(ENOTSOCK));
	assert_refused(loop, stream, -EINVAL, "it does not listen");
	assert_refused(loop, datagrams, -EINVAL, "it does not listen");

	ck_assert_int_ne(fcntl(read_end, F_GETFD), -1);
	ck_assert_int_ne(fcntl(stream, F_GETFD), -1);
}
END_TEST

START_TEST(a_listener_of_packets_is_refused)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int packets = owned_fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	struct sockaddr unnamed = {.sa_family = AF_UNIX};

	ck_assert_int_eq(bind(packets, &unnamed, sizeof(unnamed.sa_family)), 0);
	ck_assert_int_eq(listen(packets, 1), 0);

	assert_refused(loop, packets, -EINVAL, "it is no stream");
}
END_TEST

START_TEST(a_descriptor_is_served_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = peer_listen(8);
	sfr_server *server;
	char heard[5];
	int peer;

	ck_assert_int_eq(serve_number(loop, listener, &server), 0);
	assert_refused(loop, listener, -EBUSY, "another server of this loop has it");
	peer = peer_of(server);
	peer_say(loop, peer, "hello", 5);
	peer_hear(loop, peer, heard, 5);

	close(peer);
}
END_TEST

START_TEST(a_descriptor_is_not_dialled)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(sfr_dial(loop, "fd:0", &note_all, &there, NULL), -EINVAL);
	ck_assert_str_eq(sfr_loop_refusal(loop), "address fd:0: a descriptor is not dialled; "
						 "sfr_conn_adopt() takes one that is connected");
}
END_TEST

START_TEST(a_descriptor_is_served_without_an_address)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server;
	char heard[5];
	int peer;

	ck_assert_int_eq(sfr_serve_fd(loop, peer_listen(8), &echo_all, &here, &server), 0);
	peer = peer_of(server);
	peer_say(loop, peer, "hello", 5);
	peer_hear(loop, peer, heard, 5);

	close(peer);
}
END_TEST

/* Two ends: the first is for the connection, the second is returned, and the test closes it. */
static int peer_of_pair(int *out)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	*out = ends[0];
	return ends[1];
}

START_TEST(an_adopted_connection_opens_in_the_next_turn_and_then_serves)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd, peer = peer_of_pair(&fd);
	char heard[5];
	sfr_conn *conn;

	ck_assert_int_eq(sfr_conn_adopt(loop, fd, &echo_all, &here, &conn), 0);
	ck_assert_int_eq(here.opened, 0);
	turns_until(loop, here.opened);
	ck_assert_ptr_eq(here.conn, conn);
	peer_say(loop, peer, "hello", 5);
	peer_hear(loop, peer, heard, 5);
	close(peer);
	turns_until(loop, here.closed);

	ck_assert_int_eq(here.reason, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(a_loop_with_nothing_but_an_adopted_connection_runs)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd, peer = peer_of_pair(&fd);

	ck_assert_int_eq(sfr_conn_adopt(loop, fd, &note_all, &here, NULL), 0);
	close(peer);
	run_until_stopped(loop);

	ck_assert_int_eq(here.opened, 1);
	ck_assert_int_eq(here.closed, 1);
}
END_TEST

START_TEST(what_is_sent_before_on_open_is_sent)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd, peer = peer_of_pair(&fd);
	char heard[5];
	sfr_conn *conn;

	ck_assert_int_eq(sfr_conn_adopt(loop, fd, &echo_all, &here, &conn), 0);
	ck_assert_int_eq(conn_say(conn, "early", 5), 5);
	peer_hear(loop, peer, heard, 5);

	ck_assert_mem_eq(heard, "early", 5);
	close(peer);
}
END_TEST

START_TEST(what_is_closed_before_on_open_has_on_close_alone)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd, peer = peer_of_pair(&fd);
	sfr_conn *conn;

	ck_assert_int_eq(sfr_conn_adopt(loop, fd, &echo_all, &here, &conn), 0);
	sfr_conn_close(conn);
	ck_assert_int_eq(here.closed, 0);
	turns_until(loop, here.closed);
	ck_assert_int_eq(here.opened, 0);
	ck_assert_int_eq(here.reason, -ECANCELED);
	ck_assert_int_eq(peer_end(loop, peer), 0);
	close(peer);

	peer = peer_of_pair(&fd);
	ck_assert_int_eq(sfr_conn_adopt(loop, fd, &echo_all, &here, NULL), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);
	ck_assert_int_eq(here.closed, 2);
	ck_assert_int_eq(here.opened, 0);
	close(peer);
}
END_TEST

START_TEST(what_is_no_connected_stream_is_not_adopted_and_stays_the_callers)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int stream = owned_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int datagrams = owned_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	int listener = owned_fd(peer_listen(1));
	int read_end, write_end, none = dup(stream);

	pair_of_pipe_ends(&read_end, &write_end);
	close(none);
	assert_not_adopted(loop, none, -EBADF, strerror(EBADF));
	assert_not_adopted(loop, read_end, -ENOTSOCK, strerror(ENOTSOCK));
	assert_not_adopted(loop, stream, -ENOTCONN, strerror(ENOTCONN));
	assert_not_adopted(loop, listener, -ENOTCONN, strerror(ENOTCONN));
	assert_not_adopted(loop, datagrams, -EINVAL, "it is no stream");

	turns_until_quiet(loop);
	ck_assert_int_ne(fcntl(read_end, F_GETFD), -1);
	ck_assert_int_ne(fcntl(stream, F_GETFD), -1);
}
END_TEST

static int fd_in_close;

static void ask_for_the_fd(sfr_conn *conn, int reason, void *arg)
{
	note_close(conn, reason, arg);
	fd_in_close = sfr_conn_fd(conn);
}

START_TEST(a_connection_shows_its_descriptor_until_it_has_none)
{
	static const sfr_handlers asking = {
		.on_open = note_open, .on_data = note_data, .on_close = ask_for_the_fd};
	sfr_loop *loop = loop_in(_i, NULL);
	int fd, peer = peer_of_pair(&fd);
	sfr_conn *conn;

	ck_assert_int_eq(fcntl(fd, F_SETFD, 0), 0);
	ck_assert_int_eq(sfr_conn_adopt(loop, fd, &asking, &here, &conn), 0);
	ck_assert_int_eq(sfr_conn_fd(conn), fd);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	sfr_conn_close(conn);
	turns_until(loop, here.closed);

	ck_assert_int_eq(fd_in_close, -ENOTCONN);
	close(peer);
}
END_TEST

static void adopt_while_draining(sfr_conn *conn, int reason, void *arg)
{
	sfr_loop *loop = sfr_conn_loop(conn);
	int fd, peer = peer_of_pair(&fd), listener = owned_fd(peer_listen(1));

	note_close(conn, reason, arg);
	assert_not_adopted(loop, owned_fd(fd), -ECANCELED, "the loop is draining");
	ck_assert_int_eq(sfr_serve_fd(loop, listener, &echo_all, &here, NULL), -ECANCELED);
	assert_said(loop, listener, "the loop is draining");
	close(peer);
}

START_TEST(a_loop_that_drains_takes_no_descriptors)
{
	static const sfr_handlers adopting = {
		.on_open = note_open, .on_data = note_data, .on_close = adopt_while_draining};
	sfr_loop *loop = loop_in(_i, NULL);
	int fd, peer = peer_of_pair(&fd);

	ck_assert_int_eq(sfr_conn_adopt(loop, fd, &adopting, &here, NULL), 0);
	turns_until(loop, here.opened);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(here.closed, 1);
	close(peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server descriptors");
	TCase *tcase = peers_case(suite, "listeners");

	world_test(tcase, a_listening_descriptor_is_served_under_the_name_it_has);
	world_test(tcase, a_descriptor_that_is_served_does_not_block_and_is_not_inherited_further);
	world_test(tcase, a_descriptor_that_is_served_is_closed_with_the_server);
	world_test(tcase, a_descriptor_is_served_once);
	world_test(tcase, a_descriptor_is_served_without_an_address);
	tcase = peers_case(suite, "refusals");
	world_test(tcase, what_does_not_listen_is_refused_in_words_and_stays_the_callers);
	world_test(tcase, a_listener_of_packets_is_refused);
	world_test(tcase, a_descriptor_is_not_dialled);
	world_test(tcase, what_is_no_connected_stream_is_not_adopted_and_stays_the_callers);
	world_test(tcase, a_loop_that_drains_takes_no_descriptors);
	tcase = peers_case(suite, "connections");
	world_test(tcase, an_adopted_connection_opens_in_the_next_turn_and_then_serves);
	world_test(tcase, a_loop_with_nothing_but_an_adopted_connection_runs);
	world_test(tcase, what_is_sent_before_on_open_is_sent);
	world_test(tcase, what_is_closed_before_on_open_has_on_close_alone);
	world_test(tcase, a_connection_shows_its_descriptor_until_it_has_none);
	return world_run(suite);
}

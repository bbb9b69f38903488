/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that a program has already become servers.
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

static void assert_refused(sfr_loop *loop, int fd, int err, const char *why)
{
	char words[256];

	snprintf(words, sizeof(words), "descriptor %d: %s", fd, why);
	ck_assert_int_eq(serve_number(loop, fd, NULL), err);
	ck_assert_str_eq(sfr_loop_refusal(loop), words);
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

int main(void)
{
	Suite *suite = suite_create("server descriptors");
	TCase *tcase = peers_case(suite, "listeners");

	world_test(tcase, a_listening_descriptor_is_served_under_the_name_it_has);
	world_test(tcase, a_descriptor_that_is_served_does_not_block_and_is_not_inherited_further);
	world_test(tcase, a_descriptor_that_is_served_is_closed_with_the_server);
	world_test(tcase, a_descriptor_is_served_once);
	tcase = peers_case(suite, "refusals");
	world_test(tcase, what_does_not_listen_is_refused_in_words_and_stays_the_callers);
	world_test(tcase, a_listener_of_packets_is_refused);
	world_test(tcase, a_descriptor_is_not_dialled);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Sockets: send, receive, accept, connect, shut down.
 */
#include "world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int new_socket(void)
{
	return owned_fd(socket(AF_INET, SOCK_STREAM, 0));
}

static int connect_to(const struct sockaddr_in *addr)
{
	int fd = new_socket();

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	return fd;
}

static sfr_op *connect_op(sfr_loop *loop, int fd, const void *addr, size_t size)
{
	return sfr_connect(loop, fd, addr, (socklen_t)size);
}

/*
 * Send and receive.
 */

START_TEST(what_is_sent_is_received)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	pair_of_sockets(&a, &b);
	sfr_submit(sfr_recv(loop, b, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_send(loop, a, sfr_buf_from(loop, "hello", 5)), NULL), 5);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 5);
	ck_assert_uint_eq(seen.buf->len, 5);
	ck_assert_mem_eq(seen.buf->data, "hello", 5);
}
END_TEST

START_TEST(a_receive_takes_no_more_than_there_is_room_for)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=64");
	int a, b, i;
	sfr_buf *buf;

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(send(a, (char[100]){0}, 100, 0), 100);
	for (i = 0; i < 2; i++) {
		int expected = i ? 36 : 64;

		ck_assert_int_eq(sfr_await(sfr_recv(loop, b, sfr_buf_get(loop, 64)), &buf),
				 expected);
		ck_assert_uint_eq(buf->len, (unsigned)expected);
		sfr_buf_release(buf);
	}
}
END_TEST

START_TEST(the_end_of_a_stream_is_zero)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf;
	int a, b;

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_shutdown(loop, a, SHUT_WR), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, b, sfr_buf_get(loop, 64)), &buf), 0);
	ck_assert_uint_eq(buf->len, 0);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(an_empty_datagram_is_zero_and_not_the_end)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	owned_fd(fds[0]);
	owned_fd(fds[1]);
	ck_assert_int_eq(sfr_await(sfr_send(loop, fds[0], sfr_buf_get(loop, 1)), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_send(loop, fds[0], sfr_buf_from(loop, "x", 1)), NULL), 1);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, fds[1], sfr_buf_get(loop, 64)), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, fds[1], sfr_buf_get(loop, 64)), NULL), 1);
}
END_TEST

START_TEST(a_send_to_nobody_is_epipe_and_no_signal)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	signal(SIGPIPE, SIG_DFL);
	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(dup2(0, b), b); /* closes the peer */

	ck_assert_int_eq(sfr_await(sfr_send(loop, a, sfr_buf_from(loop, "x", 1)), NULL), -EPIPE);
}
END_TEST

START_TEST(a_socket_that_is_not_connected_says_so)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = new_socket();

	ck_assert_int_eq(sfr_await(sfr_recv(loop, fd, sfr_buf_get(loop, 64)), NULL), -ENOTCONN);
	ck_assert_int_eq(sfr_await(sfr_send(loop, fd, sfr_buf_from(loop, "x", 1)), NULL), -EPIPE);
	ck_assert_int_eq(sfr_await(sfr_shutdown(loop, fd, SHUT_WR), NULL), -ENOTCONN);
}
END_TEST

START_TEST(a_nonblocking_socket_is_waited_for_all_the_same)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(fcntl(a, F_SETFL, O_NONBLOCK), 0);
	sfr_submit(sfr_recv(loop, a, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(send(b, "x", 1, 0), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 1);
}
END_TEST

/*
 * Shutdown.
 */

START_TEST(a_shutdown_ends_one_direction_or_both)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;
	char byte;

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_shutdown(loop, a, SHUT_WR), NULL), 0);
	ck_assert_int_eq(recv(b, &byte, 1, 0), 0);
	ck_assert_int_eq(send(b, "x", 1, 0), 1);
	ck_assert_int_eq(recv(a, &byte, 1, 0), 1);
	ck_assert_int_eq(sfr_await(sfr_shutdown(loop, a, SHUT_RDWR), NULL), 0);
	ck_assert_int_eq(recv(a, &byte, 1, 0), 0);
}
END_TEST

START_TEST(a_shutdown_of_what_is_no_socket_fails)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b;

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_shutdown(loop, empty_file(), SHUT_WR), NULL), -ENOTSOCK);
	ck_assert_int_eq(sfr_await(sfr_shutdown(loop, -1, SHUT_WR), NULL), -EBADF);
	ck_assert_int_eq(sfr_await(sfr_shutdown(loop, a, 17), NULL), -EINVAL);
}
END_TEST

/*
 * Accept.
 */

static void assert_connection(int fd)
{
	ck_assert_int_ge(fd, 0);
	owned_fd(fd);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

START_TEST(an_accepted_descriptor_works_and_is_closed_on_exec)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 8), caller, fd;
	char byte;

	caller = connect_to(&addr);
	fd = sfr_await(sfr_accept(loop, listener), NULL);
	assert_connection(fd);

	ck_assert_int_eq(send(caller, "x", 1, 0), 1);
	ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
}
END_TEST

START_TEST(an_accept_waits_for_a_caller)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;

	sfr_submit(sfr_accept(loop, listening_socket(&addr, 8)), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(seen.calls, 0);
	connect_to(&addr);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	assert_connection(seen.result);
}
END_TEST

START_TEST(an_accept_on_what_does_not_listen_fails_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	const struct {
		int fd, err;
	} bad[] = {{new_socket(), -EINVAL}, {empty_file(), -ENOTSOCK}, {-1, -EBADF}};
	size_t i;

	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(sfr_await(sfr_accept(loop, bad[i].fd), NULL), bad[i].err);
		sfr_submit(sfr_accept_multi(loop, bad[i].fd), record, &seen);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, (int)i + 1);
		ck_assert_int_eq(seen.result, bad[i].err);
	}
}
END_TEST

static void keep_connection(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result >= 0)
		assert_connection(result);
	record(loop, result, buf, arg);
}

START_TEST(a_multishot_accept_goes_on_until_cancelled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 64), i, round;
	sfr_ticket ticket = sfr_submit(sfr_accept_multi(loop, listener), keep_connection, &seen);

	for (round = 1; round <= 4; round++) {
		for (i = 0; i < 20; i++)
			connect_to(&addr);
		turn_until(loop, &seen.calls, 20 * round);
		ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
	}
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 81);
	ck_assert_int_eq(seen.result, -ECANCELED);
	connect_to(&addr);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(seen.calls, 81);
}
END_TEST

START_TEST(without_descriptors_a_multishot_accept_ends_and_another_goes_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 8), caller = new_socket();
	struct rlimit limit, tight;

	if (under_valgrind()) /* its limits are its own: the kernel does not know of them */
		return;
	/* The limit counts that was there when the op was submitted. */
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	tight = (struct rlimit){(rlim_t)caller + 1, limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
	sfr_submit(sfr_accept_multi(loop, listener), keep_connection, &seen);
	ck_assert_int_eq(connect(caller, (struct sockaddr *)&addr, sizeof(addr)), 0);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(seen.result, -EMFILE);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);

	sfr_submit(sfr_accept_multi(loop, listener), keep_connection, &other);
	turn_until(loop, &other.calls, 1);
	ck_assert_int_ge(other.result, 0);
}
END_TEST

START_TEST(connections_of_a_multishot_accept_nobody_watches_are_closed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 8), caller, i;

	sfr_submit(sfr_accept_multi(loop, listener), NULL, NULL);
	for (i = 0; i < 5; i++) {
		caller = connect_to(&addr);
		sfr_submit(sfr_recv(loop, caller, sfr_buf_get(loop, 1)), record, &seen);
		turn_until(loop, &seen.calls, i + 1);
		ck_assert_int_eq(seen.result, 0);
	}
}
END_TEST

/*
 * Connect.
 */

START_TEST(a_connect_that_is_accepted_is_zero)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int fd = new_socket();

	listening_socket(&addr, 8);
	ck_assert_int_eq(sfr_await(connect_op(loop, fd, &addr, sizeof(addr)), NULL), 0);
	ck_assert_int_eq(sfr_await(connect_op(loop, fd, &addr, sizeof(addr)), NULL), -EISCONN);
}
END_TEST

START_TEST(a_connect_to_nobody_is_refused)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 8);

	ck_assert_int_eq(dup2(0, listener), listener); /* closes it */
	ck_assert_int_eq(sfr_await(connect_op(loop, new_socket(), &addr, sizeof(addr)), NULL),
			 -ECONNREFUSED);
}
END_TEST

START_TEST(a_connect_speaks_ipv6)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t size = sizeof(addr);
	int listener = socket(AF_INET6, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		printf("skip - no IPv6 here\n");
		close(listener);
		return;
	}
	owned_fd(listener);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &size), 0);

	ck_assert_int_eq(sfr_await(connect_op(loop, owned_fd(socket(AF_INET6, SOCK_STREAM, 0)),
					      &addr, sizeof(addr)),
				   NULL),
			 0);
}
END_TEST

START_TEST(a_bad_address_is_reported_to_the_callback)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr = {.sin_family = AF_INET};
	struct sockaddr_in strange = {.sin_family = 250};
	char large[sizeof(struct sockaddr_storage) + 1] = {0};

	ck_assert_int_eq(sfr_await(connect_op(loop, new_socket(), NULL, 16), NULL), -EINVAL);
	ck_assert_int_eq(sfr_await(connect_op(loop, new_socket(), large, sizeof(large)), NULL),
			 -EINVAL);
	ck_assert_int_eq(sfr_await(connect_op(loop, new_socket(), &addr, 3), NULL), -EINVAL);
	ck_assert_int_eq(sfr_await(connect_op(loop, new_socket(), &strange, sizeof(strange)), NULL),
			 -EAFNOSUPPORT);
	ck_assert_int_eq(sfr_await(connect_op(loop, empty_file(), &addr, sizeof(addr)), NULL),
			 -ENOTSOCK);
	ck_assert_int_eq(sfr_await(connect_op(loop, -1, &addr, sizeof(addr)), NULL), -EBADF);
}
END_TEST

START_TEST(the_copy_of_an_address_is_nobodys_buffer)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;

	listening_socket(&addr, 8);
	sfr_submit(connect_op(loop, new_socket(), &addr, sizeof(addr)), record, &seen);
	sfr_op_discard(connect_op(loop, new_socket(), &addr, sizeof(addr)));
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	ck_assert_ptr_null(seen.buf);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("op_net");
	TCase *tc = world_case(suite, "send and receive");

	world_test(tc, what_is_sent_is_received);
	world_test(tc, a_receive_takes_no_more_than_there_is_room_for);
	world_test(tc, the_end_of_a_stream_is_zero);
	world_test(tc, an_empty_datagram_is_zero_and_not_the_end);
	world_test(tc, a_send_to_nobody_is_epipe_and_no_signal);
	world_test(tc, a_socket_that_is_not_connected_says_so);
	world_test(tc, a_nonblocking_socket_is_waited_for_all_the_same);
	tc = world_case(suite, "shutdown");
	world_test(tc, a_shutdown_ends_one_direction_or_both);
	world_test(tc, a_shutdown_of_what_is_no_socket_fails);
	tc = world_case(suite, "accept");
	world_test(tc, an_accepted_descriptor_works_and_is_closed_on_exec);
	world_test(tc, an_accept_waits_for_a_caller);
	world_test(tc, an_accept_on_what_does_not_listen_fails_once);
	world_test(tc, a_multishot_accept_goes_on_until_cancelled);
	world_test(tc, without_descriptors_a_multishot_accept_ends_and_another_goes_on);
	world_test(tc, connections_of_a_multishot_accept_nobody_watches_are_closed);
	tc = world_case(suite, "connect");
	world_test(tc, a_connect_that_is_accepted_is_zero);
	world_test(tc, a_connect_to_nobody_is_refused);
	world_test(tc, a_connect_speaks_ipv6);
	world_test(tc, a_bad_address_is_reported_to_the_callback);
	world_test(tc, the_copy_of_an_address_is_nobodys_buffer);
	return world_run(suite);
}

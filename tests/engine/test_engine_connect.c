/* SPDX-License-Identifier: MIT */
/*
 * Accepting, connecting and polling on every engine.
 */
#include "engine_world.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_in addr; /* of the listener */
static int listener;

static void engine_and_listener(int number)
{
	engine_in(number, NULL);
	listener = listening_socket(&addr, 64);
}

static void does_not_block(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_SETFL, fd_flags(fd) | O_NONBLOCK), 0);
}

static int tcp_socket(void)
{
	return owned_fd(socket(AF_INET, SOCK_STREAM, 0));
}

static int peer_connects(void)
{
	int fd = tcp_socket();

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void accept_next(int name, int flags)
{
	io_uring_prep_accept(sqe_next(), listener, NULL, NULL, flags);
	sqe_is(name, 0);
}

static void connect_next(int name, int fd)
{
	io_uring_prep_connect(sqe_next(), fd, (struct sockaddr *)&addr, sizeof(addr));
	sqe_is(name, 0);
}

/* Whether the two are the ends of one connection. */
static bool are_connected(int a, int b)
{
	char byte = 0;

	return write(a, "x", 1) == 1 && read(b, &byte, 1) == 1 && byte == 'x';
}

/*
 * Accepting.
 */

START_TEST(accepting_waits_for_a_connection_whether_the_listener_blocks_or_not)
{
	int flags, i, peer;

	engine_and_listener(_i);
	for (i = 0; i < 2; i++) {
		flags = fd_flags(listener);
		accept_next(A, 0);
		collect(0);
		ck_assert(is_pending(A));
		ck_assert_int_eq(fd_flags(listener), flags);

		peer = peer_connects();
		collect(1);
		ck_assert(are_connected(peer, owned_fd(result_of(A))));
		ck_assert_int_eq(fd_flags(listener), flags);
		does_not_block(listener);
	}
}
END_TEST

START_TEST(accepted_descriptors_are_as_the_flags_say)
{
	engine_and_listener(_i);
	does_not_block(listener);
	peer_connects();
	peer_connects();
	accept_next(A, 0);
	accept_next(B, SOCK_CLOEXEC | SOCK_NONBLOCK);
	collect(2);

	ck_assert_int_eq(fcntl(owned_fd(result_of(A)), F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(fd_flags(result_of(A)) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(owned_fd(result_of(B)), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fd_flags(result_of(B)) & O_NONBLOCK, O_NONBLOCK);
}
END_TEST

START_TEST(accepting_tells_who_it_is)
{
	struct sockaddr_in from = {0}, expected;
	socklen_t size = sizeof(from), expected_size = sizeof(expected);
	int peer;

	engine_and_listener(_i);
	io_uring_prep_accept(sqe_next(), listener, (struct sockaddr *)&from, &size, 0);
	sqe_is(A, 0);
	collect(0);
	peer = peer_connects();
	collect(1);

	owned_fd(result_of(A));
	ck_assert_int_eq(getsockname(peer, (struct sockaddr *)&expected, &expected_size), 0);
	ck_assert_uint_eq(size, expected_size);
	ck_assert_mem_eq(&from, &expected, sizeof(from));
}
END_TEST

START_TEST(who_does_not_listen_cannot_accept)
{
	engine_in(_i, NULL);
	listener = tcp_socket();
	accept_next(A, 0);
	collect(1);

	ck_assert_int_eq(result_of(A), -EINVAL);
}
END_TEST

START_TEST(one_accept_can_deliver_many)
{
	const struct outcome *many = outcome_of(A);
	int peers[8], i;

	engine_and_listener(_i);
	peers[0] = peer_connects();
	io_uring_prep_multishot_accept(sqe_next(), listener, NULL, NULL, SOCK_CLOEXEC);
	sqe_is(A, 0);
	collect(1);
	for (i = 1; i < 8; i++)
		peers[i] = peer_connects();
	collect(7);

	for (i = 0; i < 8; i++) {
		ck_assert_uint_ne(many->flags[i] & IORING_CQE_F_MORE, 0);
		ck_assert(are_connected(peers[i], owned_fd(many->results[i])));
		ck_assert_int_eq(fcntl(many->results[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	}
	ck_assert(is_pending(A));

	sqe_cancel(A);
	sqe_is(CANCEL, 0);
	collect(2);
	ck_assert_int_eq(result_of(CANCEL), 0);
	ck_assert(many->over);
	ck_assert_int_eq(many->results[8], -ECANCELED);
}
END_TEST

START_TEST(whoever_waits_already_is_accepted_by_it)
{
	const struct outcome *many = outcome_of(A);
	int i;

	engine_and_listener(_i);
	for (i = 0; i < 40; i++)
		peer_connects();
	io_uring_prep_multishot_accept(sqe_next(), listener, NULL, NULL, 0);
	sqe_is(A, 0);
	collect(40);

	ck_assert(is_pending(A));
	for (i = 0; i < 40; i++)
		owned_fd(many->results[i]);
}
END_TEST

/* Where completions overflow it may end at any time, and is asked for again. */
START_TEST(a_full_completion_queue_costs_no_connection)
{
	const struct outcome *many = outcome_of(A);
	int accepted, peers[30], i, fd;

	engine_in(_i, "ring.entries=8 ring.cq_entries=8");
	listener = listening_socket(&addr, 64);
	io_uring_prep_multishot_accept(sqe_next(), listener, NULL, NULL, 0);
	sqe_is(A, 0);
	collect(0);
	for (i = 0; i < 30; i++)
		peers[i] = peer_connects();
	for (accepted = i = 0; accepted < 30; accepted++) {
		if (many->over && i == many->calls) {
			io_uring_prep_multishot_accept(sqe_next(), listener, NULL, NULL, 0);
			sqe_is(A, 0);
			i = 0;
		}
		if (i == many->calls)
			collect_some();
		fd = owned_fd(many->results[i++]);
		ck_assert(are_connected(peers[accepted], fd));
	}
}
END_TEST

START_TEST(who_may_not_have_more_descriptors_accepts_later)
{
	struct rlimit limit, none;
	int peer;

	if (under_valgrind()) /* which keeps this limit to itself */
		return;
	engine_and_listener(_i);
	peer = peer_connects();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){3, limit.rlim_max};
	accept_next(A, 0);
	io_uring_prep_multishot_accept(sqe_next(), listener, NULL, NULL, 0);
	sqe_is(B, 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	collect(2);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(result_of(A), -EMFILE);
	ck_assert_int_eq(result_of(B), -EMFILE);

	accept_next(A, 0);
	collect(1);
	ck_assert(are_connected(peer, owned_fd(result_of(A))));
}
END_TEST

START_TEST(an_accept_that_delivers_many_ends_with_an_error)
{
	engine_and_listener(_i);
	io_uring_prep_multishot_accept(sqe_next(), listener, NULL, NULL, 0);
	sqe_is(A, 0);
	collect(0);
	ck_assert_int_eq(shutdown(listener, SHUT_RDWR), 0);
	collect(1);

	ck_assert_int_eq(result_of(A), -EINVAL);
}
END_TEST

/*
 * Connecting.
 */

START_TEST(connecting_waits_whether_the_socket_blocks_or_not_and_does_not_change_it)
{
	int i, fd, flags;

	engine_and_listener(_i);
	for (i = 0; i < 2; i++) {
		fd = tcp_socket();
		if (i)
			does_not_block(fd);
		flags = fd_flags(fd);
		connect_next(A, fd);
		accept_next(B, 0);
		collect(2);

		ck_assert_int_eq(result_of(A), 0);
		ck_assert(are_connected(fd, owned_fd(result_of(B))));
		ck_assert_int_eq(fd_flags(fd), flags);
	}
}
END_TEST

START_TEST(a_connection_can_be_refused)
{
	int i, fd;

	engine_and_listener(_i);
	fd_empty(listener);
	for (i = 0; i < 2; i++) {
		fd = tcp_socket();
		if (i)
			does_not_block(fd);
		connect_next(A, fd);
		collect(1);
		ck_assert_int_eq(result_of(A), -ECONNREFUSED);
	}
}
END_TEST

START_TEST(one_can_connect_once)
{
	int fd;

	engine_and_listener(_i);
	fd = peer_connects();
	connect_next(A, fd);
	collect(1);

	ck_assert_int_eq(result_of(A), -EISCONN);
}
END_TEST

START_TEST(the_address_is_read_when_the_entry_is_taken)
{
	engine_and_listener(_i);
	connect_next(A, tcp_socket());
	collect_now();
	if (!differs("small_arguments"))
		addr = (struct sockaddr_in){0};
	collect(is_pending(A));

	ck_assert_int_eq(result_of(A), 0);
}
END_TEST

/* A socket that blocks, and one that does not. */
static int tcp_socket_of_kind(int kind)
{
	int fd = tcp_socket();

	if (kind)
		does_not_block(fd);
	return fd;
}

static int connected(int fd)
{
	connect_next(A, fd);
	collect(1);
	return result_of(A);
}

START_TEST(one_that_was_refused_can_connect_once_somebody_listens)
{
	socklen_t size = sizeof(addr);
	int kind, fd, i;

	engine_in(_i, NULL);
	for (kind = 0; kind < 2; kind++) {
		listener = tcp_socket();
		addr = (struct sockaddr_in){.sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
		ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&addr, &size), 0);
		fd = tcp_socket_of_kind(kind);
		for (i = 0; i < 3; i++)
			ck_assert_int_eq(connected(fd), -ECONNREFUSED);

		ck_assert_int_eq(listen(listener, 4), 0);
		ck_assert_int_eq(connected(fd), 0);
		accept_next(B, 0);
		collect(1);
		ck_assert(are_connected(fd, owned_fd(result_of(B))));
	}
}
END_TEST

/* Somebody connects by hand, and fetches the error. */
START_TEST(what_a_refusal_left_behind_does_not_answer_the_next)
{
	socklen_t size = sizeof(int);
	int fd, error = 0;

	engine_and_listener(_i);
	fd_empty(listener);
	fd = tcp_socket_of_kind(1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -1);
	ck_assert(errno == EINPROGRESS || errno == ECONNREFUSED);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);

	ck_assert_int_eq(connected(fd), -ECONNREFUSED);
}
END_TEST

START_TEST(one_that_connected_here_is_connected)
{
	int kind, fd;

	engine_and_listener(_i);
	for (kind = 0; kind < 2; kind++) {
		fd = tcp_socket_of_kind(kind);
		ck_assert_int_eq(connected(fd), 0);
		ck_assert_int_eq(connected(fd), -EISCONN);
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), -1);
		ck_assert_int_eq(errno, EISCONN);
	}
}
END_TEST

START_TEST(one_that_disconnects_can_connect_anew)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int kind, fd;

	engine_and_listener(_i);
	for (kind = 0; kind < 2; kind++) {
		fd = tcp_socket_of_kind(kind);
		ck_assert_int_eq(connected(fd), 0);
		io_uring_prep_connect(sqe_next(), fd, &nobody, sizeof(nobody));
		sqe_is(A, 0);
		collect(1);
		ck_assert_int_eq(result_of(A), 0);
		ck_assert_int_eq(connected(fd), 0);
	}
}
END_TEST

static bool is_connecting(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
	       info.tcpi_state == TCP_SYN_SENT;
}

/* It goes on by itself: the kernel has no way to stop that, but to disconnect. */
START_TEST(a_connect_that_was_given_up_is_still_in_progress)
{
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int kind, fd, i;

	engine_in(_i, NULL);
	listener = listening_socket(&addr, 0);
	for (i = 0; i < 2; i++) { /* the backlog is full, and nobody answers any more */
		fd = tcp_socket_of_kind(1);
		(void)connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	}
	for (kind = 0; kind < 2; kind++) {
		fd = tcp_socket_of_kind(kind);
		connect_next(B, fd);
		do
			collect(0);
		while (!is_connecting(fd));
		sqe_cancel(B);
		sqe_is(CANCEL, 0);
		collect(2);
		ck_assert_int_eq(result_of(B), -ECANCELED);

		ck_assert_int_eq(connected(fd), -EALREADY);
		ck_assert_int_eq(connect(fd, &nobody, sizeof(nobody)), 0);
	}
}
END_TEST

/* A Unix socket without a file; `backlog` below zero: nobody listens. */
static struct sockaddr_un *unix_address(int backlog)
{
	static struct sockaddr_un un;

	un = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "safer-ring-test-%d", (int)getpid());
	listener = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0));
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
	if (backlog >= 0)
		ck_assert_int_eq(listen(listener, backlog), 0);
	return &un;
}

START_TEST(unix_sockets_connect)
{
	struct sockaddr *un;
	int fd;

	engine_in(_i, NULL);
	un = (struct sockaddr *)unix_address(4);
	fd = owned_fd(socket(AF_UNIX, SOCK_STREAM, 0));
	io_uring_prep_connect(sqe_next(), fd, un, sizeof(struct sockaddr_un));
	sqe_is(A, 0);
	accept_next(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 0);
	ck_assert(are_connected(fd, owned_fd(result_of(B))));
}
END_TEST

START_TEST(unix_sockets_refuse)
{
	struct sockaddr *un;

	engine_in(_i, NULL);
	un = (struct sockaddr *)unix_address(-1);
	io_uring_prep_connect(sqe_next(), owned_fd(socket(AF_UNIX, SOCK_STREAM, 0)), un,
			      sizeof(struct sockaddr_un));
	sqe_is(A, 0);
	collect(1);

	ck_assert_int_eq(result_of(A), -ECONNREFUSED);
}
END_TEST

/*
 * Polling.
 */

static void poll_next(int name, int fd, unsigned events)
{
	io_uring_prep_poll_add(sqe_next(), fd, events);
	sqe_is(name, 0);
}

START_TEST(polling_waits_for_what_it_asks_and_says_what_it_is)
{
	int near, far;

	engine_in(_i, NULL);
	pair_of_unix_sockets(&near, &far);
	poll_next(A, near, POLLIN);
	poll_next(B, near, POLLIN | POLLOUT);
	collect(1);
	ck_assert_int_eq(result_of(B), POLLOUT);
	ck_assert(is_pending(A));

	ck_assert_int_eq(write(far, "x", 1), 1);
	collect(1);
	ck_assert_int_eq(result_of(A), POLLIN);
	ck_assert_int_eq(bytes_waiting(near), 1);
}
END_TEST

START_TEST(what_is_there_already_is_reported_again)
{
	int near, far, i;

	engine_in(_i, NULL);
	pair_of_unix_sockets(&near, &far);
	ck_assert_int_eq(write(far, "x", 1), 1);
	for (i = 0; i < 3; i++) {
		poll_next(A, near, POLLIN);
		collect(1);
		ck_assert_int_eq(result_of(A), POLLIN);
	}
}
END_TEST

START_TEST(the_end_is_reported_even_if_nobody_asks)
{
	int read_end, write_end;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	poll_next(A, read_end, 0);
	collect(0);
	ck_assert(is_pending(A));
	fd_empty(write_end);
	poll_next(B, read_end, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), POLLHUP);
	ck_assert_int_eq(result_of(B), POLLHUP);
}
END_TEST

START_TEST(files_are_always_ready)
{
	engine_in(_i, NULL);
	poll_next(A, file_with("abc"), POLLIN);
	poll_next(B, empty_file(), POLLIN | POLLOUT);
	collect(2);

	ck_assert_int_eq(result_of(A), POLLIN);
	ck_assert_int_eq(result_of(B), POLLIN | POLLOUT);
}
END_TEST

START_TEST(several_can_poll_one_descriptor)
{
	int near, far;

	engine_in(_i, NULL);
	pair_of_unix_sockets(&near, &far);
	poll_next(A, near, POLLIN);
	poll_next(B, near, POLLIN);
	poll_next(C, near, POLLPRI);
	collect(0);
	ck_assert_int_eq(write(far, "x", 1), 1);
	collect(2);

	ck_assert_int_eq(result_of(A), POLLIN);
	ck_assert_int_eq(result_of(B), POLLIN);
	ck_assert(is_pending(C));
}
END_TEST

START_TEST(one_may_poll_for_both_directions_apart)
{
	static char full[4096];
	int near, far;

	engine_in(_i, NULL);
	pair_of_unix_sockets(&near, &far);
	while (send(near, full, sizeof(full), MSG_DONTWAIT) > 0)
		;
	poll_next(A, near, POLLIN);
	poll_next(B, near, POLLOUT);
	collect(0);
	ck_assert_int_eq(write(far, "x", 1), 1);
	collect(1);
	ck_assert_int_eq(result_of(A) & POLLIN, POLLIN);
	ck_assert(is_pending(B));

	while (recv(far, full, sizeof(full), MSG_DONTWAIT) > 0)
		;
	collect(1);
	ck_assert_int_eq(result_of(B) & POLLOUT, POLLOUT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine connect");
	TCase *tc = engine_case(suite, "accepting");

	engine_test(tc, accepting_waits_for_a_connection_whether_the_listener_blocks_or_not);
	engine_test(tc, accepted_descriptors_are_as_the_flags_say);
	engine_test(tc, accepting_tells_who_it_is);
	engine_test(tc, who_does_not_listen_cannot_accept);
	engine_test(tc, one_accept_can_deliver_many);
	engine_test(tc, whoever_waits_already_is_accepted_by_it);
	engine_test(tc, a_full_completion_queue_costs_no_connection);
	engine_test(tc, who_may_not_have_more_descriptors_accepts_later);
	engine_test(tc, an_accept_that_delivers_many_ends_with_an_error);
	tc = engine_case(suite, "connecting");
	engine_test(tc, connecting_waits_whether_the_socket_blocks_or_not_and_does_not_change_it);
	engine_test(tc, a_connection_can_be_refused);
	engine_test(tc, one_can_connect_once);
	engine_test(tc, one_that_was_refused_can_connect_once_somebody_listens);
	engine_test(tc, what_a_refusal_left_behind_does_not_answer_the_next);
	engine_test(tc, one_that_connected_here_is_connected);
	engine_test(tc, one_that_disconnects_can_connect_anew);
	engine_test(tc, a_connect_that_was_given_up_is_still_in_progress);
	engine_test(tc, the_address_is_read_when_the_entry_is_taken);
	engine_test(tc, unix_sockets_connect);
	engine_test(tc, unix_sockets_refuse);
	tc = engine_case(suite, "polling");
	engine_test(tc, polling_waits_for_what_it_asks_and_says_what_it_is);
	engine_test(tc, what_is_there_already_is_reported_again);
	engine_test(tc, the_end_is_reported_even_if_nobody_asks);
	engine_test(tc, files_are_always_ready);
	engine_test(tc, several_can_poll_one_descriptor);
	engine_test(tc, one_may_poll_for_both_directions_apart);
	return engine_run(suite);
}

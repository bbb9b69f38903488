/* SPDX-License-Identifier: MIT */
/*
 * Files on which something waits for ever: an empty pipe, a full one, a listener without guests.
 * The fixture of the world closes them all.
 */
#include "pending.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int empty_pipe(void)
{
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	return read_end;
}

int full_pipe(void)
{
	static const char block[4096];
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(fcntl(write_end, F_SETFL, O_NONBLOCK), 0);
	while (write(write_end, block, sizeof(block)) > 0)
		;
	ck_assert_int_eq(fcntl(write_end, F_SETFL, 0), 0);
	return write_end;
}

int full_socket(void)
{
	static const char block[4096];
	int a, b;

	pair_of_unix_sockets(&a, &b);
	while (send(a, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	return a;
}

static int idle_socket(void)
{
	int a, b;

	pair_of_sockets(&a, &b);
	return a;
}

static int idle_listener(void)
{
	struct sockaddr_in addr;

	return listening_socket(&addr, 16);
}

sfr_op *pending_read(sfr_loop *loop)
{
	return sfr_read(loop, empty_pipe(), sfr_buf_get(loop, 64));
}

static sfr_op *pending_read_at(sfr_loop *loop)
{
	return sfr_read_at(loop, empty_pipe(), sfr_buf_get(loop, 64), 7);
}

static sfr_op *pending_write(sfr_loop *loop)
{
	return sfr_write(loop, full_pipe(), sfr_buf_from(loop, "more", 4));
}

static sfr_op *pending_recv(sfr_loop *loop)
{
	return sfr_recv(loop, idle_socket(), sfr_buf_get(loop, 64));
}

static sfr_op *pending_send(sfr_loop *loop)
{
	return sfr_send(loop, full_socket(), sfr_buf_from(loop, "more", 4));
}

static sfr_op *pending_accept(sfr_loop *loop)
{
	return sfr_accept(loop, idle_listener());
}

/* Registered files of a loop: an idle socket, and places that are used once each. */
static int names[256], names_used;

static const int *names_of(sfr_loop *loop)
{
	int fds[256], i;

	for (i = 1; i < 256; i++)
		fds[i] = -1;
	fds[0] = idle_socket();
	if (sfr_files_register(loop, fds, 256, names) == 0) /* else they are there */
		names_used = 1;
	return names;
}

static sfr_op *pending_recv_by_name(sfr_loop *loop)
{
	return sfr_recv(loop, names_of(loop)[0], sfr_buf_get(loop, 64));
}

static sfr_op *pending_accept_into(sfr_loop *loop)
{
	const int *places = names_of(loop);
	sfr_op *op = sfr_accept(loop, idle_listener());

	return names_used < 256 ? sfr_into(op, places[names_used++]) : op;
}

static sfr_op *pending_accept_multi(sfr_loop *loop)
{
	return sfr_accept_multi(loop, idle_listener());
}

static sfr_op *pending_recv_multi(sfr_loop *loop)
{
	return sfr_recv_multi(loop, idle_socket());
}

/* To a listener whose queue is full: the system neither accepts nor refuses. */
static sfr_op *pending_connect(sfr_loop *loop)
{
	struct sockaddr_in addr;
	int first = owned_fd(socket(AF_INET, SOCK_STREAM, 0));

	listening_socket(&addr, 0);
	ck_assert_int_eq(connect(first, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return sfr_connect(loop, owned_fd(socket(AF_INET, SOCK_STREAM, 0)),
			   (struct sockaddr *)&addr, sizeof(addr));
}

static sfr_op *pending_timeout(sfr_loop *loop)
{
	return sfr_timeout(loop, UINT64_MAX);
}

static sfr_op *pending_interval(sfr_loop *loop)
{
	return sfr_interval(loop, UINT64_MAX);
}

static sfr_op *pending_poll(sfr_loop *loop)
{
	return sfr_poll(loop, empty_pipe(), POLLIN);
}

/* A connection whose peer does not read. */
static int full_connection(void)
{
	static const char block[65536];
	const int little = 4096;
	int a, b, tries;

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(setsockopt(a, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
	ck_assert_int_eq(setsockopt(b, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
	for (tries = 0; tries < 3; tries++) { /* what was on its way makes room for some more */
		struct pollfd writable = {.fd = a, .events = POLLOUT};

		while (send(a, block, sizeof(block), MSG_DONTWAIT) > 0)
			tries = 0;
		(void)poll(&writable, 1, 10);
	}
	return a;
}

static sfr_op *pending_send_zc(sfr_loop *loop)
{
	return sfr_send_zc(loop, full_connection(), sfr_buf_from(loop, "more", 4));
}

static int idle_datagram_socket(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static sfr_op *pending_sendto(sfr_loop *loop)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	owned_fd(fds[0]);
	owned_fd(fds[1]);
	while (send(fds[0], "x", 1, MSG_DONTWAIT) > 0)
		;
	return sfr_sendto(loop, fds[0], sfr_buf_from(loop, "more", 4), NULL, 0);
}

static sfr_op *pending_recvfrom(sfr_loop *loop)
{
	return sfr_recvfrom(loop, idle_datagram_socket(), sfr_buf_get(loop, 1024));
}

static sfr_op *pending_recvfrom_multi(sfr_loop *loop)
{
	return sfr_recvfrom_multi(loop, idle_datagram_socket());
}

static sfr_op *pending_read_multi(sfr_loop *loop)
{
	return sfr_read_multi(loop, empty_pipe());
}

static sfr_op *pending_poll_multi(sfr_loop *loop)
{
	return sfr_poll_multi(loop, empty_pipe(), POLLIN);
}

static sfr_op *pending_splice(sfr_loop *loop)
{
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	return sfr_splice(loop, empty_pipe(), -1, write_end, -1, 100, 0);
}

static sfr_op *pending_signal(sfr_loop *loop)
{
	return sfr_signal(loop, SIGUSR1);
}

/* One for all, which ends with the test's process. */
static pid_t child_that_stays(void)
{
	static pid_t child;
	int fd;

	if (child)
		return child;
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (fd = 3; fd < 1024; fd++)
		close(fd);
	for (;;)
		pause();
}

/* Valgrind does not know pidfds. */
static sfr_op *pending_waitid(sfr_loop *loop)
{
	if (under_valgrind())
		return pending_read(loop);
	return sfr_waitid(loop, P_PID, (unsigned)child_that_stays(), WEXITED,
			  sfr_buf_get(loop, sizeof(siginfo_t)));
}

static sfr_op *pending_raw(sfr_loop *loop)
{
	sfr_buf *buf = sfr_buf_get(loop, 64);
	struct io_uring_sqe sqe = {0};

	io_uring_prep_read(&sqe, empty_pipe(), buf->data, 64, 0);
	return sfr_raw(loop, &sqe, buf);
}

const struct pending_kind pending_kinds[] = {
	{"read", true, pending_read},
	{"read_at", true, pending_read_at},
	{"write", true, pending_write},
	{"recv", true, pending_recv},
	{"send", true, pending_send},
	{"accept", false, pending_accept},
	{"recv by name", true, pending_recv_by_name},
	{"accept into a place", false, pending_accept_into},
	{"accept_multi", false, pending_accept_multi},
	{"recv_multi", false, pending_recv_multi},
	{"read_multi", false, pending_read_multi},
	{"send_zc", true, pending_send_zc},
	{"sendto", true, pending_sendto},
	{"recvfrom", true, pending_recvfrom},
	{"recvfrom_multi", false, pending_recvfrom_multi},
	{"connect", false, pending_connect},
	{"timeout", false, pending_timeout},
	{"interval", false, pending_interval},
	{"poll", false, pending_poll},
	{"poll_multi", false, pending_poll_multi},
	{"splice", false, pending_splice},
	{"signal", false, pending_signal},
	{"waitid", true, pending_waitid},
	{"raw", true, pending_raw},
};

const int pending_count = sizeof(pending_kinds) / sizeof(pending_kinds[0]);

#include "pending.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
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

const struct pending_kind pending_kinds[] = {
	{"read", true, pending_read},
	{"read_at", true, pending_read_at},
	{"write", true, pending_write},
	{"recv", true, pending_recv},
	{"send", true, pending_send},
	{"accept", false, pending_accept},
	{"accept_multi", false, pending_accept_multi},
	{"recv_multi", false, pending_recv_multi},
	{"connect", false, pending_connect},
	{"timeout", false, pending_timeout},
	{"interval", false, pending_interval},
	{"poll", false, pending_poll},
};

const int pending_count = sizeof(pending_kinds) / sizeof(pending_kinds[0]);

/* SPDX-License-Identifier: MIT */
#include "line_server.h"
#include "listener.h"
#include <sys/epoll.h>
#include <unistd.h>

#define LINE_MAX_SIZE 4096
#define EVENTS_MAX 1024

struct line_conn {
	struct source source;
	size_t used;
	char text[LINE_MAX_SIZE];
};

struct host host;
static struct source listener, terminator;

static void host_control(int op, struct source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(host.set, op, source->fd, &event) < 0)
		die("epoll_ctl", errno);
}

void host_watch(struct source *source, uint32_t events)
{
	host_control(EPOLL_CTL_ADD, source, events);
}

void host_rewatch(struct source *source, uint32_t events)
{
	host_control(EPOLL_CTL_MOD, source, events);
}

/* Its answers are short: who does not take them is not a client worth having. False: it is gone. */
static bool lines_answer(struct line_conn *conn)
{
	char *end = memrchr(conn->text, '\n', conn->used);
	size_t whole = end ? (size_t)(end + 1 - conn->text) : 0;

	if (whole &&
	    send(conn->source.fd, conn->text, whole, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)whole)
		return false;
	conn->used -= whole;
	memmove(conn->text, conn->text + whole, conn->used);
	return conn->used < sizeof(conn->text);
}

static void line_conn_ready(struct source *source, uint32_t events)
{
	struct line_conn *conn = (struct line_conn *)source; /* its first member */
	ssize_t n = recv(source->fd, conn->text + conn->used, sizeof(conn->text) - conn->used,
			 MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	conn->used += n > 0 ? (size_t)n : 0;
	if (n > 0 && lines_answer(conn))
		return;
	(void)close(source->fd); /* leaves the set by itself */
	free(conn);
}

static void listener_ready(struct source *source, uint32_t events)
{
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	struct line_conn *conn;

	(void)events;
	if (fd < 0)
		return; /* the peer went away again, or there is an interruption */
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		die("a connection", ENOMEM);
	conn->source = (struct source){.fd = fd, .ready = line_conn_ready};
	host_watch(&conn->source, EPOLLIN);
}

static void terminator_ready(struct source *source, uint32_t events)
{
	(void)source, (void)events;
	host.stopped = true;
}

void lines_serve(unsigned port)
{
	host.set = epoll_create1(EPOLL_CLOEXEC);
	if (host.set < 0)
		die("epoll_create1", errno);
	terminator = (struct source){.fd = stop_signal_open(), .ready = terminator_ready};
	listener = (struct source){.fd = listener_open(port, SOCK_NONBLOCK),
				   .ready = listener_ready};
	host_watch(&terminator, EPOLLIN);
	host_watch(&listener, EPOLLIN);
}

void host_run(void)
{
	static struct epoll_event events[EVENTS_MAX];

	while (!host.stopped) {
		int count, i;

		if (host.before_sleep)
			host.before_sleep(&host);
		count = epoll_wait(host.set, events, EVENTS_MAX, -1);
		if (count < 0 && errno != EINTR)
			die("epoll_wait", errno);
		host.wakes++;
		for (i = 0; i < count; i++) {
			struct source *source = events[i].data.ptr;

			source->ready(source, events[i].events);
		}
	}
}

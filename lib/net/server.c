/* SPDX-License-Identifier: MIT */
/*
 * Servers: a listening socket, one multishot accept, and the count of its connections. And dialling,
 * which is the same seen from the other side.
 */
#include "base/log.h"
#include "net/address.h"
#include "net/conn.h"
#include "op/cancel.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPT_RETRY_NS 100000000U

enum server_state { LISTENING, STOPPING, STOPPED };

struct sfr_server {
	struct sfr__link link;
	struct sfr__net *net;
	int fd;
	uint8_t state;     /* enum server_state */
	bool given_up;     /* by the user: free it when it is STOPPED and empty */
	bool complained;   /* about the accept error that lasts */
	sfr_ticket accept; /* or the wait before the next */
	size_t conns;
	sfr_handlers handlers;
	void *arg;
};

__attribute__((format(printf, 2, 3))) static void refusal_set(sfr_loop *loop, const char *format,
							      ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(loop->refusal, sizeof(loop->refusal), format, args);
	va_end(args);
	sfr__log((enum sfr_log_level)loop->settings.log.level, SFR_LOG_ERROR, "%s", loop->refusal);
}

static void refusal_clear(sfr_loop *loop)
{
	loop->refusal[0] = '\0';
}

static enum sfr_log_level log_limit(const sfr_server *server)
{
	return (enum sfr_log_level)server->net->loop->settings.log.level;
}

/*
 * The end of a server.
 */

/* Free it if nothing refers to it any more. */
static void server_settle(sfr_server *server)
{
	if (server->state == STOPPING && !server->accept) {
		(void)close(server->fd); /* a listening socket has nothing to lose */
		server->fd = -1;
		server->state = STOPPED;
	}
	if (server->state == STOPPED && server->given_up && !server->conns) {
		sfr__list_unlink(&server->link);
		free(server);
	}
}

static void server_stop(sfr_server *server)
{
	if (server->state != LISTENING)
		return;
	server->state = STOPPING;
	sfr__ticket_cancel(server->net->loop, server->accept);
}

void sfr__servers_drain(struct sfr__net *net)
{
	struct sfr__link *link, *next;

	for (link = net->servers.next; link != &net->servers; link = next) {
		sfr_server *server = sfr__container(link, sfr_server, link);

		next = link->next;
		server_stop(server);
		server_settle(server);
	}
}

void sfr__servers_free(struct sfr__net *net)
{
	while (!sfr__list_empty(&net->servers)) {
		sfr_server *server = sfr__container(net->servers.next, sfr_server, link);

		server->given_up = true;
		server_stop(server);
		server_settle(server);
	}
}

void sfr__server_conn_closed(sfr_server *server)
{
	server->conns--;
	server_settle(server);
}

void sfr_server_close(sfr_server *server)
{
	struct sfr__link *link, *conns = &server->net->conns;

	if (sfr__loop_check(server->net->loop, "a server was closed") < 0)
		return;
	server->given_up = true;
	server_stop(server);
	for (link = conns->next; link != conns; link = link->next) {
		sfr_conn *conn = sfr__container(link, sfr_conn, link);

		if (conn->server == server)
			sfr__conn_close(conn, -ECANCELED);
	}
	server_settle(server);
}

/*
 * Accepting.
 */

static void server_waited(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_server *server = arg;

	(void)loop;
	(void)buf;
	(void)result;
	server->accept = 0;
	server_settle(server);
}

/* Errors of the connection that was to be accepted, not of accepting. */
static bool accept_error_passes(int err)
{
	return err == -ECONNABORTED || err == -EPROTO || err == -EINTR || err == -EAGAIN;
}

/* Accepting goes on in a while: what is missing may be there again. */
static void server_wait(sfr_server *server, int err)
{
	sfr_op *wait = sfr_timeout(server->net->loop, ACCEPT_RETRY_NS);

	if (!server->complained)
		sfr__log(log_limit(server), SFR_LOG_WARN,
			 "cannot accept connections: %s (%s); trying again every 100 ms%s",
			 sfr_strerror(err), sfr_errname(err),
			 err == -EMFILE ? ": raise RLIMIT_NOFILE or lower server.connections_max"
					: "");
	server->complained = true;
	if (wait)
		server->accept = sfr_submit(wait, server_waited, server);
}

static void server_accept_failed(sfr_server *server, int err)
{
	server->accept = 0;
	if (server->state == LISTENING && err == -ECANCELED)
		server->state = STOPPING; /* the loop drains */
	else if (server->state == LISTENING && !accept_error_passes(err))
		server_wait(server, err);
	server_settle(server);
}

static void server_accepted(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_server *server = arg;

	(void)buf;
	if (result < 0) {
		server_accept_failed(server, result);
		return;
	}
	server->complained = false;
	if (server->state != LISTENING || server->conns >= loop->settings.server.connections_max) {
		(void)close(result); /* the peer sees it */
		return;
	}
	server->conns++;
	if (!sfr__conn_accepted(server->net, server, result, &server->handlers, server->arg))
		sfr__server_conn_closed(server);
}

static void server_accept(sfr_server *server)
{
	sfr_op *op = sfr_accept_multi(server->net->loop, server->fd);

	if (op)
		server->accept = sfr_submit(op, server_accepted, server);
	else
		server_wait(server, -ENOMEM);
}

static bool server_is_deaf(const sfr_server *server)
{
	return server->state == LISTENING && !server->accept;
}

void sfr__servers_flush(struct sfr__net *net)
{
	struct sfr__link *link;

	for (link = net->servers.next; link != &net->servers; link = link->next) {
		sfr_server *server = sfr__container(link, sfr_server, link);

		if (sfr__unlikely(server_is_deaf(server)))
			server_accept(server);
	}
}

bool sfr__servers_wait(const struct sfr__net *net)
{
	const struct sfr__link *link;

	for (link = net->servers.next; link != &net->servers; link = link->next) {
		const sfr_server *server = sfr__container(link, sfr_server, link);

		if (server_is_deaf(server) && !server->complained) /* else it is in vain by now */
			return true;
	}
	return false;
}

/*
 * Sockets.
 */

static void option_set(int fd, int level, int name, bool on)
{
	int value = 1;

	if (on)
		(void)setsockopt(fd, level, name, &value, sizeof(value)); /* works without, too */
}

/* A socket for an address; the refusal says what is wrong. The descriptor or -errno. */
static int socket_for(sfr_loop *loop, const char *text, struct sfr__address *address)
{
	char why[128];
	int fd, r;

	if (loop->draining) {
		refusal_set(loop, "address %s: the loop is draining", text ? text : "(null)");
		return -ECANCELED;
	}
	r = sfr__address_parse(address, text, why, sizeof(why));
	if (r < 0) {
		refusal_set(loop, "address %s: %s", text ? text : "(null)", why);
		return r;
	}
	fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		r = -errno;
		refusal_set(loop, "address %s: no socket: %s", text, sfr_strerror(r));
		return r;
	}
	option_set(fd, IPPROTO_TCP, TCP_NODELAY, loop->settings.server.no_delay); /* inherited */
	return fd;
}

static int socket_listen(sfr_loop *loop, int fd, const char *text,
			 const struct sfr__address *address)
{
	option_set(fd, SOL_SOCKET, SO_REUSEADDR, true);
	option_set(fd, SOL_SOCKET, SO_REUSEPORT, loop->settings.server.reuse_port);
	if (bind(fd, (const struct sockaddr *)&address->addr, address->size) < 0 ||
	    listen(fd, (int)loop->settings.server.backlog) < 0) {
		int r = -errno;

		refusal_set(loop, "address %s: cannot listen: %s%s", text, sfr_strerror(r),
			    r == -EADDRINUSE      ? " (another program has this port; see ss -ltnp)"
			    : r == -EACCES        ? " (ports below 1024 are for root)"
			    : r == -EADDRNOTAVAIL ? " (this machine does not have that address)"
						  : "");
		return r;
	}
	return 0;
}

int sfr_serve(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
	      sfr_server **out)
{
	int r = sfr__loop_check(loop, "a server was started");
	struct sfr__address parsed;
	struct sfr__net *net;
	sfr_server *server;

	if (r < 0)
		return r;
	net = sfr__net_of(loop);
	server = calloc(1, sizeof(*server));
	refusal_clear(loop);
	r = net && server ? socket_for(loop, address, &parsed) : -ENOMEM;
	if (r < 0)
		goto free_server;
	*server = (sfr_server){.net = net, .fd = r, .handlers = *handlers, .arg = arg};
	r = socket_listen(loop, server->fd, address, &parsed);
	if (r < 0)
		goto close_fd;
	sfr__list_append(&net->servers, &server->link);
	server_accept(server);
	if (out)
		*out = server;
	return 0;
close_fd:
	(void)close(server->fd); /* never used */
free_server:
	free(server);
	return r;
}

int sfr_dial(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
	     sfr_conn **out)
{
	int fd = sfr__loop_check(loop, "a connection was dialled");
	struct sfr__address parsed;
	struct sfr__net *net;
	sfr_conn *conn;

	if (fd < 0)
		return fd;
	net = sfr__net_of(loop);
	refusal_clear(loop);
	fd = net ? socket_for(loop, address, &parsed) : -ENOMEM;
	if (fd < 0)
		return fd;
	conn = sfr__conn_new(net, NULL, fd, handlers, arg);
	if (!conn) {
		(void)close(fd); /* never used */
		return -ENOMEM;
	}
	sfr__conn_connect(conn, (const struct sockaddr *)&parsed.addr, parsed.size);
	if (out)
		*out = conn;
	return 0;
}

int sfr_server_address(const sfr_server *server, char *out, size_t size)
{
	struct sfr__address local = {.size = sizeof(local.addr)};

	if (getsockname(server->fd, (struct sockaddr *)&local.addr, &local.size) < 0)
		return -errno;
	return sfr__address_print(&local, out, size);
}

size_t sfr_server_conns(const sfr_server *server)
{
	return server->conns;
}

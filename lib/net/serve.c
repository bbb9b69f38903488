/* SPDX-License-Identifier: MIT */
/*
 * To serve and to dial: an address becomes a socket, and the socket a server or a connection. Where that
 * fails, sfr_loop_refusal() says why.
 */
#include "base/log.h"
#include "net/address.h"
#include "net/server.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((format(printf, 2, 3))) static void refusal_set(sfr_loop *loop, const char *format,
							      ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(loop->refusal, sizeof(loop->refusal), format, args);
	va_end(args);
	sfr__log(loop->settings.log.level, SFR_LOG_ERROR, "%s", loop->refusal);
}

static void refusal_clear(sfr_loop *loop)
{
	loop->refusal[0] = '\0';
}

static void option_set(const sfr_loop *loop, int fd, int level, int name, bool on)
{
	const struct sfr__system *system = loop->engine->system;
	int value = 1;

	if (on) /* works without, too */
		(void)system->option_set(system, fd, level, name, &value, sizeof(value));
}

/* A socket for an address; the refusal says what is wrong. The descriptor or -errno. */
static int socket_for(sfr_loop *loop, const char *text, struct sfr__address *address)
{
	const struct sfr__system *system = loop->engine->system;
	char why[128];
	int r;

	if (loop->draining) {
		refusal_set(loop, "address %s: the loop is draining", text ? text : "(null)");
		return -ECANCELED;
	}
	r = sfr__address_parse(address, text, why, sizeof(why));
	if (r < 0) {
		refusal_set(loop, "address %s: %s", text ? text : "(null)", why);
		return r;
	}
	r = system->socket_new(system, address->addr.ss_family,
			       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r < 0)
		refusal_set(loop, "address %s: no socket: %s", text, sfr_strerror(r));
	else /* it is inherited */
		option_set(loop, r, IPPROTO_TCP, TCP_NODELAY, loop->settings.server.no_delay);
	return r;
}

static int socket_listen(sfr_loop *loop, int fd, const char *text,
			 const struct sfr__address *address)
{
	const struct sfr__system *system = loop->engine->system;
	int r;

	option_set(loop, fd, SOL_SOCKET, SO_REUSEADDR, true);
	option_set(loop, fd, SOL_SOCKET, SO_REUSEPORT, loop->settings.server.reuse_port);
	r = system->socket_bind(system, fd, (const struct sockaddr *)&address->addr, address->size);
	if (r == 0)
		r = system->socket_listen(system, fd, (int)loop->settings.server.backlog);
	if (r < 0)
		refusal_set(loop, "address %s: cannot listen: %s%s", text, sfr_strerror(r),
			    r == -EADDRINUSE      ? " (another program has this port; see ss -ltnp)"
			    : r == -EACCES        ? " (ports below 1024 are for root)"
			    : r == -EADDRNOTAVAIL ? " (this machine does not have that address)"
						  : "");
	return r;
}

int sfr_serve(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
	      sfr_server **out)
{
	int r = sfr__loop_check(loop, "a server was started");
	struct sfr__address parsed;
	struct sfr__net *net;
	struct sfr__server *server;

	if (r < 0)
		return r;
	net = sfr__net_of(loop);
	handlers = net ? sfr__net_handlers(net, handlers) : NULL;
	server = calloc(1, sizeof(*server));
	refusal_clear(loop);
	r = handlers && server ? socket_for(loop, address, &parsed) : -ENOMEM;
	if (r < 0)
		goto free_server;
	*server = (struct sfr__server){.net = net, .fd = r, .handlers = handlers, .arg = arg};
	r = socket_listen(loop, server->fd, address, &parsed);
	if (r < 0)
		goto close_fd;
	sfr__list_append(&net->servers, &server->hook);
	sfr__server_accept(server);
	if (out)
		*out = sfr__server_handle(server);
	return 0;
close_fd:
	sfr__loop_close_fd(loop, server->fd); /* never used */
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
	struct sfr__conn *conn;

	if (fd < 0)
		return fd;
	net = sfr__net_of(loop);
	handlers = net ? sfr__net_handlers(net, handlers) : NULL;
	refusal_clear(loop);
	fd = handlers ? socket_for(loop, address, &parsed) : -ENOMEM;
	if (fd < 0)
		return fd;
	conn = sfr__conn_new(net, NULL, fd, handlers, arg);
	if (!conn) {
		sfr__loop_close_fd(loop, fd); /* never used */
		return -ENOMEM;
	}
	sfr__conn_connect(conn, (const struct sockaddr *)&parsed.addr, parsed.size);
	if (out)
		*out = sfr__conn_handle(conn);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * To serve, to dial and to adopt: an address becomes a socket, and a socket a server or a connection.
 */
#include "net/server.h"
#include "net/socket.h"
#include "sqe/fd_kind.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>

/*
 * Serving.
 */

/* A descriptor has one owner, who closes it. */
static int server_twice(sfr_loop *loop, const struct sfr__net *net, int fd)
{
	const struct sfr__hook *hook;

	for (hook = net->servers.next; hook != &net->servers; hook = hook->next)
		if (sfr__container(hook, const struct sfr__server, hook)->listener.fd == fd) {
			sfr__refusal_set(loop, "descriptor %d: another server of this loop has it",
					 fd);
			return -EBUSY;
		}
	return 0;
}

/* `fd` is NULL: serve the address. */
static int serve(sfr_loop *loop, const char *text, const int *fd, const sfr_handlers *handlers,
		 void *arg, sfr_server **out)
{
	const struct sfr__server_settings *settings = &loop->settings.server;
	struct sfr__net *net = sfr__net_of(loop);
	struct sfr__server *server = net ? calloc(1, sizeof(*server)) : NULL;
	int r;

	sfr__refusal_clear(loop);
	handlers = server ? sfr__net_handlers(net, handlers) : NULL;
	if (!handlers) {
		free(server);
		return -ENOMEM;
	}
	*server = (struct sfr__server){.net = net, .handlers = handlers, .arg = arg};
	r = fd ? sfr__listen_fd(loop, settings, *fd, &server->listener)
	       : sfr__listen(loop, settings, text, &server->listener);
	if (r == 0 && server->listener.inherited)
		r = server_twice(loop, net, server->listener.fd);
	if (r < 0) {
		free(server);
		return r;
	}
	sfr__list_append(&net->servers, &server->hook);
	sfr__server_accept(server);
	if (out)
		*out = sfr__server_handle(server);
	return 0;
}

int sfr_serve(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
	      sfr_server **out)
{
	int r = sfr__loop_check(loop, "a server was started");

	return r < 0 ? r : serve(loop, address, NULL, handlers, arg, out);
}

int sfr_serve_fd(sfr_loop *loop, int listening_fd, const sfr_handlers *handlers, void *arg,
		 sfr_server **out)
{
	int r = sfr__loop_check(loop, "a server was started");

	return r < 0 ? r : serve(loop, NULL, &listening_fd, handlers, arg, out);
}

/*
 * Dialling.
 */

static int dial_socket(sfr_loop *loop, const char *text, struct sfr__address *address)
{
	int r = sfr__address_read(loop, text, address);

	if (r < 0)
		return r;
	if (address->fd < 0)
		return sfr__socket_new(loop, &loop->settings.server, text, address);
	sfr__refusal_set(
		loop,
		"address %s: a descriptor is not dialled; sfr_conn_adopt() takes one that is "
		"connected",
		text);
	return -EINVAL;
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
	sfr__refusal_clear(loop);
	fd = handlers ? dial_socket(loop, address, &parsed) : -ENOMEM;
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

/*
 * Adopting.
 */

/* 0 if it is a stream with a peer. */
static int stream_check(sfr_loop *loop, int fd)
{
	const struct sfr__system *system = loop->engine->system;
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	int type = sfr__socket_option(system, fd, SO_TYPE), r = type;
	const char *why;

	if (loop->draining) {
		r = -ECANCELED;
		why = "the loop is draining";
	} else if (type >= 0 && type != SOCK_STREAM) {
		r = -EINVAL;
		why = "it is no stream";
	} else {
		if (r >= 0)
			r = system->socket_peer_name(system, fd, (struct sockaddr *)&peer, &size);
		why = r < 0 ? sfr_strerror(r) : "";
	}
	if (r < 0)
		sfr__refusal_set(loop, "descriptor %d: %s", fd, why);
	return r;
}

int sfr_conn_adopt(sfr_loop *loop, int fd, const sfr_handlers *handlers, void *arg, sfr_conn **out)
{
	int r = sfr__loop_check(loop, "a connection was adopted");
	const struct sfr__system *system;
	struct sfr__conn *conn = NULL;
	struct sfr__net *net;
	sfr_op *next_turn;

	if (r < 0)
		return r;
	system = loop->engine->system;
	net = sfr__net_of(loop);
	sfr__refusal_clear(loop);
	handlers = net ? sfr__net_handlers(net, handlers) : NULL;
	r = handlers ? stream_check(loop, fd) : -ENOMEM;
	if (r < 0)
		return r;
	next_turn = sfr_nop(loop);
	r = next_turn ? system->fd_take(system, fd, 0) : -ENOMEM;
	if (r == 0)
		conn = sfr__conn_new(net, NULL, fd, handlers, arg);
	if (!conn) {
		sfr_op_discard(next_turn);
		return r < 0 ? r : -ENOMEM;
	}
	sfr__socket_tune(loop, &loop->settings.server, fd,
			 sfr__socket_option(system, fd, SO_DOMAIN));
	sfr__conn_adopted(conn, next_turn);
	if (out)
		*out = sfr__conn_handle(conn);
	return 0;
}

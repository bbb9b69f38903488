/* SPDX-License-Identifier: MIT */
/*
 * To serve and to dial: an address becomes a socket, and the socket a server or a connection.
 */
#include "net/server.h"
#include "net/socket.h"
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

int sfr_serve(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
	      sfr_server **out)
{
	int r = sfr__loop_check(loop, "a server was started");
	struct sfr__net *net;
	struct sfr__server *server;

	if (r < 0)
		return r;
	net = sfr__net_of(loop);
	handlers = net ? sfr__net_handlers(net, handlers) : NULL;
	server = calloc(1, sizeof(*server));
	sfr__refusal_clear(loop);
	r = handlers && server ? 0 : -ENOMEM;
	if (r < 0)
		goto free_server;
	*server = (struct sfr__server){.net = net, .handlers = handlers, .arg = arg};
	r = sfr__listen(loop, &loop->settings.server, address, &server->listener);
	if (r == 0 && server->listener.inherited)
		r = server_twice(loop, net, server->listener.fd);
	if (r < 0)
		goto free_server;
	sfr__list_append(&net->servers, &server->hook);
	sfr__server_accept(server);
	if (out)
		*out = sfr__server_handle(server);
	return 0;
free_server:
	free(server);
	return r;
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

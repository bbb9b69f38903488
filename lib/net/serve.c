/* SPDX-License-Identifier: MIT */
/*
 * To serve, to dial and to adopt: an address becomes a socket, and a socket a server or a connection.
 */
#include "net/accept.h"
#include "net/server.h"
#include "net/socket.h"
#include "sqe/fd_kind.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>

/*
 * Options.
 */

/* The settings of a server or dial: those of the options, or the loop's. NULL, and said why, if they are refused. */
static const struct sfr__server_settings *settings_of(sfr_loop *loop, const sfr_config *options,
						      const char *text)
{
	sfr_config_error found;
	char why[200];

	if (!options)
		return &loop->settings.server;
	if (sfr__config_check(options, &found) == 0)
		return &sfr__config_settings(options)->server;
	(void)sfr_config_error_text(&found, why, sizeof(why));
	sfr__refusal_set(loop, "address %s: options: %s", text ? text : "(null)", why);
	return NULL;
}

/*
 * Serving.
 */

/* A descriptor has one owner, who closes it. */
static int server_twice(sfr_loop *loop, const struct sfr__net *net, int fd)
{
	const struct sfr__hook *hook;

	for (hook = net->servers.next; hook != &net->servers; hook = hook->next)
		if (sfr__container(hook, const struct sfr__server, object.hook)->listener.fd ==
		    fd) {
			sfr__refusal_set(loop, "descriptor %d: another server of this loop has it",
					 fd);
			return -EBUSY;
		}
	return 0;
}

/* `fd` is NULL: serve the address. */
static int serve(struct sfr__net *net, const char *text, const int *fd,
		 const struct sfr__server_settings *settings, struct sfr__server *server)
{
	int r = fd ? sfr__listen_fd(net->loop, settings, *fd, &server->listener)
		   : sfr__listen(net->loop, settings, text, &server->listener);

	if (r == 0 && server->listener.inherited)
		r = server_twice(net->loop, net, server->listener.fd);
	if (r < 0)
		return r;
	server->terms = (struct sfr__terms){
		.settings = *settings, .tally = &server->tally, .server = server};
	sfr__list_append(&net->servers, &server->object.hook);
	sfr__server_accept(server);
	return 0;
}

static int server_new(sfr_loop *loop, const char *text, const int *fd, const sfr_config *options,
		      const sfr_handlers *handlers, void *arg, sfr_server **out)
{
	int r = sfr__loop_check(loop, "a server was started");
	const struct sfr__server_settings *settings;
	struct sfr__net *net;
	struct sfr__server *server;

	if (r < 0)
		return r;
	sfr__refusal_clear(loop);
	settings = settings_of(loop, options, text);
	if (!settings)
		return -SFR_ECONFIG;
	net = sfr__net_of(loop);
	handlers = net ? sfr__net_handlers(net, handlers) : NULL;
	server = handlers ? sfr__server_new(net, handlers, arg) : NULL;
	if (!server)
		return -ENOMEM;
	r = serve(net, text, fd, settings, server);
	if (r < 0)
		sfr__server_free(server);
	else if (out)
		*out = sfr__server_handle(server);
	return r;
}

int sfr_serve(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
	      sfr_server **out)
{
	return sfr_serve_with(loop, address, NULL, handlers, arg, out);
}

int sfr_serve_with(sfr_loop *loop, const char *address, const sfr_config *options,
		   const sfr_handlers *handlers, void *arg, sfr_server **out)
{
	return server_new(loop, address, NULL, options, handlers, arg, out);
}

int sfr_serve_fd(sfr_loop *loop, int listening_fd, const sfr_handlers *handlers, void *arg,
		 sfr_server **out)
{
	return server_new(loop, NULL, &listening_fd, NULL, handlers, arg, out);
}

/*
 * Dialling.
 */

static int dial_socket(sfr_loop *loop, const struct sfr__server_settings *settings,
		       const char *text, struct sfr__address *address)
{
	int r = sfr__address_read(loop, text, address);

	if (r < 0)
		return r;
	if (address->fd < 0)
		return sfr__socket_new(loop, settings, text, address);
	sfr__refusal_set(
		loop,
		"address %s: a descriptor is not dialled; sfr_conn_adopt() takes one that is "
		"connected",
		text);
	return -EINVAL;
}

/* The net's, or with options some for the connection alone. NULL without memory. */
static struct sfr__terms *dial_terms(struct sfr__net *net, const sfr_config *options,
				     const struct sfr__server_settings *settings)
{
	struct sfr__terms *terms = options ? malloc(sizeof(*terms)) : &net->terms;

	if (options && terms)
		*terms = (struct sfr__terms){
			.settings = *settings, .tally = &net->tally, .lone = true};
	return terms;
}

static void terms_free(struct sfr__terms *terms)
{
	if (terms && terms->lone)
		free(terms);
}

int sfr_dial(sfr_loop *loop, const char *address, const sfr_handlers *handlers, void *arg,
	     sfr_conn **out)
{
	return sfr_dial_with(loop, address, NULL, handlers, arg, out);
}

int sfr_dial_with(sfr_loop *loop, const char *address, const sfr_config *options,
		  const sfr_handlers *handlers, void *arg, sfr_conn **out)
{
	int fd = sfr__loop_check(loop, "a connection was dialled");
	const struct sfr__server_settings *settings;
	struct sfr__terms *terms;
	struct sfr__address parsed;
	struct sfr__net *net;
	struct sfr__conn *conn = NULL;

	if (fd < 0)
		return fd;
	sfr__refusal_clear(loop);
	settings = settings_of(loop, options, address);
	if (!settings)
		return -SFR_ECONFIG;
	net = sfr__net_of(loop);
	handlers = net ? sfr__net_handlers(net, handlers) : NULL;
	terms = handlers ? dial_terms(net, options, settings) : NULL;
	fd = terms ? dial_socket(loop, settings, address, &parsed) : -ENOMEM;
	if (fd >= 0)
		conn = sfr__conn_new(net, terms, fd, handlers, arg);
	if (!conn) {
		terms_free(terms);
		if (fd >= 0)
			sfr__loop_close_fd(loop, fd); /* never used */
		return fd < 0 ? fd : -ENOMEM;
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
		conn = sfr__conn_new(net, &net->terms, fd, handlers, arg);
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

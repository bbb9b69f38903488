/* SPDX-License-Identifier: MIT */
/*
 * Accepting: by a multishot accept, which goes on after errors that pass, and pauses where no connection may be more.
 */
#include "net/accept.h"
#include "base/log.h"
#include "net/server.h"
#include "op/cancel.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define ACCEPT_RETRY_NS 100000000U

/*
 * Errors.
 */

static void server_waited(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__server *server = arg;

	(void)loop;
	(void)buf;
	(void)result;
	server->accept = 0;
	server->waits = false;
	sfr__server_settle(server);
}

/* Errors of the connection that was to be accepted, not of accepting. */
static bool accept_error_passes(int err)
{
	return err == -ECONNABORTED || err == -EPROTO || err == -EINTR || err == -EAGAIN;
}

/* Accepting goes on in a while, or when a connection of the server has closed: what is missing may be there again. */
static void server_wait(struct sfr__server *server, int err)
{
	sfr_op *wait = sfr_timeout(server->net->loop, ACCEPT_RETRY_NS);

	if (!server->complained) {
		server->tally.pauses++;
		sfr__log(server->net->loop->settings.log.level, SFR_LOG_WARN,
			 "cannot accept connections: %s (%s); trying again every 100 ms%s",
			 sfr_strerror(err), sfr_errname(err),
			 err == -EMFILE ? ": raise RLIMIT_NOFILE or lower server.connections_max"
					: "");
	}
	server->complained = true;
	server->waits = wait != NULL;
	if (wait)
		server->accept = sfr_submit(wait, server_waited, server);
}

static void server_accept_failed(struct sfr__server *server, int err)
{
	const bool paused = server->pausing && err == -ECANCELED && !server->net->loop->draining;

	server->accept = 0;
	server->pausing = false;
	/* Else accepting goes on when the engine is entered next, unless it is full. */
	if (!accept_error_passes(err) && !paused) {
		if (server->state == SFR__SERVER_LISTENING && err != -ECANCELED)
			server_wait(server, err);
		else /* the loop drains, or what waits cannot be had */
			server->state = SFR__SERVER_STOPPING;
	}
	sfr__server_settle(server);
}

/*
 * As many connections as there may be.
 */

static bool server_is_full(const struct sfr__server *server)
{
	return server->conns >= server->terms.settings.connections_max;
}

static bool server_is_patient(const struct sfr__server *server)
{
	return server->terms.settings.when_full == SFR__FULL_WAIT;
}

/* Once, and again after at least half have gone in between. */
static void server_tell_full(struct sfr__server *server)
{
	if (server->told_full)
		return;
	server->told_full = true;
	sfr__log(server->net->loop->settings.log.level, SFR_LOG_WARN,
		 "a server has server.connections_max (%u) connections: more %s (see "
		 "server.when_full)",
		 server->terms.settings.connections_max,
		 server_is_patient(server) ? "wait until one has closed" : "are refused");
}

static void server_refuse(struct sfr__server *server, int fd)
{
	server->tally.refused++;
	sfr__loop_close_fd(server->net->loop, fd); /* the peer sees it */
}

/* It is full, and accepts no more until a connection closes. */
static void server_pause(struct sfr__server *server)
{
	if (!server->accept || server->pausing || server->waits)
		return;
	server->pausing = true;
	server->tally.pauses++;
	sfr__ticket_cancel(server->net->loop, server->accept);
}

static void server_open(struct sfr__server *server, int fd)
{
	server->conns++;
	if (server_is_full(server) && server_is_patient(server)) {
		server_tell_full(server);
		server_pause(server);
	}
	if (!sfr__conn_accepted(server->net, &server->terms, fd, server->handlers, server->arg)) {
		server->tally.refused++;
		server->conns--;
	}
}

/* The accept won it before it paused: it waits here instead of in the backlog. */
static bool surplus_push(struct sfr__server *server, int fd)
{
	struct sfr__surplus *surplus = &server->surplus;
	uint32_t room = surplus->room ? 2 * surplus->room : 16;
	int *fds = surplus->fds;

	if (surplus->count == surplus->room) {
		fds = realloc(fds, room * sizeof(*fds));
		if (!fds)
			return false;
		surplus->fds = fds;
		surplus->room = room;
	}
	fds[surplus->count++] = fd;
	return true;
}

static int surplus_shift(struct sfr__surplus *surplus)
{
	int fd = surplus->fds[surplus->first++];

	if (surplus->first == surplus->count)
		surplus->first = surplus->count = 0;
	return fd;
}

void sfr__surplus_drop(struct sfr__server *server)
{
	struct sfr__surplus *surplus = &server->surplus;

	while (surplus->count)
		server_refuse(server, surplus_shift(surplus));
	free(surplus->fds);
	*surplus = (struct sfr__surplus){0};
}

void sfr__server_has_room(struct sfr__server *server)
{
	if (server->conns <= server->terms.settings.connections_max / 2)
		server->told_full = false;
	if (server->waits) /* a descriptor may be there as well */
		sfr__ticket_cancel(server->net->loop, server->accept);
	while (server->surplus.count && !server_is_full(server))
		server_open(server, surplus_shift(&server->surplus));
}

/*
 * Accepting.
 */

static void server_accepted(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__server *server = arg;

	(void)buf;
	if (result < 0) {
		server_accept_failed(server, result);
		return;
	}
	server->complained = false;
	server->left -= server->left > 0;
	if (server->given_up || loop->draining) {
		server_refuse(server, result);
	} else if (!server_is_full(server) && !server->surplus.count) {
		server_open(server, result);
	} else {
		server_tell_full(server);
		if (!server_is_patient(server) || !surplus_push(server, result))
			server_refuse(server, result);
	}
}

void sfr__server_accept(struct sfr__server *server)
{
	sfr_op *op = sfr_accept_multi(server->net->loop, server->listener.fd);

	if (op)
		server->accept = sfr_submit(op, server_accepted, server);
	else
		server_wait(server, -ENOMEM);
}

/* It listens, or empties its backlog, and nothing accepts. */
static bool server_is_deaf(const struct sfr__server *server)
{
	return server->state <= SFR__SERVER_EMPTYING && !server->accept &&
	       !(server_is_full(server) && server_is_patient(server));
}

bool sfr__server_is_empty(const struct sfr__server *server)
{
	const struct sfr__system *system = server->net->loop->engine->system;

	return !server->left || server->waits || server->pausing || !server->accept ||
	       system->fd_poll(system, server->listener.fd, POLLIN) <= 0;
}

void sfr__servers_flush(struct sfr__net *net)
{
	struct sfr__hook *hook, *next;

	for (hook = net->servers.next; hook != &net->servers; hook = next) {
		struct sfr__server *server = sfr__container(hook, struct sfr__server, object.hook);

		next = hook->next;
		if (sfr__unlikely(server_is_deaf(server)))
			sfr__server_accept(server);
		if (sfr__unlikely(server->state == SFR__SERVER_EMPTYING) &&
		    sfr__server_is_empty(server)) {
			sfr__server_cut(server);
			sfr__server_settle(server);
		}
	}
}

bool sfr__servers_wait(const struct sfr__net *net)
{
	const struct sfr__hook *hook;

	for (hook = net->servers.next; hook != &net->servers; hook = hook->next) {
		const struct sfr__server *server = sfr__container(hook, struct sfr__server,
								  object.hook);

		if (server_is_deaf(server) && !server->complained) /* else it is in vain by now */
			return true;
	}
	return false;
}

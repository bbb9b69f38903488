/* SPDX-License-Identifier: MIT */
/*
 * Accepting: by a multishot accept, which goes on after errors that pass.
 */
#include "net/accept.h"
#include "base/log.h"
#include "net/server.h"
#include <safer_ring/error.h>
#include <errno.h>

#define ACCEPT_RETRY_NS 100000000U

static void server_waited(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__server *server = arg;

	(void)loop;
	(void)buf;
	(void)result;
	server->accept = 0;
	sfr__server_settle(server);
}

/* Errors of the connection that was to be accepted, not of accepting. */
static bool accept_error_passes(int err)
{
	return err == -ECONNABORTED || err == -EPROTO || err == -EINTR || err == -EAGAIN;
}

/* Accepting goes on in a while: what is missing may be there again. */
static void server_wait(struct sfr__server *server, int err)
{
	sfr_op *wait = sfr_timeout(server->net->loop, ACCEPT_RETRY_NS);

	if (!server->complained)
		sfr__log(server->net->loop->settings.log.level, SFR_LOG_WARN,
			 "cannot accept connections: %s (%s); trying again every 100 ms%s",
			 sfr_strerror(err), sfr_errname(err),
			 err == -EMFILE ? ": raise RLIMIT_NOFILE or lower server.connections_max"
					: "");
	server->complained = true;
	if (wait)
		server->accept = sfr_submit(wait, server_waited, server);
}

static void server_accept_failed(struct sfr__server *server, int err)
{
	server->accept = 0;
	if (server->state == SFR__SERVER_LISTENING && err == -ECANCELED)
		server->state = SFR__SERVER_STOPPING; /* the loop drains */
	else if (server->state == SFR__SERVER_LISTENING && !accept_error_passes(err))
		server_wait(server, err);
	sfr__server_settle(server);
}

static void server_accepted(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__server *server = arg;

	(void)buf;
	if (result < 0) {
		server_accept_failed(server, result);
		return;
	}
	server->complained = false;
	if (server->state != SFR__SERVER_LISTENING ||
	    server->conns >= server->terms.settings.connections_max) {
		sfr__loop_close_fd(loop, result); /* the peer sees it */
		return;
	}
	server->conns++;
	if (!sfr__conn_accepted(server->net, &server->terms, result, server->handlers, server->arg))
		sfr__server_conn_closed(server);
}

void sfr__server_accept(struct sfr__server *server)
{
	sfr_op *op = sfr_accept_multi(server->net->loop, server->listener.fd);

	if (op)
		server->accept = sfr_submit(op, server_accepted, server);
	else
		server_wait(server, -ENOMEM);
}

static bool server_is_deaf(const struct sfr__server *server)
{
	return server->state == SFR__SERVER_LISTENING && !server->accept;
}

void sfr__servers_flush(struct sfr__net *net)
{
	struct sfr__hook *hook;

	for (hook = net->servers.next; hook != &net->servers; hook = hook->next) {
		struct sfr__server *server = sfr__container(hook, struct sfr__server, hook);

		if (sfr__unlikely(server_is_deaf(server)))
			sfr__server_accept(server);
	}
}

bool sfr__servers_wait(const struct sfr__net *net)
{
	const struct sfr__hook *hook;

	for (hook = net->servers.next; hook != &net->servers; hook = hook->next) {
		const struct sfr__server *server = sfr__container(hook, struct sfr__server, hook);

		if (server_is_deaf(server) && !server->complained) /* else it is in vain by now */
			return true;
	}
	return false;
}

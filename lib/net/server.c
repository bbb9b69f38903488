/* SPDX-License-Identifier: MIT */
/*
 * A server: the beginning and the end of its listening socket and of itself, and what is asked of it.
 */
#include "net/server.h"
#include "loop/dump.h"
#include "net/accept.h"
#include "net/address.h"
#include "op/cancel.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/*
 * The beginning and the end of a server.
 */

struct sfr__server *sfr__server_new(struct sfr__net *net, const sfr_handlers *handlers, void *arg)
{
	struct sfr__server *server = sfr__object_take(&net->loop->objects[SFR__HANDLE_SERVER],
						      sizeof(*server));

	if (!server)
		return NULL;
	*server = (struct sfr__server){.object = server->object,
				       .net = net,
				       .listener.fd = -1,
				       .handlers = handlers,
				       .arg = arg};
	sfr__list_init(&server->object.hook);
	return server;
}

void sfr__server_free(struct sfr__server *server)
{
	sfr__list_remove(&server->object.hook);
	sfr__object_give(&server->net->loop->objects[SFR__HANDLE_SERVER], &server->object);
}

void sfr__server_settle(struct sfr__server *server)
{
	if (server->state == SFR__SERVER_STOPPING && !server->accept) {
		sfr__listener_close(server->net->loop, &server->listener);
		server->state = SFR__SERVER_STOPPED;
	}
	if (server->state == SFR__SERVER_STOPPED && server->given_up && !server->conns)
		sfr__server_free(server);
}

void sfr__server_cut(struct sfr__server *server)
{
	if (server->state >= SFR__SERVER_STOPPING)
		return;
	server->state = SFR__SERVER_STOPPING;
	sfr__ticket_cancel(server->net->loop, server->accept);
}

/* Nobody is served any more who has no connection yet. */
static void server_end(struct sfr__server *server)
{
	sfr__server_cut(server);
	sfr__surplus_drop(server);
}

void sfr__servers_drain(struct sfr__net *net)
{
	struct sfr__hook *hook, *next;

	for (hook = net->servers.next; hook != &net->servers; hook = next) {
		struct sfr__server *server = sfr__container(hook, struct sfr__server, object.hook);

		next = hook->next;
		server_end(server);
		sfr__server_settle(server);
	}
}

void sfr__servers_free(struct sfr__net *net)
{
	while (!sfr__list_empty(&net->servers)) {
		struct sfr__server *server = sfr__container(net->servers.next, struct sfr__server,
							    object.hook);

		server->given_up = true;
		server_end(server);
		sfr__server_settle(server);
	}
}

void sfr__server_conn_closed(struct sfr__server *server)
{
	server->conns--;
	sfr__server_has_room(server);
	sfr__server_settle(server);
}

static void server_stop(struct sfr__server *server)
{
	if (server->state != SFR__SERVER_LISTENING)
		return;
	server->state = SFR__SERVER_EMPTYING;
	server->left = server->listener.inherited ? 0 : server->terms.settings.backlog;
	if (sfr__server_is_empty(server))
		sfr__server_cut(server);
	sfr__server_settle(server);
}

static void server_close(struct sfr__server *server)
{
	struct sfr__hook *hook, *conns = &server->net->conns;

	server->given_up = true;
	server_end(server);
	for (hook = conns->next; hook != conns; hook = hook->next) {
		struct sfr__conn *conn = sfr__container(hook, struct sfr__conn, object.hook);

		if (conn->terms->server == server)
			sfr__conn_close(conn, -ECANCELED);
	}
	sfr__server_settle(server);
}

/*
 * What the user asks of a server.
 */

static const char used[] = "a server was used";

static int server_address(const struct sfr__server *server, char *out, size_t size)
{
	const struct sfr__system *system = server->net->loop->engine->system;
	struct sfr__address local = {.size = sizeof(local.addr)};
	int r = system->socket_own_name(system, server->listener.fd, (struct sockaddr *)&local.addr,
					&local.size);

	return r < 0 ? r : sfr__address_print(&local, out, size);
}

static sfr_server_stats server_stats(const struct sfr__server *server)
{
	const struct sfr__tally *tally = &server->tally;
	sfr_server_stats stats = {
		.accepted = tally->accepted,
		.refused = tally->refused,
		.pauses = tally->pauses,
		.open = tally->accepted,
		.waiting = server->surplus.count - server->surplus.first,
		.received = tally->received,
		.sent = tally->sent,
		.ended_finished = tally->ended[SFR__END_FINISHED],
		.ended_closed = tally->ended[SFR__END_CLOSED],
		.ended_reset = tally->ended[SFR__END_RESET],
		.ended_timed_out = tally->ended[SFR__END_TIMED_OUT],
		.ended_slow = tally->ended[SFR__END_SLOW],
		.ended_failed = tally->ended[SFR__END_FAILED],
	};

	for (int i = 0; i < SFR__ENDS; i++)
		stats.open -= tally->ended[i];
	return stats;
}

void sfr_server_stop(sfr_server *handle)
{
	struct sfr__server *server = sfr__server_of(handle);

	if (server)
		server_stop(server);
	else
		sfr__handle_report(handle, used);
}

void sfr_server_close(sfr_server *handle)
{
	struct sfr__server *server = sfr__server_of(handle);

	if (server)
		server_close(server);
	else
		sfr__handle_report(handle, used);
}

int sfr_server_address(const sfr_server *handle, char *out, size_t size)
{
	const struct sfr__server *server = sfr__server_of(handle);

	return server ? server_address(server, out, size) : sfr__handle_refuse(handle, used);
}

void sfr_server_each(sfr_server *handle, void (*fn)(sfr_conn *conn, void *arg), void *arg)
{
	const struct sfr__server *server = sfr__server_of(handle);
	struct sfr__net *net;
	struct sfr__visit visit;

	if (!server) {
		sfr__handle_report(handle, used);
		return;
	}
	net = server->net;
	visit = (struct sfr__visit){.next = net->conns.next, .outer = net->visits};
	net->visits = &visit;
	while (visit.next != &net->conns && sfr__server_of(handle)) { /* fn may close it */
		struct sfr__conn *conn = sfr__container(visit.next, struct sfr__conn, object.hook);

		visit.next = conn->object.hook.next;
		if (conn->terms->server == server && conn->state < SFR__CONN_CLOSING)
			fn(sfr__conn_handle(conn), arg);
	}
	net->visits = visit.outer;
}

void sfr_server_stats_get(const sfr_server *handle, sfr_server_stats *out, size_t size)
{
	const struct sfr__server *server = sfr__server_of(handle);
	sfr_server_stats stats;

	memset(out, 0, size);
	if (!server) {
		sfr__handle_report(handle, used);
		return;
	}
	stats = server_stats(server);
	memcpy(out, &stats, size < sizeof(stats) ? size : sizeof(stats));
}

size_t sfr_server_conns(const sfr_server *handle)
{
	const struct sfr__server *server = sfr__server_of(handle);

	if (server)
		return server->conns;
	sfr__handle_report(handle, used);
	return 0;
}

static const char *state_name(const struct sfr__server *server)
{
	switch ((enum sfr__server_state)server->state) {
	case SFR__SERVER_LISTENING:
		return server->waits    ? "cannot accept, tries again"
		       : server->accept ? "listening"
					: "full";
	case SFR__SERVER_EMPTYING:
		return "emptying its backlog";
	case SFR__SERVER_STOPPING:
		return "stopping";
	case SFR__SERVER_STOPPED:
		return "stopped";
	}
	return "?";
}

void sfr__servers_dump(const struct sfr__net *net, const struct sfr__dump *dump)
{
	const struct sfr__hook *hook;
	char address[SFR__ADDRESS_ROOM];

	for (hook = net->servers.next; hook != &net->servers; hook = hook->next) {
		const struct sfr__server *server = sfr__container(hook, const struct sfr__server,
								  object.hook);

		sfr__dump_say(dump, "server %p: %s", (const void *)sfr__server_handle(server),
			      state_name(server));
		if (server->listener.fd >= 0)
			sfr__dump_say(dump, ", fd %d", server->listener.fd);
		if (server->listener.fd >= 0 &&
		    server_address(server, address, sizeof(address)) >= 0)
			sfr__dump_say(dump, ", %s", address);
		sfr__dump_say(dump, ", %zu connections", server->conns);
		if (server->surplus.count)
			sfr__dump_say(dump, ", %u more wait for room",
				      server->surplus.count - server->surplus.first);
		if (server->accept)
			sfr__dump_say(dump, ", accepts by op 0x%" PRIx64, (uint64_t)server->accept);
		sfr__dump_say(dump, "\n");
	}
}

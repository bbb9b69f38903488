/* SPDX-License-Identifier: MIT */
/*
 * A server: the end of its listening socket and of itself, and what is asked of it.
 */
#include "net/server.h"
#include "loop/dump.h"
#include "net/address.h"
#include "op/cancel.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/*
 * The end of a server.
 */

void sfr__server_settle(struct sfr__server *server)
{
	if (server->state == SFR__SERVER_STOPPING && !server->accept) {
		sfr__listener_close(server->net->loop, &server->listener);
		server->state = SFR__SERVER_STOPPED;
	}
	if (server->state == SFR__SERVER_STOPPED && server->given_up && !server->conns) {
		sfr__list_remove(&server->hook);
		free(server);
	}
}

static void server_stop(struct sfr__server *server)
{
	if (server->state != SFR__SERVER_LISTENING)
		return;
	server->state = SFR__SERVER_STOPPING;
	sfr__ticket_cancel(server->net->loop, server->accept);
}

void sfr__servers_drain(struct sfr__net *net)
{
	struct sfr__hook *hook, *next;

	for (hook = net->servers.next; hook != &net->servers; hook = next) {
		struct sfr__server *server = sfr__container(hook, struct sfr__server, hook);

		next = hook->next;
		server_stop(server);
		sfr__server_settle(server);
	}
}

void sfr__servers_free(struct sfr__net *net)
{
	while (!sfr__list_empty(&net->servers)) {
		struct sfr__server *server = sfr__container(net->servers.next, struct sfr__server,
							    hook);

		server->given_up = true;
		server_stop(server);
		sfr__server_settle(server);
	}
}

void sfr__server_conn_closed(struct sfr__server *server)
{
	server->conns--;
	sfr__server_settle(server);
}

void sfr_server_close(sfr_server *handle)
{
	struct sfr__server *server = sfr__server_of(handle);
	struct sfr__hook *hook, *conns = &server->net->conns;

	if (sfr__loop_check(server->net->loop, "a server was closed") < 0)
		return;
	server->given_up = true;
	server_stop(server);
	for (hook = conns->next; hook != conns; hook = hook->next) {
		struct sfr__conn *conn = sfr__container(hook, struct sfr__conn, hook);

		if (conn->terms->server == server)
			sfr__conn_close(conn, -ECANCELED);
	}
	sfr__server_settle(server);
}

/*
 * What the user asks of a server.
 */

int sfr_server_address(const sfr_server *handle, char *out, size_t size)
{
	const struct sfr__server *server = sfr__server_of(handle);
	const struct sfr__system *system = server->net->loop->engine->system;
	struct sfr__address local = {.size = sizeof(local.addr)};
	int r = system->socket_own_name(system, server->listener.fd, (struct sockaddr *)&local.addr,
					&local.size);

	return r < 0 ? r : sfr__address_print(&local, out, size);
}

size_t sfr_server_conns(const sfr_server *handle)
{
	const struct sfr__server *server = sfr__server_of(handle);

	return server->conns;
}

static const char *state_name(const struct sfr__server *server)
{
	switch ((enum sfr__server_state)server->state) {
	case SFR__SERVER_LISTENING:
		return server->complained ? "cannot accept, tries again" : "listening";
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
								  hook);

		sfr__dump_say(dump, "server %p: %s", (const void *)sfr__server_handle(server),
			      state_name(server));
		if (server->listener.fd >= 0)
			sfr__dump_say(dump, ", fd %d", server->listener.fd);
		if (server->listener.fd >= 0 &&
		    sfr_server_address(sfr__server_handle(server), address, sizeof(address)) >= 0)
			sfr__dump_say(dump, ", %s", address);
		sfr__dump_say(dump, ", %zu connections", server->conns);
		if (server->accept)
			sfr__dump_say(dump, ", accepts by op 0x%" PRIx64, (uint64_t)server->accept);
		sfr__dump_say(dump, "\n");
	}
}

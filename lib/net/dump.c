/* SPDX-License-Identifier: MIT */
/*
 * sfr_loop_dump(), which asks every room, and the lines of servers and connections.
 */
#include "batch/dump.h"
#include "loop/dump.h"
#include "net/address.h"
#include "net/conn.h"
#include "net/server.h"
#include "op/dump.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <inttypes.h>

static void ticket_dump(const struct sfr__dump *dump, const char *what, sfr_ticket ticket)
{
	if (ticket)
		sfr__dump_say(dump, ", %s 0x%" PRIx64, what, (uint64_t)ticket);
}

static void conn_dump(struct sfr__dump *dump, const struct sfr__conn *conn)
{
	const struct sfr__send_queue *queue = &conn->queue;
	char peer[SFR__ADDRESS_ROOM] = "";
	size_t parts;

	if (conn->state != SFR__CONN_CONNECTING && sfr__conn_peer(conn, peer, sizeof(peer)) < 0)
		*peer = '\0';
	parts = sfr__dump_chain(dump, queue->head, &dump->bufs_queued);
	sfr__dump_say(dump, "conn %p: %s, fd %d", (const void *)sfr__conn_handle(conn),
		      sfr__conn_states[conn->state], conn->fd);
	if (conn->terms->server)
		sfr__dump_say(dump, ", server %p",
			      (const void *)sfr__server_handle(conn->terms->server));
	if (*peer)
		sfr__dump_say(dump, ", peer %s", peer);
	sfr__dump_say(dump, ", %" PRIu64 " bytes queued, %zu buffers wait%s%s%s%s", queue->bytes,
		      parts, conn->paused ? ", paused" : "",
		      conn->choked ? ", above the high-water mark" : "",
		      conn->peer_finished ? ", the peer has finished" : "",
		      conn->local_finished ? ", finished here" : "");
	ticket_dump(dump, "receives by op", conn->recv);
	ticket_dump(dump, "sends by op", conn->send);
	ticket_dump(dump, "waits for op", conn->other);
	sfr__dump_say(dump, "\n");
}

static void net_dump(struct sfr__dump *dump)
{
	const struct sfr__resident *resident = dump->loop->resident;
	const struct sfr__hook *hook;
	const struct sfr__net *net;

	if (!resident)
		return;
	net = sfr__container(resident, const struct sfr__net, resident);
	sfr__servers_dump(net, dump);
	for (hook = net->conns.next; hook != &net->conns; hook = hook->next)
		conn_dump(dump, sfr__container(hook, const struct sfr__conn, object.hook));
}

/* NULL: it is shown. A stranger only looks, so to ask is no misuse: preset development would abort. */
static const char *why_not_shown(const sfr_loop *loop)
{
	if (!loop)
		return "there is no loop";
	if (sfr__pool_is_forked(loop->pool))
		return sfr_strerror(-SFR_EFORKED);
	return sfr__pool_is_open(loop->pool) ? NULL : sfr_strerror(-SFR_ETHREAD);
}

void sfr_loop_dump(const sfr_loop *loop, FILE *out)
{
	struct sfr__dump dump = {.loop = loop, .out = out ? out : stderr};
	const char *why = why_not_shown(loop);
	int saved = errno;

	if (why) {
		sfr__dump_say(&dump, "loop %p: not shown: %s\n", (const void *)loop, why);
	} else {
		sfr__loop_dump_head(&dump);
		sfr__ops_dump(&dump);
		sfr__batches_dump(&dump);
		net_dump(&dump);
		sfr__loop_dump_parts(&dump);
	}
	errno = saved;
}

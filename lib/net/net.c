/* SPDX-License-Identifier: MIT */
/*
 * Net: what a loop asks of its connections once a turn, and when it drains.
 *
 * A connection has at most one receive, one send and one other op, each known by its ticket. conn_settle() looks at
 * what is true of it now, and starts what should be in flight.
 */
#include "net/net.h"
#include "net/accept.h"
#include "net/receive.h"
#include "net/send.h"
#include "net/server.h"
#include "op/cancel.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Connections.
 */

static void conn_settle_closing(struct sfr__conn *conn)
{
	if (!conn->recv && !conn->send && !conn->other)
		sfr__conn_close_fd(conn);
}

/* The peer has finished, and the program has no say in what follows: the connection is finished here as well once it is
 * not busy. What its on_data began may show in the turn after it. */
static void conn_settle_end(struct sfr__conn *conn)
{
	if (conn->handlers->on_end || conn->holds || conn->send || conn->queue.head)
		return;
	if ((uint32_t)conn->net->loop->stats.turns - conn->data_turn > 1)
		conn->local_finished = true;
	else
		sfr__conn_touch(conn);
}

/* The program is done with it, and its peer has been told: that one may take some time to finish as well. */
static void conn_settle_finish(struct sfr__conn *conn)
{
	if (conn->lingering && conn->peer_finished)
		sfr__ticket_cancel(conn->net->loop, conn->other);
	else if (conn->told_peer && !conn->other && !conn->peer_finished)
		sfr__conn_linger(conn);
}

/* What an open connection should have in flight, given what is true of it. */
static void conn_settle_open(struct sfr__conn *conn)
{
	bool sent;

	if (!conn->send && conn->queue.head)
		sfr__conn_send_queued(conn);
	if (sfr__unlikely(conn->state != SFR__CONN_OPEN))
		return;
	if (sfr__unlikely(conn->peer_finished && !conn->local_finished))
		conn_settle_end(conn);
	sent = !conn->send && !conn->queue.head;
	if (sent && conn->peer_finished && conn->local_finished && !conn->other) {
		sfr__conn_close(conn, 0);
		conn_settle_closing(conn);
		return;
	}
	if (sent && conn->local_finished && !conn->told_peer && !conn->other) {
		conn->told_peer = true;
		sfr__conn_shut(conn, SHUT_WR);
	}
	if (sfr__unlikely(conn->finishing))
		conn_settle_finish(conn);
	sfr__conn_settle_receive(conn);
}

static void conn_settle(struct sfr__conn *conn)
{
	switch ((enum sfr__conn_state)conn->state) {
	case SFR__CONN_CONNECTING:
	case SFR__CONN_CLOSED:
		break;
	case SFR__CONN_OPEN:
		conn_settle_open(conn);
		break;
	case SFR__CONN_FAILED:
		if (!conn->recv && !conn->send)
			sfr__conn_receive_rest(conn);
		break;
	case SFR__CONN_CLOSING:
		conn_settle_closing(conn);
		break;
	}
}

/*
 * Handlers.
 */

struct sfr__handler_set {
	struct sfr__handler_set *next;
	sfr_handlers handlers;
};

const sfr_handlers *sfr__net_handlers(struct sfr__net *net, const sfr_handlers *handlers)
{
	struct sfr__handler_set *set = net->handlers;

	while (set && memcmp(&set->handlers, handlers, sizeof(*handlers)) != 0)
		set = set->next;
	if (set)
		return &set->handlers;
	set = malloc(sizeof(*set));
	if (!set)
		return NULL;
	*set = (struct sfr__handler_set){net->handlers, *handlers};
	net->handlers = set;
	return &set->handlers;
}

static void handler_sets_free(struct sfr__net *net)
{
	while (net->handlers) {
		struct sfr__handler_set *set = net->handlers;

		net->handlers = set->next;
		free(set);
	}
}

/*
 * The resident.
 */

static struct sfr__net *net_of(const struct sfr__resident *resident)
{
	return sfr__container(resident, struct sfr__net, resident);
}

static bool net_flush(struct sfr__resident *resident)
{
	struct sfr__net *net = net_of(resident);
	struct sfr__hook dirty;

	if (sfr__unlikely(!sfr__sent_is_empty(&net->unsent)))
		sfr__sent_tell(&net->unsent, net->loop);
	sfr__servers_flush(net);
	sfr__relief_turn(net);
	if (!sfr__list_empty(&net->dirty))
		net->now_ns = sfr__loop_clock_ns(net->loop);
	sfr__list_move(&dirty, &net->dirty);
	while (!sfr__list_empty(&dirty)) {
		struct sfr__conn *conn = sfr__container(dirty.next, struct sfr__conn, dirty);

		sfr__list_remove(&conn->dirty);
		conn_settle(conn);
	}
	sfr__relief_wait(net);
	return !sfr__list_empty(&net->dirty) || !sfr__sent_is_empty(&net->unsent);
}

static bool net_gathered(const struct sfr__resident *resident)
{
	const struct sfr__net *net = net_of(resident);

	return !sfr__list_empty(&net->dirty) || !sfr__sent_is_empty(&net->unsent) ||
	       sfr__servers_wait(net);
}

static bool net_waits(const struct sfr__resident *resident)
{
	return !sfr__list_empty(&net_of(resident)->relief.held);
}

static void net_drain(struct sfr__resident *resident)
{
	struct sfr__net *net = net_of(resident);
	struct sfr__hook *hook;

	sfr__servers_drain(net);
	for (hook = net->conns.next; hook != &net->conns; hook = hook->next)
		sfr__conn_close(sfr__container(hook, struct sfr__conn, object.hook), -ECANCELED);
}

static bool net_busy(const struct sfr__resident *resident)
{
	const struct sfr__net *net = net_of(resident);

	return !sfr__list_empty(&net->conns) || !sfr__sent_is_empty(&net->unsent);
}

static void net_free(struct sfr__resident *resident)
{
	struct sfr__net *net = net_of(resident);

	sfr__servers_free(net);
	sfr__relief_fini(net);
	handler_sets_free(net);
	free(net);
}

struct sfr__net *sfr__net_of(sfr_loop *loop)
{
	struct sfr__net *net;

	if (loop->resident)
		return net_of(loop->resident);
	net = calloc(1, sizeof(*net));
	if (!net)
		return NULL;
	net->resident = (struct sfr__resident){.flush = net_flush,
					       .gathered = net_gathered,
					       .waits = net_waits,
					       .drain = net_drain,
					       .busy = net_busy,
					       .free = net_free};
	net->loop = loop;
	net->terms = (struct sfr__terms){.settings = loop->settings.server, .tally = &net->tally};
	net->conn_closed = sfr__server_conn_closed;
	sfr__list_init(&net->conns);
	sfr__list_init(&net->dirty);
	sfr__list_init(&net->servers);
	sfr__relief_init(net);
	loop->resident = &net->resident;
	return net;
}

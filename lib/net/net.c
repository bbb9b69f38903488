/* SPDX-License-Identifier: MIT */
/*
 * Net: what a loop asks of its connections once a turn, when receivers starve, and when it drains.
 */
#include "net/net.h"
#include "net/server.h"
#include <errno.h>
#include <stdlib.h>

/*
 * Relief: a peer that does not read must not keep the slab from the others. While receivers starve and
 * no buffer has come back for some time, what is queued for slow peers is copied to the heap, where the
 * water marks bound it.
 */

#define RELIEF_NS 20000000U

static bool net_starving(const struct sfr__net *net)
{
	return atomic_load_explicit(&net->loop->pool->starving, memory_order_relaxed);
}

/* Changes with each buffer that is given to the kernel. */
static uint16_t filled_so_far(const struct sfr__net *net)
{
	const struct sfr__recv_ring *recv = net->loop->recv;

	return (uint16_t)(recv[SFR__RECV_COMMON].tail + recv[SFR__RECV_STREAM].tail);
}

static void relief_watch(struct sfr__net *net)
{
	net->relieving = true;
	net->relief_tail = filled_so_far(net);
	sfr__wheel_add(&net->loop->wheel, &net->relief, sfr__loop_clock_ns(net->loop) + RELIEF_NS);
}

/* True if there was something to relieve. */
static bool relieve_all(struct sfr__net *net, bool shared)
{
	struct sfr__hook *hook;
	bool any = false;

	for (hook = net->conns.next; hook != &net->conns; hook = hook->next)
		any |= sfr__conn_relieve(sfr__container(hook, sfr_conn, hook), shared);
	return any;
}

/* What was shared is copied for each who still waits for it, so it comes last. */
static void relief_fired(struct sfr__timer *timer)
{
	struct sfr__net *net = sfr__container(timer, struct sfr__net, relief);

	net->relieving = false;
	if (net_starving(net) && net->relief_tail == filled_so_far(net) && !relieve_all(net, false))
		(void)relieve_all(net, true);
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

	sfr__servers_flush(net);
	sfr__list_move(&dirty, &net->dirty);
	while (!sfr__list_empty(&dirty)) {
		sfr_conn *conn = sfr__container(dirty.next, sfr_conn, dirty);

		sfr__list_remove(&conn->dirty);
		sfr__conn_settle(conn);
	}
	return !sfr__list_empty(&net->dirty);
}

static bool net_gathered(const struct sfr__resident *resident)
{
	const struct sfr__net *net = net_of(resident);

	return !sfr__list_empty(&net->dirty) || sfr__servers_wait(net);
}

static void net_starve(struct sfr__resident *resident)
{
	struct sfr__net *net = net_of(resident);

	if (!net->relieving)
		relief_watch(net);
}

static void net_drain(struct sfr__resident *resident)
{
	struct sfr__net *net = net_of(resident);
	struct sfr__hook *hook;

	sfr__servers_drain(net);
	for (hook = net->conns.next; hook != &net->conns; hook = hook->next)
		sfr__conn_close(sfr__container(hook, sfr_conn, hook), -ECANCELED);
}

static bool net_busy(const struct sfr__resident *resident)
{
	return !sfr__list_empty(&net_of(resident)->conns);
}

static void net_free(struct sfr__resident *resident)
{
	struct sfr__net *net = net_of(resident);

	sfr__servers_free(net);
	if (net->relieving)
		sfr__wheel_remove(&net->loop->wheel, &net->relief);
	while (!sfr__list_empty(&net->spare)) {
		sfr_conn *conn = sfr__container(net->spare.next, sfr_conn, hook);

		sfr__list_remove(&conn->hook);
		free(conn);
	}
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
					       .starve = net_starve,
					       .drain = net_drain,
					       .busy = net_busy,
					       .free = net_free};
	net->loop = loop;
	net->conn_closed = sfr__server_conn_closed;
	net->relief.fire = relief_fired;
	sfr__list_init(&net->conns);
	sfr__list_init(&net->dirty);
	sfr__list_init(&net->spare);
	sfr__list_init(&net->servers);
	loop->resident = &net->resident;
	return net;
}

/* SPDX-License-Identifier: MIT */
/*
 * Relief: rounds in which each connection has its share, and who is ended when that is not enough.
 */
#include "net/relief.h"
#include "net/receive.h"
#include "net/send.h"
#include <limits.h>

#define ROUND_NS 10000000U
#define BATCH_MAX 64U

/*
 * Rounds.
 */

static void held_release(struct sfr__net *net)
{
	struct sfr__hook *held = &net->relief.held;

	while (!sfr__list_empty(held)) {
		struct sfr__conn *conn = sfr__container(held->next, struct sfr__conn, dirty);

		conn->held = false;
		sfr__list_remove(&conn->dirty);
		sfr__list_append(&net->dirty, &conn->dirty);
	}
}

static void round_begin(struct sfr__net *net, uint64_t now)
{
	struct sfr__relief *relief = &net->relief;
	const uint64_t left = sfr__pressure_left(net->loop);
	uint64_t conns = net->conn_count ? net->conn_count : 1;

	relief->round++;
	relief->round_end_ns = now + ROUND_NS;
	relief->dry = sfr__pool_shares_left(net->loop->pool) == 0;
	relief->share = left / 2 / conns;
	held_release(net);
}

/*
 * Slow peers.
 */

struct slow {
	struct sfr__conn *conn;
	uint64_t waited_ns;
};

/* Among the `count` that have waited longest, in that order; the last one may fall out. */
static unsigned slow_insert(struct slow *slow, unsigned count, unsigned max, struct slow next)
{
	unsigned at = count < max ? count : max - 1;

	if (count == max && slow[at].waited_ns >= next.waited_ns)
		return count;
	for (; at > 0 && slow[at - 1].waited_ns < next.waited_ns; at--)
		slow[at] = slow[at - 1];
	slow[at] = next;
	return count < max ? count + 1 : max;
}

/*
 * Time counts up to the last look at completions. A program that blocks its loop for a second has not waited for its
 * peers.
 */
static void slow_ask(struct sfr__net *net)
{
	const uint64_t now = net->loop->now;
	struct sfr__relief *relief = &net->relief;
	struct slow slow[BATCH_MAX];
	uint64_t soonest = net->loop->settings.server.slow_after_ns;
	struct sfr__hook *hook;
	unsigned count = 0, i;

	for (hook = net->conns.next; hook != &net->conns; hook = hook->next) {
		struct sfr__conn *conn = sfr__container(hook, struct sfr__conn, object.hook);
		uint64_t waited = sfr__conn_waited(conn, now);
		uint64_t slow_ns = sfr__conn_settings(conn)->slow_after_ns;

		if (waited >= slow_ns)
			count = slow_insert(slow, count, relief->batch,
					    (struct slow){conn, waited});
		else if (slow_ns - waited < soonest)
			soonest = slow_ns - waited;
	}
	for (i = 0; i < count; i++)
		sfr__conn_ask(slow[i].conn);
	if (count == relief->batch && relief->batch < BATCH_MAX)
		relief->batch *= 2;
	if (!count)
		relief->slow_at_ns = now + soonest + SFR__CONN_TICK_NS;
}

/*
 * The life of a shortage.
 */

/* Its wake-up is all there is to it. */
static void timer_fired(struct sfr__timer *timer)
{
	sfr__container(timer, struct sfr__relief, timer)->timed = false;
}

/* Who has more than its share already is to stop now, not with what it receives next: it may be armed for as many
 * buffers as there are. */
static void greedy_stop(struct sfr__net *net)
{
	struct sfr__hook *hook;

	for (hook = net->conns.next; hook != &net->conns; hook = hook->next)
		sfr__conn_look(sfr__container(hook, struct sfr__conn, object.hook));
}

static void relief_begin(struct sfr__net *net)
{
	struct sfr__relief *relief = &net->relief;

	relief->on = true;
	relief->batch = 1;
	relief->slow_at_ns = 0;
	round_begin(net, sfr__loop_clock_ns(net->loop));
	greedy_stop(net);
}

static void relief_end(struct sfr__net *net)
{
	net->relief.on = false;
	held_release(net);
	if (net->relief.timed)
		sfr__wheel_remove(&net->loop->wheel, &net->relief.timer);
	net->relief.timed = false;
}

void sfr__relief_turn(struct sfr__net *net)
{
	struct sfr__relief *relief = &net->relief;
	uint64_t now;

	/* Before the loop sleeps: the program may have taken some since the last turn. */
	sfr__pressure_look(net->loop);
	if (sfr__likely(!net->loop->pressure.on)) {
		if (sfr__unlikely(relief->on))
			relief_end(net);
		return;
	}
	if (!relief->on)
		relief_begin(net);
	now = sfr__loop_clock_ns(net->loop);
	if (now >= relief->round_end_ns)
		round_begin(net, now);
	if (!relief->asked && now >= relief->slow_at_ns)
		slow_ask(net);
}

void sfr__relief_wait(struct sfr__net *net)
{
	struct sfr__relief *relief = &net->relief;
	uint64_t due = UINT64_MAX;

	if (sfr__likely(!relief->on))
		return;
	if (!relief->asked) /* else their answers wake the loop */
		due = relief->slow_at_ns;
	if (!sfr__list_empty(&relief->held) && relief->round_end_ns < due)
		due = relief->round_end_ns;
	if (relief->timed)
		sfr__wheel_remove(&net->loop->wheel, &relief->timer);
	relief->timed = due != UINT64_MAX;
	if (relief->timed)
		sfr__wheel_add(&net->loop->wheel, &relief->timer, due);
}

void sfr__relief_init(struct sfr__net *net)
{
	sfr__list_init(&net->relief.held);
	net->relief.timer.fire = timer_fired;
}

void sfr__relief_fini(struct sfr__net *net)
{
	if (net->relief.timed)
		sfr__wheel_remove(&net->loop->wheel, &net->relief.timer);
}

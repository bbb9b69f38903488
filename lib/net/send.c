/* SPDX-License-Identifier: MIT */
/*
 * Sending: what is given to a connection, the one send that is in flight, and what follows when it fails.
 */
#include "net/send.h"
#include "op/build.h"
#include "op/cancel.h"
#include "op/start.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <limits.h>

static void conn_choke(struct sfr__conn *conn)
{
	conn->choked = conn->choked || conn->queue.memory > sfr__conn_settings(conn)->high_water;
}

/* The queue fell: below the low-water mark receiving goes on. */
static void conn_unchoke(struct sfr__conn *conn)
{
	if (!conn->choked || conn->queue.memory > sfr__conn_settings(conn)->low_water)
		return;
	conn->choked = false;
	if (conn->handlers->on_drain)
		conn->handlers->on_drain(sfr__conn_handle(conn), conn->arg);
}

/*
 * Memory is short.
 */

uint64_t sfr__conn_waited(const struct sfr__conn *conn, uint64_t now_ns)
{
	uint32_t ticks = (uint32_t)(now_ns >> SFR__CONN_TICK_SHIFT) - conn->sent_at;

	if (conn->state != SFR__CONN_OPEN || !conn->send || conn->asked || ticks > INT32_MAX ||
	    !conn->queue.pool_memory)
		return 0; /* it may have begun after `now_ns` */
	return (uint64_t)ticks << SFR__CONN_TICK_SHIFT;
}

void sfr__conn_ask(struct sfr__conn *conn)
{
	conn->asked = true;
	conn->net->relief.asked++;
	sfr__ticket_cancel(sfr__conn_loop(conn), conn->send);
}

/* How far did it get? Nowhere: it is ended, if there still is no room. */
static int conn_answered(struct sfr__conn *conn, int result)
{
	sfr_loop *loop = sfr__conn_loop(conn);

	conn->asked = false;
	sfr__invariant(conn->net->relief.asked > 0);
	conn->net->relief.asked--;
	if (loop->draining || (result != 0 && result != -ECANCELED))
		return result;
	sfr__pressure_look(loop);
	return loop->pressure.on ? -SFR_ESLOW : 0;
}

static void conn_end_slow(struct sfr__conn *conn)
{
	sfr_loop *loop = sfr__conn_loop(conn);

	if (conn->state != SFR__CONN_OPEN)
		return;
	sfr__pressure_tell(loop);
	loop->stats.ended_slow++;
	sfr__conn_close(conn, -SFR_ESLOW);
}

/*
 * The send in flight.
 */

static void conn_sent(sfr_loop *loop, int result, sfr_buf *chain, void *arg)
{
	struct sfr__conn *conn = arg;

	(void)loop;
	conn->send = 0;
	if (sfr__likely(result > 0))
		conn->terms->tally->sent += (uint32_t)result;
	if (sfr__unlikely(conn->asked))
		result = conn_answered(conn, result);
	else if (result == 0)
		result = -EPIPE; /* a stream that takes nothing has no reader */
	if (conn->state != SFR__CONN_OPEN || result < 0) {
		sfr__send_queue_drop(&conn->queue, chain);
		if (result == -SFR_ESLOW)
			conn_end_slow(conn);
		else
			sfr__conn_fail(conn, result);
	} else {
		sfr__send_queue_sent(&conn->queue, chain, (uint64_t)result);
		conn_unchoke(conn);
	}
	sfr__conn_touch(conn);
}

void sfr__conn_send_queued(struct sfr__conn *conn)
{
	sfr_buf *chain = sfr__send_queue_take(&conn->queue, SFR__GATHER_MAX);
	sfr_op *op = sfr__op_send_chain(sfr__conn_loop(conn), conn->fd, chain);

	if (sfr__unlikely(!op)) { /* no memory to gather with: one at a time needs none */
		sfr__send_queue_sent(&conn->queue, chain, 0);
		chain = sfr__send_queue_take(&conn->queue, 1);
		op = sfr__op_send_chain(sfr__conn_loop(conn), conn->fd, chain);
	}
	if (sfr__unlikely(
		    !op)) { /* only a buffer of a stand-alone pool has no cell to be sent in */
		sfr__send_queue_drop(&conn->queue, chain);
		sfr__conn_fail(conn, -ENOMEM);
		return;
	}
	conn->sent_at = (uint32_t)(conn->net->now_ns >> SFR__CONN_TICK_SHIFT);
	conn->send = sfr__op_submit(op, conn_sent, conn);
}

/*
 * The public call.
 */

/* A send that cannot be: the connection ends with its reason. */
static int conn_send_refused(struct sfr__conn *conn, int err)
{
	sfr__conn_fail(conn, err);
	return err;
}

static int conn_send(struct sfr__conn *conn, sfr_buf *buf)
{
	int r = buf ? sfr__buf_give(sfr__conn_loop(conn)->pool, buf) : -SFR_EPOOLEMPTY;
	uint64_t len;
	size_t parts;

	if (sfr__unlikely(r == -SFR_EINFLIGHT || !buf))
		return conn->state > SFR__CONN_OPEN ? -ECANCELED : conn_send_refused(conn, r);
	len = sfr__chain_measure(buf, &parts);
	if (conn->state > SFR__CONN_OPEN)
		r = -ECANCELED;
	else if (conn->local_finished)
		r = -EPIPE;
	else if (r < 0 || len > INT_MAX)
		r = conn_send_refused(conn, r < 0 ? r : -EMSGSIZE);
	else if (conn->queue.bytes + len > sfr__conn_settings(conn)->queue_max)
		r = conn_send_refused(conn, -ENOBUFS);
	if (sfr__unlikely(r < 0 || len == 0)) {
		sfr__buf_drop_chain(buf);
		return r;
	}
	sfr__send_queue_push(&conn->queue, buf);
	conn_choke(conn);
	sfr__conn_touch(conn);
	return (int)len;
}

int sfr_conn_send(sfr_conn *handle, sfr_buf *buf)
{
	struct sfr__conn *conn = sfr__conn_of(handle);

	if (sfr__likely(conn != NULL))
		return conn_send(conn, buf);
	sfr_buf_release(buf);
	return sfr__conn_refuse(handle);
}

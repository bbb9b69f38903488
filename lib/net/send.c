/* SPDX-License-Identifier: MIT */
/*
 * Sending: what is given to a connection, the one send that is in flight, and what follows when it fails.
 */
#include "net/send.h"
#include "net/send_file.h"
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

static __attribute__((noinline)) void conn_drain(struct sfr__conn *conn)
{
	conn->choked = false;
	if (conn->handlers->on_drain)
		conn->handlers->on_drain(sfr__conn_handle(conn), conn->arg);
}

/* The queue fell: below the low-water mark receiving goes on. */
static inline void conn_unchoke(struct sfr__conn *conn)
{
	if (conn->choked && conn->queue.memory <= sfr__conn_settings(conn)->low_water)
		conn_drain(conn);
}

/*
 * Memory is short.
 */

uint64_t sfr__conn_waited(const struct sfr__conn *conn, uint64_t now_ns)
{
	uint32_t ticks = (uint32_t)(now_ns >> SFR__CONN_TICK_SHIFT) - conn->sent_at;

	if (conn->state != SFR__CONN_OPEN || !conn->send || conn->at_disk || conn->asked ||
	    ticks > INT32_MAX || !conn->queue.pool_memory)
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
int sfr__conn_answered(struct sfr__conn *conn, int result)
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

/* It failed, or the connection has ended meanwhile. */
void sfr__conn_send_failed(struct sfr__conn *conn, int result)
{
	if (result == -SFR_ESLOW)
		conn_end_slow(conn);
	else
		sfr__conn_fail(conn, result);
	sfr__send_queue_clear(&conn->queue, conn->reason, &conn->net->unsent);
}

void sfr__conn_tell_sent(struct sfr__conn *conn)
{
	sfr__sent_tell(&conn->net->sent, sfr__conn_loop(conn));
	if (conn->state == SFR__CONN_OPEN)
		conn_unchoke(conn);
}

static void conn_sent(sfr_loop *loop, int result, sfr_buf *chain, void *arg)
{
	struct sfr__conn *conn = arg;

	(void)loop;
	conn->send = 0;
	if (sfr__likely(result > 0))
		conn->terms->tally->sent += (uint32_t)result;
	if (sfr__unlikely(conn->asked))
		result = sfr__conn_answered(conn, result);
	else if (result == 0)
		result = -EPIPE; /* a stream that takes nothing has no reader */
	sfr__send_queue_sent(&conn->queue, chain, result > 0 ? (uint64_t)result : 0,
			     &conn->net->sent);
	if (sfr__unlikely(conn->state != SFR__CONN_OPEN || result < 0))
		sfr__conn_send_failed(conn, result);
	if (sfr__unlikely(!sfr__sent_is_empty(&conn->net->sent)))
		sfr__conn_tell_sent(conn);
	else if (sfr__likely(conn->state == SFR__CONN_OPEN))
		conn_unchoke(conn);
	sfr__conn_touch(conn);
}

/* What is empty is at the front, to tell when all before it is sent. */
static __attribute__((noinline)) void conn_skip(struct sfr__conn *conn)
{
	sfr__send_queue_skip(&conn->queue, &conn->net->sent);
	sfr__conn_tell_sent(conn);
	sfr__conn_touch(conn);
}

void sfr__conn_send_queued(struct sfr__conn *conn)
{
	sfr_buf *chain;
	sfr_op *op;

	if (sfr__unlikely(!sfr__buf_len(conn->queue.head))) {
		if (sfr__buf(conn->queue.head)->note == SFR__NOTE_FILE)
			sfr__conn_send_file(conn);
		else
			conn_skip(conn);
		return;
	}
	chain = sfr__send_queue_take(&conn->queue, SFR__GATHER_MAX);
	op = sfr__op_send_chain(sfr__conn_loop(conn), conn->fd, chain);
	if (sfr__unlikely(!op)) { /* no memory to gather with: one at a time needs none */
		sfr__send_queue_sent(&conn->queue, chain, 0, &conn->net->sent);
		chain = sfr__send_queue_take(&conn->queue, 1);
		op = sfr__op_send_chain(sfr__conn_loop(conn), conn->fd, chain);
	}
	if (sfr__unlikely(
		    !op)) { /* only a buffer of a stand-alone pool has no cell to be sent in */
		sfr__send_queue_sent(&conn->queue, chain, 0, &conn->net->sent);
		sfr__conn_fail(conn, -ENOMEM);
		return;
	}
	sfr__conn_clock(conn);
	conn->send = sfr__op_submit(op, conn_sent, conn);
}

/*
 * The public calls.
 */

/* A send that cannot be: the connection ends with its reason. */
static int conn_send_refused(struct sfr__conn *conn, int err)
{
	sfr__conn_fail(conn, err);
	return err;
}

/* There is no buffer to send. */
static int conn_send_nothing(struct sfr__conn *conn, int err)
{
	return conn->state > SFR__CONN_OPEN ? -ECANCELED : conn_send_refused(conn, err);
}

/* 0 if so many bytes may be queued, of a buffer that was given with the result `r`; else why not. */
static inline int conn_admit(struct sfr__conn *conn, int r, uint64_t len)
{
	if (conn->state > SFR__CONN_OPEN)
		return -ECANCELED;
	if (conn->local_finished)
		return -EPIPE;
	if (r < 0 || len > INT_MAX)
		return conn_send_refused(conn, r < 0 ? r : -EMSGSIZE);
	if (conn->queue.bytes + len > sfr__conn_settings(conn)->queue_max)
		return conn_send_refused(conn, -ENOBUFS);
	return 0;
}

static inline void conn_push(struct sfr__conn *conn, sfr_buf *buf)
{
	sfr__send_queue_push(&conn->queue, buf);
	conn_choke(conn);
	sfr__conn_touch(conn);
}

void sfr__conn_push(struct sfr__conn *conn, sfr_buf *buf)
{
	conn_push(conn, buf);
}

/* Give a buffer to the connection's loop. */
static inline int conn_give(const struct sfr__conn *conn, sfr_buf *buf)
{
	return buf ? sfr__buf_give(sfr__conn_loop(conn)->pool, buf) : -SFR_EPOOLEMPTY;
}

static int conn_send(struct sfr__conn *conn, sfr_buf *buf)
{
	int r = conn_give(conn, buf);
	uint64_t len;
	size_t parts;

	if (sfr__unlikely(r == -SFR_EINFLIGHT || !buf))
		return conn_send_nothing(conn, r);
	len = sfr__chain_measure(buf, &parts);
	r = conn_admit(conn, r, len);
	if (sfr__unlikely(r < 0 || len == 0)) {
		sfr__buf_drop_chain(buf);
		return r;
	}
	conn_push(conn, buf);
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

/* Nothing can be sent, and done is to be told why, with the buffer if that was the caller's. */
static int net_send_refused(struct sfr__net *net, sfr_buf *buf, int given, sfr_done *done,
			    void *arg, int err)
{
	sfr__loop_stir(net->loop);
	if (given == -SFR_EINFLIGHT || !buf)
		return sfr__sent_add_ghost(&net->unsent, net->loop, done, arg, err) < 0 ? -ENOMEM
											: err;
	sfr__note_add(buf, done, arg, err);
	sfr__sent_add(&net->unsent, buf, sfr__chain_last(buf));
	return err;
}

static int conn_send_then(struct sfr__conn *conn, sfr_buf *buf, sfr_done *done, void *arg)
{
	int given = conn_give(conn, buf), r;
	uint64_t len = 0;
	size_t parts;

	if (given == -SFR_EINFLIGHT || !buf) {
		r = conn_send_nothing(conn, given);
	} else {
		len = sfr__chain_measure(buf, &parts);
		r = conn_admit(conn, given, len);
	}
	if (r < 0)
		return net_send_refused(conn->net, buf, given, done, arg, r);
	sfr__note_add(buf, done, arg, (int)len);
	conn_push(conn, buf);
	return (int)len;
}

/* The connection is gone, or the caller is not on its thread. */
static int stale_send_then(const sfr_conn *handle, sfr_buf *buf, sfr_done *done, void *arg)
{
	int r = sfr__conn_refuse(handle), given;
	sfr_loop *loop = r == -SFR_ESTALE ? sfr__handle_loop(handle, SFR__HANDLE_CONN) : NULL;
	struct sfr__net *net = loop && done ? sfr__net_of(loop) : NULL;

	if (!net) { /* nobody can be told */
		sfr_buf_release(buf);
		if (r == -SFR_ESTALE && !loop)
			return -EOWNERDEAD;
		return loop && done ? -ENOMEM : r;
	}
	given = buf ? sfr__buf_give(loop->pool, buf) : 0;
	return net_send_refused(net, buf, given, done, arg, r);
}

int sfr_conn_send_then(sfr_conn *handle, sfr_buf *buf, sfr_done *done, void *arg)
{
	struct sfr__conn *conn = sfr__conn_of(handle);

	if (sfr__unlikely(!conn))
		return stale_send_then(handle, buf, done, arg);
	return done ? conn_send_then(conn, buf, done, arg) : sfr_conn_send(handle, buf);
}

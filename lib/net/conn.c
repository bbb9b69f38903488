/* SPDX-License-Identifier: MIT */
/*
 * A connection: one receive, one send, and at most one other op at a time, each known by its ticket.
 *
 * Every change goes through sfr__conn_settle: it looks at what is true now and starts what should be in
 * flight. Closing waits for all tickets to be gone, so no op of a connection can see the next owner of
 * its descriptor's number.
 */
#include "net/conn.h"
#include "base/log.h"
#include "net/address.h"
#include "op/build.h"
#include "op/cancel.h"
#include "op/receive.h"
#include "op/start.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static sfr_loop *loop_of(const sfr_conn *conn)
{
	return conn->net->loop;
}

static const struct sfr__settings *settings_of(const sfr_conn *conn)
{
	return &loop_of(conn)->settings;
}

const char *const sfr__conn_states[] = {
	[SFR__CONN_CONNECTING] = "connecting", [SFR__CONN_OPEN] = "open",
	[SFR__CONN_FAILED] = "failed",         [SFR__CONN_CLOSING] = "closing",
	[SFR__CONN_CLOSED] = "closed",
};

/* Move it to another state, and tell the log why. Twice or three times in the life of a connection. */
static void conn_move(sfr_conn *conn, enum sfr__conn_state next, const char *why)
{
	sfr__log(settings_of(conn)->log.level, SFR_LOG_DEBUG, "connection on %d: %s -> %s (%s)",
		 conn->fd, sfr__conn_states[conn->state], sfr__conn_states[next], why);
	conn->state = (uint8_t)next;
}

/* Have sfr__conn_settle called before the engine is entered. */
static void conn_touch(sfr_conn *conn)
{
	sfr__loop_stir(loop_of(conn));
	if (sfr__unlikely(conn->held)) {
		conn->held = false;
		sfr__list_remove(&conn->dirty);
	}
	if (sfr__list_empty(&conn->dirty))
		sfr__list_append(&conn->net->dirty, &conn->dirty);
}

/*
 * Receiving.
 */

static bool conn_may_receive(const sfr_conn *conn)
{
	return conn->state == SFR__CONN_OPEN && !conn->paused && !conn->choked &&
	       !conn->peer_finished;
}

/* Memory is short, and it has more of it than its part. */
static bool conn_is_greedy(const sfr_conn *conn)
{
	const struct sfr__relief *relief = &conn->net->relief;

	return relief->on && (conn->queue.pool_memory > relief->share ||
			      (conn->round == relief->round && conn->kept > relief->share));
}

static void conn_peer_finished(sfr_conn *conn)
{
	conn->peer_finished = true;
	if (!settings_of(conn)->server.half_open)
		conn->local_finished = true;
	else if (conn->handlers.on_data)
		conn->handlers.on_data(conn, 0, NULL, conn->arg);
}

/* Bytes came that the kernel had when a send failed. */
static void conn_heard(sfr_conn *conn, uint32_t count)
{
	if (conn->state != SFR__CONN_FAILED || !conn->unread_known)
		return;
	conn->unread -= count < conn->unread ? count : conn->unread;
	if (!conn->unread)
		sfr__conn_close(conn, conn->reason);
}

static void conn_deliver(sfr_conn *conn, int result, sfr_buf *buf)
{
	if (conn->state <= SFR__CONN_FAILED && conn->handlers.on_data)
		conn->handlers.on_data(conn, result, buf, conn->arg);
	else
		sfr_buf_release(buf);
}

/* The same while memory is short: what on_data has kept counts, but for what is queued for this connection, which is
 * looked at by itself. */
static void conn_deliver_counted(sfr_conn *conn, int result, sfr_buf *buf)
{
	const struct sfr__pool *pool = loop_of(conn)->pool;
	const uint16_t round = conn->net->relief.round;
	int64_t before = (int64_t)(sfr__pool_in_use(pool) - sfr__buf_memory(sfr__buf(buf)) -
				   conn->queue.pool_memory);
	int64_t kept;

	conn_deliver(conn, result, buf);
	kept = (int64_t)(sfr__pool_in_use(pool) - conn->queue.pool_memory) - before;
	if (conn->round != round)
		conn->kept = 0;
	conn->round = round;
	if (kept > 0)
		conn->kept += kept < UINT32_MAX - conn->kept ? (uint32_t)kept
							     : UINT32_MAX - conn->kept;
	if (conn->recv && conn_is_greedy(conn))
		conn_touch(conn);
}

/* Memory is there again: the receive is armed anew, for as many buffers as there are. */
static void conn_widen(sfr_conn *conn)
{
	conn->single = false;
	if (conn->state == SFR__CONN_OPEN)
		sfr__ticket_cancel(loop_of(conn), conn->recv);
}

static void conn_received(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_conn *conn = arg;

	if (sfr__likely(result > 0)) {
		if (sfr__likely(!loop->pressure.on))
			conn_deliver(conn, result, buf);
		else
			conn_deliver_counted(conn, result, buf);
		if (sfr__unlikely(conn->single) && !loop->pressure.on)
			conn_widen(conn);
		if (sfr__unlikely(conn->state == SFR__CONN_FAILED))
			conn_heard(conn, (uint32_t)result);
		return;
	}
	conn->recv = 0;
	if (conn->state == SFR__CONN_OPEN) {
		if (result == 0)
			conn_peer_finished(conn);
		else if (result != -ECANCELED || loop->draining)
			sfr__conn_close(conn, result);
	}
	conn_touch(conn);
}

static void conn_receive(sfr_conn *conn)
{
	sfr_op *op = sfr__op_recv_stream(loop_of(conn), conn->fd);

	conn->single = loop_of(conn)->pressure.on;
	if (op)
		conn->recv = sfr__op_submit(op, conn_received, conn);
	else
		sfr__conn_close(conn, -ENOMEM);
}

void sfr__conn_look(sfr_conn *conn)
{
	if (conn->recv && conn_is_greedy(conn))
		conn_touch(conn);
}

/*
 * Sending.
 */

/*
 * Nothing more can be sent. What the peer sent before that is its answer, and may say why. It may still be in the
 * kernel, as a connection that is full receives nothing. So the operations end first, then what the kernel has at
 * that moment is received, and no more, and then the connection closes.
 */
static void conn_fail(sfr_conn *conn, int reason)
{
	sfr_loop *loop = loop_of(conn);

	if (conn->state == SFR__CONN_FAILED && !loop->draining)
		return; /* by another send, or this is one that was cancelled for it */
	if (conn->state != SFR__CONN_OPEN || loop->draining) {
		sfr__conn_close(conn, reason);
		return;
	}
	conn_move(conn, SFR__CONN_FAILED, sfr_errname(reason));
	conn->reason = reason;
	sfr__ticket_cancel(loop, conn->recv); /* what it has received already it still delivers */
	sfr__ticket_cancel(loop, conn->send);
	sfr__send_queue_clear(&conn->queue);
	conn_touch(conn);
}

/* Bytes that can be received now. */
static uint32_t conn_unread(const sfr_conn *conn)
{
	const struct sfr__system *system = loop_of(conn)->engine->system;
	int count = system->fd_unread(system, conn->fd);

	return count < 0 ? 0 : (uint32_t)count;
}

static void conn_choke(sfr_conn *conn)
{
	conn->choked = conn->choked || conn->queue.memory > settings_of(conn)->server.high_water;
}

/* The queue fell: below the low-water mark receiving goes on. */
static void conn_unchoke(sfr_conn *conn)
{
	if (!conn->choked || conn->queue.memory > settings_of(conn)->server.low_water)
		return;
	conn->choked = false;
	if (conn->handlers.on_drain)
		conn->handlers.on_drain(conn, conn->arg);
}

uint64_t sfr__conn_waited(const sfr_conn *conn, uint64_t now_ns)
{
	uint32_t ticks = (uint32_t)(now_ns >> SFR__CONN_TICK_SHIFT) - conn->sent_at;

	if (conn->state != SFR__CONN_OPEN || !conn->send || conn->asked || ticks > INT32_MAX ||
	    !conn->queue.pool_memory)
		return 0; /* it may have begun after `now_ns` */
	return (uint64_t)ticks << SFR__CONN_TICK_SHIFT;
}

void sfr__conn_ask(sfr_conn *conn)
{
	conn->asked = true;
	sfr__ticket_cancel(loop_of(conn), conn->send);
}

/* How far did it get? Nowhere: it is ended, if there still is no room. */
static int conn_answered(sfr_conn *conn, int result)
{
	sfr_loop *loop = loop_of(conn);

	conn->asked = false;
	conn->net->relief.asked--;
	if (loop->draining || (result != 0 && result != -ECANCELED))
		return result;
	sfr__pressure_look(loop);
	return loop->pressure.on ? -SFR_ESLOW : 0;
}

static void conn_end_slow(sfr_conn *conn)
{
	sfr_loop *loop = loop_of(conn);

	if (conn->state != SFR__CONN_OPEN)
		return;
	sfr__pressure_tell(loop);
	loop->stats.ended_slow++;
	sfr__conn_close(conn, -SFR_ESLOW);
}

static void conn_sent(sfr_loop *loop, int result, sfr_buf *chain, void *arg)
{
	sfr_conn *conn = arg;

	(void)loop;
	conn->send = 0;
	if (sfr__unlikely(conn->asked))
		result = conn_answered(conn, result);
	else if (result == 0)
		result = -EPIPE; /* a stream that takes nothing has no reader */
	if (conn->state != SFR__CONN_OPEN || result < 0) {
		sfr__send_queue_drop(&conn->queue, chain);
		if (result == -SFR_ESLOW)
			conn_end_slow(conn);
		else
			conn_fail(conn, result);
	} else {
		sfr__send_queue_sent(&conn->queue, chain, (uint64_t)result);
		conn_unchoke(conn);
	}
	conn_touch(conn);
}

static void conn_send_queued(sfr_conn *conn)
{
	sfr_buf *chain = sfr__send_queue_take(&conn->queue, SFR__GATHER_MAX);
	sfr_op *op = sfr__op_send_chain(loop_of(conn), conn->fd, chain);

	if (sfr__unlikely(!op)) { /* no memory to gather with: one at a time needs none */
		sfr__send_queue_sent(&conn->queue, chain, 0);
		chain = sfr__send_queue_take(&conn->queue, 1);
		op = sfr__op_send_chain(loop_of(conn), conn->fd, chain);
	}
	if (sfr__unlikely(
		    !op)) { /* only a buffer of a stand-alone pool has no cell to be sent in */
		sfr__send_queue_drop(&conn->queue, chain);
		conn_fail(conn, -ENOMEM);
		return;
	}
	conn->sent_at = (uint32_t)(conn->net->now_ns >> SFR__CONN_TICK_SHIFT);
	conn->send = sfr__op_submit(op, conn_sent, conn);
}

/*
 * Opening and closing.
 */

static void conn_other_done(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_conn *conn = arg;

	(void)loop;
	(void)result; /* of a shutdown: a connection that is gone already needs none */
	(void)buf;
	conn->other = 0;
	conn_touch(conn);
}

/* Shut down one direction or both. Without memory for an op, by a system call: it does not block. */
static void conn_shut(sfr_conn *conn, int how)
{
	const struct sfr__system *system = loop_of(conn)->engine->system;
	sfr_op *op = sfr_shutdown(loop_of(conn), conn->fd, how);

	if (op)
		conn->other = sfr__op_submit(op, conn_other_done, conn);
	else
		(void)system->socket_shutdown(system, conn->fd,
					      how); /* a peer that is gone needs not be told */
}

static void conn_free(sfr_conn *conn)
{
	sfr__invariant(!(conn->recv | conn->send | conn->other));
	sfr__list_remove(&conn->dirty);
	sfr__list_remove(&conn->hook);
	sfr__list_append(&conn->net->spare, &conn->hook);
	conn->net->conn_count--;
}

static void conn_closed(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_conn *conn = arg;
	struct sfr__net *net = conn->net;
	sfr_server *server = conn->server;

	(void)loop;
	(void)result; /* the descriptor is gone in any case */
	(void)buf;
	conn_move(conn, SFR__CONN_CLOSED, sfr_errname(conn->reason));
	conn->fd = -1; /* the number may be somebody else's already */
	conn->other = 0;
	if (conn->handlers.on_close)
		conn->handlers.on_close(conn, conn->reason, conn->arg);
	conn_free(conn);
	if (server)
		net->conn_closed(server);
}

void sfr__conn_close(sfr_conn *conn, int reason)
{
	sfr_loop *loop = loop_of(conn);

	if (conn->state >= SFR__CONN_CLOSING)
		return;
	if (conn->state != SFR__CONN_FAILED) /* which has told its reason already */
		conn->reason = reason;
	if (conn->state == SFR__CONN_CONNECTING)
		sfr__ticket_cancel(loop, conn->other);
	else if ((conn->recv || conn->send) && !conn->other)
		conn_shut(conn, SHUT_RDWR);
	conn_move(conn, SFR__CONN_CLOSING, sfr_errname(conn->reason));
	sfr__ticket_cancel(loop, conn->recv); /* a ticket that is 0 or stale has nothing to end */
	sfr__ticket_cancel(loop, conn->send);
	sfr__send_queue_clear(&conn->queue);
	conn_touch(conn);
}

/* The last step. Without memory for an op, by a system call, which is no worse than late. */
static void conn_close_fd(sfr_conn *conn)
{
	sfr_op *op = sfr_close(loop_of(conn), conn->fd);

	if (op) {
		conn->other = sfr__op_submit(op, conn_closed, conn);
	} else {
		sfr__loop_close_fd(loop_of(conn),
				   conn->fd); /* nothing is queued that could be lost */
		loop_of(conn)->called++;
		conn_closed(loop_of(conn), 0, NULL, conn);
	}
}

/* What an open connection should have in flight, given what is true of it. */
static void conn_settle_open(sfr_conn *conn)
{
	sfr_loop *loop = loop_of(conn);
	bool sent;

	if (!conn->send && conn->queue.head)
		conn_send_queued(conn);
	if (sfr__unlikely(conn->state != SFR__CONN_OPEN))
		return;
	sent = !conn->send;
	if (sent && conn->peer_finished && conn->local_finished && !conn->other) {
		sfr__conn_close(conn, 0);
		sfr__conn_settle(conn);
		return;
	}
	if (sent && conn->local_finished && !conn->told_peer && !conn->other) {
		conn->told_peer = true;
		conn_shut(conn, SHUT_WR);
	}
	if (conn_may_receive(conn) && sfr__unlikely(conn_is_greedy(conn))) {
		sfr__ticket_cancel(loop, conn->recv);
		sfr__relief_hold(conn->net, conn);
	} else if (conn_may_receive(conn)) {
		if (!conn->recv)
			conn_receive(conn);
	} else if (conn->recv && !conn->peer_finished) {
		sfr__ticket_cancel(loop, conn->recv);
	}
}

/* All that was in flight has ended, or the receive of what the kernel had. */
static void conn_settle_failed(sfr_conn *conn)
{
	if (!conn->unread_known) {
		conn->unread_known = true;
		conn->unread = conn_unread(conn);
		if (conn->unread)
			conn_receive(conn);
	}
	if (!conn->recv)
		sfr__conn_close(conn, conn->reason);
}

void sfr__conn_settle(sfr_conn *conn)
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
			conn_settle_failed(conn);
		break;
	case SFR__CONN_CLOSING:
		if (conn->recv || conn->send || conn->other)
			break;
		conn_close_fd(conn);
		break;
	}
}

sfr_conn *sfr__conn_new(struct sfr__net *net, sfr_server *server, int fd,
			const sfr_handlers *handlers, void *arg)
{
	sfr_conn *conn;

	if (!sfr__list_empty(&net->spare)) {
		conn = sfr__container(net->spare.next, sfr_conn, hook);
		sfr__list_remove(&conn->hook);
	} else {
		conn = malloc(sizeof(*conn));
		if (!conn)
			return NULL;
		net->loop->stats.heap_allocs++;
	}
	*conn = (sfr_conn){
		.net = net, .server = server, .fd = fd, .handlers = *handlers, .arg = arg};
	sfr__list_append(&net->conns, &conn->hook);
	net->conn_count++;
	sfr__list_init(&conn->dirty);
	return conn;
}

static void conn_open(sfr_conn *conn)
{
	conn_move(conn, SFR__CONN_OPEN, conn->server ? "accepted" : "dialled");
	conn_touch(conn);
	if (conn->handlers.on_open)
		conn->handlers.on_open(conn, conn->arg);
}

bool sfr__conn_accepted(struct sfr__net *net, sfr_server *server, int fd,
			const sfr_handlers *handlers, void *arg)
{
	sfr_conn *conn = sfr__conn_new(net, server, fd, handlers, arg);

	if (conn)
		conn_open(conn);
	else
		sfr__loop_close_fd(net->loop,
				   fd); /* the peer sees it; there is nobody else to tell */
	return conn != NULL;
}

static void conn_connected(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	sfr_conn *conn = arg;

	(void)buf;
	conn->other = 0;
	if (result == 0 && conn->state == SFR__CONN_CONNECTING && !loop->draining)
		conn_open(conn);
	else
		sfr__conn_close(conn, result < 0 ? result : -ECANCELED);
	conn_touch(conn);
}

void sfr__conn_connect(sfr_conn *conn, const struct sockaddr *addr, socklen_t size)
{
	sfr_op *op = sfr_connect(loop_of(conn), conn->fd, addr, size);

	if (op)
		conn->other = sfr__op_submit(op, conn_connected, conn);
	else
		sfr__conn_close(conn, -ENOMEM);
}

/*
 * The public calls.
 */

/* A send that cannot be: the connection ends with its reason. */
static int conn_send_refused(sfr_conn *conn, int err)
{
	conn_fail(conn, err);
	return err;
}

/* 0 if the caller is on the thread of its loop. */
static int conn_check(const sfr_conn *conn)
{
	return sfr__loop_check(loop_of(conn), "a connection was used");
}

static int conn_send(sfr_conn *conn, sfr_buf *buf)
{
	int r = buf ? sfr__buf_give(loop_of(conn)->pool, buf) : -SFR_EPOOLEMPTY;
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
	else if (conn->queue.bytes + len > settings_of(conn)->server.queue_max)
		r = conn_send_refused(conn, -ENOBUFS);
	if (sfr__unlikely(r < 0 || len == 0)) {
		sfr__buf_drop_chain(buf);
		return r;
	}
	sfr__send_queue_push(&conn->queue, buf);
	conn_choke(conn);
	conn_touch(conn);
	return (int)len;
}

int sfr_conn_send(sfr_conn *conn, sfr_buf *buf)
{
	int r = conn_check(conn);

	if (sfr__likely(r == 0))
		return conn_send(conn, buf);
	sfr_buf_release(buf);
	return r;
}

void sfr_conn_shutdown(sfr_conn *conn)
{
	if (conn_check(conn) < 0)
		return;
	conn->local_finished = true;
	conn_touch(conn);
}

void sfr_conn_close(sfr_conn *conn)
{
	if (conn_check(conn) == 0)
		sfr__conn_close(conn, -ECANCELED);
}

void sfr_conn_pause(sfr_conn *conn)
{
	if (conn_check(conn) < 0)
		return;
	conn->paused = true;
	conn_touch(conn);
}

void sfr_conn_resume(sfr_conn *conn)
{
	if (conn_check(conn) < 0)
		return;
	conn->paused = false;
	conn_touch(conn);
}

size_t sfr_conn_queued(const sfr_conn *conn)
{
	return (size_t)conn->queue.bytes;
}

sfr_loop *sfr_conn_loop(const sfr_conn *conn)
{
	return loop_of(conn);
}

void *sfr_conn_data(const sfr_conn *conn)
{
	return conn->data;
}

void sfr_conn_set_data(sfr_conn *conn, void *data)
{
	if (conn_check(conn) == 0)
		conn->data = data;
}

int sfr_conn_peer(const sfr_conn *conn, char *out, size_t size)
{
	const struct sfr__system *system = loop_of(conn)->engine->system;
	struct sfr__address peer = {.size = sizeof(peer.addr)};
	int r;

	if (conn->fd < 0)
		return -ENOTCONN;
	r = system->socket_peer_name(system, conn->fd, (struct sockaddr *)&peer.addr, &peer.size);
	return r < 0 ? r : sfr__address_print(&peer, out, size);
}

/* SPDX-License-Identifier: MIT */
/*
 * Receiving: the one receive of a connection, and what is done with what it brings.
 */
#include "net/receive.h"
#include "op/cancel.h"
#include "op/receive.h"
#include "op/start.h"
#include "sqe/fd_kind.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static bool conn_may_receive(const struct sfr__conn *conn)
{
	return conn->state == SFR__CONN_OPEN && !conn->peer_finished &&
	       (conn->finishing || (!conn->paused && (!conn->choked || conn->reads_full)));
}

/* It neither receives nor sends, so nothing tells that its peer has reset it. (After the peer's end nothing does: the
 * kernel's poll tells of that end at once, and again.) */
static bool conn_is_deaf(const struct sfr__conn *conn)
{
	return conn->state == SFR__CONN_OPEN && conn->paused && !conn->peer_finished &&
	       !conn->send && !conn->hung_up;
}

/* Memory is short, and it has more of it than its part. */
static bool conn_is_greedy(const struct sfr__conn *conn)
{
	const struct sfr__relief *relief = &conn->net->relief;

	return relief->on && (relief->dry || conn->queue.pool_memory > relief->share ||
			      (conn->round == relief->round && conn->kept > relief->share));
}

static void conn_peer_finished(struct sfr__conn *conn)
{
	conn->peer_finished = true;
	if (conn->handlers->on_end && !conn->finishing)
		conn->handlers->on_end(sfr__conn_handle(conn), conn->arg);
}

/* Bytes came that the kernel had when a send failed. */
static void conn_heard(struct sfr__conn *conn, uint32_t count)
{
	if (conn->state != SFR__CONN_FAILED || !conn->unread_known)
		return;
	conn->unread -= count < conn->unread ? count : conn->unread;
	if (!conn->unread)
		sfr__conn_close(conn, conn->reason);
}

static void conn_deliver(struct sfr__conn *conn, int result, sfr_buf *buf)
{
	conn->data_turn = (uint32_t)sfr__conn_loop(conn)->stats.turns;
	if (conn->state <= SFR__CONN_FAILED && conn->handlers->on_data && !conn->finishing)
		conn->handlers->on_data(sfr__conn_handle(conn), result, buf, conn->arg);
	else
		sfr_buf_release(buf);
}

/* The same while memory is short: what on_data has kept counts, but for what is queued for this connection alone, which
 * is looked at by itself. */
static void conn_deliver_counted(struct sfr__conn *conn, int result, sfr_buf *buf)
{
	const struct sfr__pool *pool = sfr__conn_loop(conn)->pool;
	const uint16_t round = conn->net->relief.round;
	const sfr_buf *last = conn->queue.head ? conn->queue.tail : NULL, *queued = NULL;
	int64_t before = (int64_t)(sfr__pool_in_use(pool) - sfr__buf_memory(sfr__buf(buf)));
	int64_t kept;

	conn_deliver(conn, result, buf);
	if (conn->state == SFR__CONN_OPEN) /* else the queue is empty */
		queued = last ? last->next : conn->queue.head;
	kept = (int64_t)(sfr__pool_in_use(pool) - sfr__send_queue_own(queued)) - before;
	if (conn->round != round)
		conn->kept = 0;
	conn->round = round;
	if (kept > 0)
		conn->kept += kept < UINT32_MAX - conn->kept ? (uint32_t)kept
							     : UINT32_MAX - conn->kept;
	if (conn->recv && conn_is_greedy(conn))
		sfr__conn_touch(conn);
}

static void conn_received(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__conn *conn = arg;

	if (sfr__likely(result > 0)) {
		conn->terms->tally->received += (uint32_t)result;
		if (sfr__likely(!loop->pressure.on))
			conn_deliver(conn, result, buf);
		else
			conn_deliver_counted(conn, result, buf);
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
	sfr__conn_touch(conn);
}

static void conn_watched(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__conn *conn = arg;
	int err;

	(void)buf;
	conn->recv = 0;
	conn->watched = false;
	if (result > 0) {
		err = sfr__socket_option(loop->engine->system, conn->fd, SO_ERROR);
		if (err > 0)
			sfr__conn_fail(conn, -err);
		conn->hung_up = true;
	}
	sfr__conn_touch(conn);
}

/* Without memory it is not watched: then sending tells, or receiving. */
static void conn_watch(struct sfr__conn *conn)
{
	sfr_op *op = sfr_poll(sfr__conn_loop(conn), conn->fd, POLLRDHUP | POLLERR | POLLHUP);

	if (!op)
		return;
	conn->watched = true;
	conn->recv = sfr__op_submit(op, conn_watched, conn);
}

static void conn_receive(struct sfr__conn *conn)
{
	sfr_op *op = sfr__op_recv_stream(sfr__conn_loop(conn), conn->fd);

	if (op)
		conn->recv = sfr__op_submit(op, conn_received, conn);
	else
		sfr__conn_close(conn, -ENOMEM);
}

void sfr__conn_look(struct sfr__conn *conn)
{
	if (conn->recv && conn_is_greedy(conn))
		sfr__conn_touch(conn);
}

void sfr__conn_settle_receive(struct sfr__conn *conn)
{
	if (conn_may_receive(conn) && sfr__unlikely(conn_is_greedy(conn))) {
		sfr__ticket_cancel(sfr__conn_loop(conn), conn->recv);
		sfr__conn_hold(conn);
	} else if (conn_may_receive(conn)) {
		if (!conn->recv)
			conn_receive(conn);
		else if (sfr__unlikely(conn->watched))
			sfr__ticket_cancel(sfr__conn_loop(conn), conn->recv);
	} else if (conn->recv && !conn->watched) {
		sfr__ticket_cancel(sfr__conn_loop(conn), conn->recv);
	} else if (!conn->recv && conn_is_deaf(conn)) {
		conn_watch(conn);
	}
}

/* Bytes that can be received now. */
static uint32_t conn_unread(const struct sfr__conn *conn)
{
	const struct sfr__system *system = sfr__conn_loop(conn)->engine->system;
	int count = system->fd_unread(system, conn->fd);

	return count < 0 ? 0 : (uint32_t)count;
}

void sfr__conn_receive_rest(struct sfr__conn *conn)
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

/* SPDX-License-Identifier: MIT */
/*
 * A connection: how it opens and closes, and the calls that only note a fact.
 *
 * Every change marks the connection, and net.c starts what should be in flight. Closing waits for all tickets
 * to be gone, so no op of a connection can see the next owner of its descriptor's number.
 */
#include "net/conn.h"
#include "base/log.h"
#include "net/address.h"
#include "op/build.h"
#include "op/cancel.h"
#include "op/start.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define NS_PER_MS UINT64_C(1000000)

const char *const sfr__conn_states[] = {
	[SFR__CONN_CONNECTING] = "connecting", [SFR__CONN_OPEN] = "open",
	[SFR__CONN_FAILED] = "failed",         [SFR__CONN_CLOSING] = "closing",
	[SFR__CONN_CLOSED] = "closed",
};

/* Move it to another state, and tell the log why. Twice or three times in the life of a connection. */
void sfr__conn_move(struct sfr__conn *conn, enum sfr__conn_state next, const char *why)
{
	sfr__log(sfr__conn_loop(conn)->settings.log.level, SFR_LOG_DEBUG,
		 "connection on %d: %s -> %s (%s)", conn->fd, sfr__conn_states[conn->state],
		 sfr__conn_states[next], why);
	conn->state = (uint8_t)next;
}

/*
 * Closing.
 */

static void conn_other_done(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__conn *conn = arg;

	(void)loop;
	(void)result; /* of a shutdown: a connection that is gone already needs none */
	(void)buf;
	conn->other = 0;
	sfr__conn_touch(conn);
}

/* Shut down one direction or both. Without memory for an op, by a system call: it does not block. */
void sfr__conn_shut(struct sfr__conn *conn, int how)
{
	const struct sfr__system *system = sfr__conn_loop(conn)->engine->system;
	sfr_op *op = sfr_shutdown(sfr__conn_loop(conn), conn->fd, how);

	if (op)
		conn->other = sfr__op_submit(op, conn_other_done, conn);
	else
		(void)system->socket_shutdown(system, conn->fd,
					      how); /* a peer that is gone needs not be told */
}

static void conn_free(struct sfr__conn *conn)
{
	struct sfr__visit *visit;

	sfr__invariant(!(conn->recv | conn->send | conn->other));
	for (visit = conn->net->visits; sfr__unlikely(visit != NULL); visit = visit->outer)
		if (visit->next == &conn->object.hook)
			visit->next = conn->object.hook.next;
	sfr__list_remove(&conn->dirty);
	sfr__list_remove(&conn->object.hook);
	if (sfr__unlikely(conn->terms->lone))
		free(conn->terms);
	sfr__object_give(&sfr__conn_loop(conn)->objects[SFR__HANDLE_CONN], &conn->object);
	conn->net->conn_count--;
}

static void conn_closed(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__conn *conn = arg;
	struct sfr__net *net = conn->net;
	struct sfr__server *server = conn->terms->server;

	(void)result; /* the descriptor is gone in any case */
	(void)buf;
	sfr__conn_move(conn, SFR__CONN_CLOSED, sfr_errname(conn->reason));
	conn->fd = -1; /* the number may be somebody else's already */
	conn->other = 0;
	sfr__sent_tell(&net->unsent, loop);
	sfr__tally_end(conn->terms->tally, conn->reason);
	if (conn->handlers->on_close)
		conn->handlers->on_close(sfr__conn_handle(conn), conn->reason, conn->arg);
	conn_free(conn);
	if (server)
		net->conn_closed(server);
}

/* Nothing more is sent. Who is to be told of what waits is told of what is in flight first. */
static void conn_drop_queue(struct sfr__conn *conn)
{
	if (conn->send)
		sfr__send_queue_thin(&conn->queue);
	else
		sfr__send_queue_clear(&conn->queue, conn->reason, &conn->net->unsent);
}

void sfr__conn_close(struct sfr__conn *conn, int reason)
{
	sfr_loop *loop = sfr__conn_loop(conn);

	if (conn->state >= SFR__CONN_CLOSING)
		return;
	if (conn->state != SFR__CONN_FAILED) /* which has told its reason already */
		conn->reason = (int16_t)reason;
	if (conn->state == SFR__CONN_CONNECTING)
		sfr__ticket_cancel(loop, conn->other);
	else if (conn->lingering)
		sfr__ticket_cancel(loop, conn->other);
	else if ((conn->recv || conn->send) && !conn->other && !conn->resets)
		sfr__conn_shut(conn, SHUT_RDWR);
	sfr__conn_move(conn, SFR__CONN_CLOSING, sfr_errname(conn->reason));
	sfr__ticket_cancel(loop, conn->recv); /* a ticket that is 0 or stale has nothing to end */
	sfr__ticket_cancel(loop, conn->send);
	conn_drop_queue(conn);
	sfr__conn_touch(conn);
}

void sfr__conn_fail(struct sfr__conn *conn, int reason)
{
	sfr_loop *loop = sfr__conn_loop(conn);

	if (conn->state == SFR__CONN_FAILED && !loop->draining)
		return; /* by another send, or this is one that was cancelled for it */
	if (conn->state != SFR__CONN_OPEN || loop->draining) {
		sfr__conn_close(conn, reason);
		return;
	}
	sfr__conn_move(conn, SFR__CONN_FAILED, sfr_errname(reason));
	conn->reason = (int16_t)reason;
	sfr__ticket_cancel(loop, conn->recv); /* what it has received already it still delivers */
	sfr__ticket_cancel(loop, conn->send);
	conn_drop_queue(conn);
	sfr__conn_touch(conn);
}

/* The last step. Without memory for an op, by a system call, which is no worse than late. */
void sfr__conn_close_fd(struct sfr__conn *conn)
{
	sfr_op *op = sfr_close(sfr__conn_loop(conn), conn->fd);

	if (op) {
		conn->other = sfr__op_submit(op, conn_closed, conn);
	} else {
		sfr__loop_close_fd(sfr__conn_loop(conn),
				   conn->fd); /* nothing is queued that could be lost */
		sfr__conn_loop(conn)->called++;
		conn_closed(sfr__conn_loop(conn), 0, NULL, conn);
	}
}

/*
 * Opening.
 */

struct sfr__conn *sfr__conn_new(struct sfr__net *net, struct sfr__terms *terms, int fd,
				const sfr_handlers *handlers, void *arg)
{
	struct sfr__conn *conn = sfr__object_take(&net->loop->objects[SFR__HANDLE_CONN],
						  sizeof(*conn));

	if (!conn)
		return NULL;
	*conn = (struct sfr__conn){.object = conn->object,
				   .net = net,
				   .terms = terms,
				   .fd = fd,
				   .handlers = handlers,
				   .arg = arg};
	sfr__list_append(&net->conns, &conn->object.hook);
	net->conn_count++;
	sfr__list_init(&conn->dirty);
	return conn;
}

static void conn_open(struct sfr__conn *conn, const char *why)
{
	sfr__conn_move(conn, SFR__CONN_OPEN, why);
	sfr__conn_touch(conn);
	if (conn->handlers->on_open)
		conn->handlers->on_open(sfr__conn_handle(conn), conn->arg);
}

bool sfr__conn_accepted(struct sfr__net *net, struct sfr__terms *terms, int fd,
			const sfr_handlers *handlers, void *arg)
{
	struct sfr__conn *conn = sfr__conn_new(net, terms, fd, handlers, arg);

	if (conn) {
		terms->tally->accepted++;
		conn_open(conn, "accepted");
	} else {
		sfr__loop_close_fd(net->loop,
				   fd); /* the peer sees it; there is nobody else to tell */
	}
	return conn != NULL;
}

static void conn_ready(struct sfr__conn *conn, int result, const char *why)
{
	conn->other = 0;
	if (result == 0 && conn->state == SFR__CONN_CONNECTING && !sfr__conn_loop(conn)->draining)
		conn_open(conn, why);
	else
		sfr__conn_close(conn, result < 0 ? result : -ECANCELED);
	sfr__conn_touch(conn);
}

static void conn_connected(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)buf;
	conn_ready(arg, result, "dialled");
}

void sfr__conn_connect(struct sfr__conn *conn, const struct sockaddr *addr, socklen_t size)
{
	sfr_op *op = sfr_connect(sfr__conn_loop(conn), conn->fd, addr, size);

	if (op)
		conn->other = sfr__op_submit(op, conn_connected, conn);
	else
		sfr__conn_close(conn, -ENOMEM);
}

static void conn_taken(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)buf;
	conn_ready(arg, result, "adopted");
}

void sfr__conn_adopted(struct sfr__conn *conn, sfr_op *next_turn)
{
	conn->other = sfr__op_submit(next_turn, conn_taken, conn);
}

/*
 * Names.
 */

typedef int name_fn(const struct sfr__system *system, int fd, struct sockaddr *address,
		    socklen_t *size);

/* In on_close the number may be somebody else's already. */
static int conn_name(const struct sfr__conn *conn, name_fn *ask, char *out, size_t size)
{
	struct sfr__address name = {.size = sizeof(name.addr)};
	int r = -ENOTCONN;

	if (conn->fd >= 0)
		r = ask(sfr__conn_loop(conn)->engine->system, conn->fd,
			(struct sockaddr *)&name.addr, &name.size);
	return r < 0 ? r : sfr__address_print(&name, out, size);
}

int sfr__conn_peer(const struct sfr__conn *conn, char *out, size_t size)
{
	return conn_name(conn, sfr__conn_loop(conn)->engine->system->socket_peer_name, out, size);
}

/*
 * The public calls, but for those that send.
 */

static const char used[] = "a connection was used";

int sfr__conn_refuse(const sfr_conn *handle)
{
	return sfr__handle_refuse(handle, used);
}

/* NULL, and reported: it is stale, or the caller is not on the thread of its loop. */
static struct sfr__conn *conn_of(const sfr_conn *handle)
{
	struct sfr__conn *conn = sfr__conn_of(handle);

	if (sfr__unlikely(!conn))
		sfr__handle_report(handle, used);
	return conn;
}

void sfr_conn_shutdown(sfr_conn *handle)
{
	struct sfr__conn *conn = conn_of(handle);

	if (!conn)
		return;
	conn->local_finished = true;
	sfr__conn_touch(conn);
}

void sfr_conn_hold(sfr_conn *handle)
{
	struct sfr__conn *conn = conn_of(handle);

	if (conn)
		conn->holds++;
}

void sfr_conn_unhold(sfr_conn *handle)
{
	struct sfr__conn *conn = conn_of(handle);

	if (!conn)
		return;
	if (!conn->holds) {
		(void)sfr__loop_misuse(sfr__conn_loop(conn), -EINVAL,
				       "a connection was let go that nobody held");
		return;
	}
	conn->holds--;
	sfr__conn_touch(conn);
}

void sfr_conn_close(sfr_conn *handle)
{
	struct sfr__conn *conn = conn_of(handle);

	if (conn)
		sfr__conn_close(conn, -ECANCELED);
}

/* Its peer did not finish in time, or did, or the connection closes. */
static void conn_lingered(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__conn *conn = arg;

	(void)loop;
	(void)buf;
	conn->other = 0;
	conn->lingering = false;
	if (result == 0 && conn->state == SFR__CONN_OPEN)
		sfr__conn_close(conn, -ETIMEDOUT);
	sfr__conn_touch(conn);
}

void sfr__conn_linger(struct sfr__conn *conn)
{
	sfr_op *op = conn->unread ? sfr_timeout(sfr__conn_loop(conn), conn->unread * NS_PER_MS)
				  : NULL;

	if (!op) { /* without memory nobody would wake it */
		sfr__conn_close(conn, -ETIMEDOUT);
		return;
	}
	conn->lingering = true;
	conn->other = sfr__op_submit(op, conn_lingered, conn);
}

void sfr_conn_finish(sfr_conn *handle, uint64_t linger_ns)
{
	struct sfr__conn *conn = conn_of(handle);
	uint64_t linger_ms = linger_ns / NS_PER_MS + (linger_ns % NS_PER_MS != 0);

	if (!conn || conn->state > SFR__CONN_OPEN || conn->finishing)
		return;
	conn->finishing = true;
	conn->local_finished = true;
	conn->unread = linger_ms < UINT32_MAX ? (uint32_t)linger_ms : UINT32_MAX;
	sfr__conn_touch(conn);
}

void sfr_conn_reset(sfr_conn *handle)
{
	static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	struct sfr__conn *conn = conn_of(handle);
	const struct sfr__system *system;

	if (!conn || conn->state >= SFR__CONN_CLOSING)
		return;
	system = sfr__conn_loop(conn)->engine->system;
	/* A socket that has none, as of Unix, is closed. */
	(void)system->option_set(system, conn->fd, SOL_SOCKET, SO_LINGER, &at_once,
				 sizeof(at_once));
	conn->resets = true;
	sfr__conn_close(conn, -ECANCELED);
}

void sfr_conn_pause(sfr_conn *handle)
{
	struct sfr__conn *conn = conn_of(handle);

	if (!conn)
		return;
	conn->paused = true;
	sfr__conn_touch(conn);
}

void sfr_conn_resume(sfr_conn *handle)
{
	struct sfr__conn *conn = conn_of(handle);

	if (!conn)
		return;
	conn->paused = false;
	sfr__conn_touch(conn);
}

bool sfr_conn_is_full(const sfr_conn *handle)
{
	const struct sfr__conn *conn = conn_of(handle);

	return conn && conn->choked && conn->state <= SFR__CONN_OPEN;
}

void sfr_conn_read_when_full(sfr_conn *handle, bool reads)
{
	struct sfr__conn *conn = conn_of(handle);

	if (!conn)
		return;
	conn->reads_full = reads;
	sfr__conn_touch(conn);
}

size_t sfr_conn_queued(const sfr_conn *handle)
{
	const struct sfr__conn *conn = conn_of(handle);

	return conn ? (size_t)conn->queue.bytes : 0;
}

sfr_loop *sfr_conn_loop(const sfr_conn *handle)
{
	return sfr__handle_loop(handle, SFR__HANDLE_CONN);
}

void *sfr_conn_data(const sfr_conn *handle)
{
	const struct sfr__conn *conn = conn_of(handle);

	return conn ? conn->data : NULL;
}

void sfr_conn_set_data(sfr_conn *handle, void *data)
{
	struct sfr__conn *conn = conn_of(handle);

	if (conn)
		conn->data = data;
}

int sfr_conn_fd(const sfr_conn *handle)
{
	const struct sfr__conn *conn = sfr__conn_of(handle);

	if (!conn)
		return sfr__conn_refuse(handle);
	return conn->fd < 0 ? -ENOTCONN : conn->fd;
}

int sfr_conn_peer(const sfr_conn *handle, char *out, size_t size)
{
	const struct sfr__conn *conn = sfr__conn_of(handle);

	return conn ? sfr__conn_peer(conn, out, size) : sfr__conn_refuse(handle);
}

int sfr_conn_local(const sfr_conn *handle, char *out, size_t size)
{
	const struct sfr__conn *conn = sfr__conn_of(handle);

	if (!conn)
		return sfr__conn_refuse(handle);
	return conn_name(conn, sfr__conn_loop(conn)->engine->system->socket_own_name, out, size);
}

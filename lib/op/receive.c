/* SPDX-License-Identifier: MIT */
/*
 * Receiving into buffers of the slab: what arrives, and when it does, decides when a buffer is taken.
 *
 * With rings of provided buffers the kernel takes one when bytes arrive. Without, and for what the ring
 * cannot be used with, an op polls, and takes one when there is something. So either way an idle
 * connection holds none.
 *
 * An op that finds none waits for one, in order: in `parked` for the ring to have some, in `unfed` for a
 * block of the slab. Who polled comes first when a block is free, as the ring may have others.
 *
 * A multishot receive takes buffers for as long as there are bytes, and so one that has many could take
 * all, each time anew. When several wait for the ring, they are rationed: each is armed for one buffer, and
 * who had one is in `served` until those who had none are armed. That ends some turns after the last of
 * them found none.
 */
#include "op/receive.h"
#include "machine/kernel.h"
#include "op/again.h"
#include "op/build.h"
#include "op/datagram.h"
#include "op/end.h"
#include "op/kind.h"
#include "sqe/fd_kind.h"
#include <safer_ring/datagram.h>
#include <safer_ring/error.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

/* Under kernel polling some turns pass between a receive that is armed and what comes of it. */
#define RATIONED_TURNS 16

/*
 * By way of poll.
 */

static void receive_poll(sfr_op *op, int fd)
{
	sfr__op_blank(op);
	io_uring_prep_poll_add(&op->sqe, fd, POLLIN);
}

/* What is said to be there goes into the op's buffer. 0 or -ENOMEM. */
static int receive_prepare(sfr_op *op)
{
	int fd = op->sqe.fd;
	unsigned char *data = sfr__buf_data(op->buf);
	uint32_t room = sfr__buf_room(op->buf);

	sfr__op_blank(op);
	if (op->kind == SFR__OP_RECVFROM_MULTI)
		return sfr__recvfrom_prepare(op, fd, MSG_DONTWAIT | sfr__recvfrom_length_flag(fd));
	if (op->kind == SFR__OP_READ_MULTI)
		io_uring_prep_read(&op->sqe, fd, data, room, SFR__POSITION);
	else
		io_uring_prep_recv(&op->sqe, fd, data, room, MSG_DONTWAIT);
	return 0;
}

/* A block of the slab for an op that has polled. 0; -SFR_EPOOLEMPTY; -ENOMEM. */
static int receive_feed(sfr_op *op)
{
	struct sfr__pool *pool = op->loop->pool;
	unsigned char *block = sfr__pool_take(pool);

	if (!block)
		return -SFR_EPOOLEMPTY;
	op->buf = sfr__pool_window(pool, block, pool->slab.block_size, 0);
	(void)sfr__buf_give(pool, op->buf); /* ours, and fresh: it cannot be refused */
	op->flags |= SFR__OP_BUF_HIDDEN;
	return receive_prepare(op);
}

void sfr__receives_feed(sfr_loop *loop)
{
	while (!sfr__list_empty(&loop->unfed)) {
		sfr_op *op = sfr__container(loop->unfed.next, sfr_op, hook);
		int r = receive_feed(op);

		if (r == -SFR_EPOOLEMPTY)
			return;
		if (r < 0) {
			sfr__op_finish_later(op, SFR__EV_REFUSED, r);
			continue;
		}
		sfr__list_remove(&op->hook);
		sfr__list_append(&loop->backlog, &op->hook);
	}
}

/* There is something to receive: get it, if there is a buffer for it, and nobody waits for that. */
static void receive_polled(sfr_op *op, int result)
{
	sfr_loop *loop = op->loop;
	int r;

	if (result < 0) {
		sfr__op_finish(op, result);
		return;
	}
	if (op->state != SFR__OP_IN_FLIGHT) {
		sfr__op_go_on(op, NULL);
		return;
	}
	r = sfr__list_empty(&loop->unfed) ? receive_feed(op) : -SFR_EPOOLEMPTY;
	if (r == 0) {
		sfr__op_go_on(op, &loop->backlog);
	} else if (r == -SFR_EPOOLEMPTY) {
		loop->stats.parked++;
		sfr__op_go_on(op, &loop->unfed);
	} else {
		sfr__op_finish(op, r);
	}
}

static void receive_poll_again(sfr_op *op)
{
	receive_poll(op, op->sqe.fd);
	sfr__op_go_on(op, &op->loop->backlog);
}

/* Polled in vain: somebody else was faster, or what poll told of is not to be received, and it would tell
 * again at once. This one time a message is waited for, with its buffer, if the socket lets one wait. */
static void receive_patiently(sfr_op *op)
{
	if (op->kind == SFR__OP_READ_MULTI) {
		sfr__buf_drop(op->buf);
		op->buf = NULL;
		receive_poll(op, op->sqe.fd);
		sfr__op_go_on_later(op);
	} else if (op->sqe.msg_flags & MSG_DONTWAIT) {
		op->sqe.msg_flags &= ~(unsigned)MSG_DONTWAIT;
		sfr__op_go_on(op, &op->loop->backlog);
	} else {
		sfr__op_go_on_later(op);
	}
}

/* Whether nothing can come any more. */
static bool is_end(const sfr_op *op, int result)
{
	return result == 0 && (op->kind != SFR__OP_RECVFROM_MULTI || sfr__recvfrom_ended(op));
}

/* A poll, then a receive, and so on. */
static void receive_by_poll_complete(sfr_op *op, int result)
{
	sfr_buf *buf = op->buf;

	if (op->sqe.opcode == IORING_OP_POLL_ADD) {
		receive_polled(op, result);
		return;
	}
	if (result == -EAGAIN) {
		receive_patiently(op);
		return;
	}
	if (result < 0 || is_end(op, result)) {
		sfr__op_finish(op, result);
		return;
	}
	op->buf = NULL;
	if (op->kind == SFR__OP_RECVFROM_MULTI)
		result = sfr__recvfrom_arrived(op, buf, result);
	receive_poll_again(op);
	sfr__buf_return(buf, (uint32_t)result);
	sfr__op_deliver(op, result, buf);
}

/*
 * By way of the ring.
 */

/* The buffer that the kernel chose; NULL if nothing is in it. */
static sfr_buf *ring_take(sfr_op *op, int *result, unsigned flags)
{
	sfr_loop *loop = op->loop;
	sfr_buf *buf = sfr__recv_ring_take(&loop->recv, loop->pool,
					   flags >> IORING_CQE_BUFFER_SHIFT,
					   *result > 0 ? (uint32_t)*result : 0);

	if (op->kind != SFR__OP_RECVFROM_MULTI || !buf)
		return buf;
	*result = sfr__datagram_unwrap(buf);
	if (*result || !sfr__datagrams_ended(op->loop, op->sqe.fd))
		return buf;
	sfr_buf_release(buf);
	return NULL;
}

static void receive_by_ring_complete(sfr_op *op, int result, unsigned flags)
{
	sfr_loop *loop = op->loop;
	sfr_buf *buf = NULL;

	if (flags & IORING_CQE_F_BUFFER)
		buf = ring_take(op, &result, flags);
	if (flags & IORING_CQE_F_MORE) {
		sfr__op_step(op, SFR__EV_CQE_MORE);
	} else if (buf) {
		sfr__op_go_on(op, loop->rationed ? &loop->served : &loop->backlog);
	} else if (result == -ENOBUFS) {
		loop->stats.parked++;
		if (loop->rationed || sfr__receives_wait(loop)) /* alone, it may have all */
			loop->rationed = RATIONED_TURNS;
		sfr__op_go_on(op, &loop->parked);
	} else if (result == -EBADFD && op->kind == SFR__OP_READ_MULTI) {
		receive_poll_again(op); /* such a file cannot wait for bytes: it has them */
		return;
	} else {
		sfr__op_finish(op, result);
		return;
	}
	if (buf)
		sfr__op_deliver(op, result, buf);
}

/*
 * Armed as usual it would take what there is at once, and be parked again before those that are armed behind
 * it and find none: for ever the first. Where one buffer cannot be asked for, it is to look for bytes only
 * when all are armed.
 */
uint16_t sfr__receive_ration(const sfr_op *op)
{
	if (op->sqe.opcode == IORING_OP_RECV)
		return op->sqe.ioprio & (uint16_t)~IORING_RECV_MULTISHOT;
	if (op->sqe.opcode == IORING_OP_RECVMSG)
		return op->sqe.ioprio | IORING_RECVSEND_POLL_FIRST;
	return op->sqe.ioprio;
}

void sfr__receive_complete(sfr_op *op, int result, unsigned flags)
{
	if (sfr__likely(op->sqe.flags & IOSQE_BUFFER_SELECT))
		receive_by_ring_complete(op, result, flags);
	else
		receive_by_poll_complete(op, result);
}

/*
 * Builders.
 */

static uint32_t recv_ring_capacity(const struct sfr__settings *settings)
{
	uint32_t half = settings->buffers.count / 2;

	if (settings->buffers.receive)
		return settings->buffers.receive;
	return half > 256 ? 256 : half ? half : 1;
}

/* Have an op that is prepared draw from the ring. */
static void receive_by_ring(sfr_op *op)
{
	sfr_loop *loop = op->loop;

	op->result = sfr__recv_ring_open(&loop->recv, loop->engine,
					 recv_ring_capacity(&loop->settings));
	op->sqe.flags |= IOSQE_BUFFER_SELECT;
	op->sqe.buf_group = SFR__RECV_GROUP;
}

sfr_op *sfr_recv_multi(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_RECV_MULTI, false);

	if (!op)
		return NULL;
	if (!sfr__has(loop->engine->features, SFR__FEATURE_BUFFER_RINGS)) {
		if (sfr__socket_option(loop->engine->system, fd, SO_TYPE) ==
		    -ENOTSOCK) /* which who polls it would not be told */
			op->result = -ENOTSOCK;
		receive_poll(op, fd);
		return op;
	}
	if (sfr__has(loop->engine->features, SFR__FEATURE_RECV_MULTI))
		io_uring_prep_recv_multishot(&op->sqe, fd, NULL, 0, 0);
	else
		io_uring_prep_recv(&op->sqe, fd, NULL, 0, 0);
	receive_by_ring(op);
	return op;
}

/*
 * Whether the kernel can wait for bytes of it by itself. Of what is a file it cannot, and of what can be read
 * only by who waits there, it never tells, unless that is O_NONBLOCK: inotify, fanotify, the kernel's log,
 * masters of terminals.
 */
static bool can_read_multi(const sfr_loop *loop, int fd)
{
	unsigned kind = sfr__fd_is_name(fd) ? sfr__file_kind(&loop->files, fd)
					    : sfr__fd_kind(loop->engine->system, fd);

	return sfr__has(loop->engine->features, SFR__FEATURE_BUFFER_RINGS) &&
	       sfr__has(loop->engine->features, SFR__FEATURE_READ_MULTI) &&
	       !(kind & SFR__FD_FILE) &&
	       kind & (SFR__FD_PIPE | SFR__FD_SOCKET | SFR__FD_NONBLOCKING);
}

/* Polling for bytes of what cannot be read would never end. */
static bool is_write_only(const struct sfr__system *system, int fd)
{
	int flags = fd < 0 ? -EBADF : system->fd_flags(system, fd);

	return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY;
}

sfr_op *sfr_read_multi(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_READ_MULTI, false);

	if (!op)
		return NULL;
	if (!can_read_multi(loop, fd)) {
		if (is_write_only(loop->engine->system, fd))
			op->result = -EBADF;
		receive_poll(op, fd);
		return op;
	}
	io_uring_prep_rw(SFR__OP_CODE_READ_MULTI, &op->sqe, fd, NULL, 0, SFR__POSITION);
	receive_by_ring(op);
	return op;
}

sfr_op *sfr_recvfrom_multi(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_RECVFROM_MULTI, false);

	if (!op)
		return NULL;
	op->result = sfr__datagrams_check(loop, fd);
	if (!sfr__has(loop->engine->features, SFR__FEATURE_BUFFER_RINGS) ||
	    !sfr__has(loop->engine->features, SFR__FEATURE_RECV_MULTI)) {
		receive_poll(op, fd);
		return op;
	}
	sfr__recvfrom_multi_prepare(op, fd);
	if (op->result == 0)
		receive_by_ring(op);
	return op;
}

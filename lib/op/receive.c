/* SPDX-License-Identifier: MIT */
/*
 * Receiving into buffers of the slab: what arrives, and when it does, decides when a buffer is taken.
 *
 * With rings of provided buffers the kernel takes one when bytes arrive. Without, and for what the ring
 * cannot be used with, an op polls, and takes one when there is something. So either way an idle
 * connection holds none.
 *
 * An op that finds none waits for one, in order: in `parked` for its ring to have some, in `unfed` for a
 * block of the slab. An op that polled comes first when a block is free, as the ring may have others.
 *
 * A multishot receive takes memory for as long as there are bytes, and so one that has many could take
 * all, each time anew. When several wait for a ring, they are rationed: each is armed for one arrival, and
 * an op that got some is in `served` until those that got none are armed. That ends some turns after the last of
 * them found none.
 *
 * The bytes of streams go into the blocks of the stream ring. If there are none to be had, and the common ring has
 * buffers, receives make do with one of these each, until the stream ring has room again; and the other way round.
 *
 * Where the engine has no incremental rings, each arrival takes an entry, and large blocks are few entries. Then a stream
 * begins with buffers of the common ring, and moves to large blocks when it fills these, and back when it does not: the
 * engine ends the receive, which is armed anew at the other ring; bytes that come meanwhile wait in the socket.
 */
#include "op/receive.h"
#include "machine/kernel.h"
#include "op/again.h"
#include "op/arrival.h"
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
	sfr__op_deliver(op, result, sfr__arrival_fit(op->loop, buf));
}

/*
 * The rings.
 */

static uint32_t common_capacity(const struct sfr__settings *settings)
{
	uint32_t half = settings->buffers.count / 2;

	if (settings->buffers.receive)
		return settings->buffers.receive;
	return half > 256 ? 256 : half ? half : 1;
}

static int common_open(sfr_loop *loop)
{
	struct sfr__recv_ring *recv = &loop->recv[SFR__RECV_COMMON];

	return recv->ring ? 0
			  : sfr__recv_ring_open(recv, loop->engine, SFR__RECV_COMMON,
						&loop->pool->slab, common_capacity(&loop->settings),
						false);
}

/* How many blocks the stream ring holds: an incremental one only what is enough for all. */
static uint32_t stream_capacity(uint32_t block_size, bool incremental)
{
	uint32_t warm = SFR__RECV_WARM / block_size;

	return incremental && warm < SFR__RECV_BLOCKS ? warm : SFR__RECV_BLOCKS;
}

static int stream_open(sfr_loop *loop, struct sfr__recv_ring *recv)
{
	const bool incremental = sfr__has(loop->engine->features, SFR__FEATURE_INCREMENTAL);
	int r = loop->pool->stream.block_size ? 0
					      : sfr__pool_stream_open(loop->pool, SFR__RECV_BLOCKS);

	if (r == 0 && !loop->kept.arrivals)
		r = sfr__kept_init(&loop->kept, loop->engine->queue.cq_mask + 1);
	if (r == 0)
		r = sfr__recv_ring_open(recv, loop->engine, SFR__RECV_STREAM, &loop->pool->stream,
					stream_capacity(loop->pool->stream.block_size, incremental),
					incremental);
	if (r < 0)
		return r;
	sfr__recv_ring_fill(recv, loop->pool);
	return recv->filled ? 0 : -SFR_EPOOLEMPTY;
}

/* Whether there is a stream ring. It is made for the first who asks while the budget has a few large blocks to spare. */
static bool stream_is_open(sfr_loop *loop)
{
	struct sfr__recv_ring *recv = &loop->recv[SFR__RECV_STREAM];

	if (!recv->ring && !recv->refused)
		recv->refused = stream_open(loop, recv) == -SFR_EUNSUPPORTED;
	return recv->ring != NULL;
}

/*
 * By way of a ring.
 *
 * Which one is in the entry's buf_group: where the op is armed, or waits. What it would rather have is in its
 * user_data, which the engine's entry has a use for, and the op's has none.
 */

#define DRAWS_ON_STREAM 1U
#define MAY_MOVE 2U
#define RUN_SHIFT 8

/* Where each arrival takes an entry: so many in succession that fill a small one, or would not, move a stream. */
#define FULL_RUN 2U
#define SMALL_RUN 8U

/* The ring that an op is to draw from when it is armed the next time. */
static uint16_t receive_group(const sfr_op *op)
{
	return op->kind == SFR__OP_RECV_MULTI && op->sqe.user_data & DRAWS_ON_STREAM
		       ? SFR__RECV_STREAM
		       : SFR__RECV_COMMON;
}

/* Whether it is armed at another ring than it should be. */
static bool receive_is_misplaced(const sfr_op *op)
{
	return op->sqe.buf_group != receive_group(op);
}

/* So many bytes arrived in a block of their own: is it still the right one? */
static void receive_size_note(sfr_op *op, uint32_t len)
{
	const uint32_t small = op->loop->pool->slab.block_size;
	const bool is_large = op->sqe.buf_group == SFR__RECV_STREAM;
	uint64_t run = (op->sqe.user_data >> RUN_SHIFT) + 1;

	if (is_large ? len > small : len < small)
		run = 0;
	if (run == (is_large ? SMALL_RUN : FULL_RUN)) {
		run = 0;
		if (is_large || (!op->loop->pressure.on && stream_is_open(op->loop)))
			op->sqe.user_data ^= DRAWS_ON_STREAM;
		if (op->loop->recv[SFR__RECV_STREAM]
			    .incremental) /* a part is as small as its bytes */
			op->sqe.user_data &= ~(uint64_t)MAY_MOVE;
	}
	op->sqe.user_data = (op->sqe.user_data & ((1U << RUN_SHIFT) - 1)) | run << RUN_SHIFT;
}

/* Have the engine end it, so that it is armed anew, elsewhere. Without room for the request it is made after the next
 * arrival, as it is when the engine did not find the op. */
static void receive_move(sfr_op *op)
{
	struct io_uring_sqe *sqe = sfr__queue_sqe(&op->loop->engine->queue);

	if (!sqe)
		return;
	io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)op, 0);
	sqe->user_data = SFR__CQE_MOVE;
}

/* The ring that it draws from while it is armed, and waits for while it is not. */
static struct sfr__recv_ring *ring_of(const sfr_op *op)
{
	return &op->loop->recv[op->sqe.buf_group];
}

/* The message in a buffer; NULL if that is the end. */
static sfr_buf *message_of(const sfr_op *op, sfr_buf *buf, int *result)
{
	*result = sfr__datagram_unwrap(buf);
	if (*result || !sfr__datagrams_ended(op->loop, op->sqe.fd))
		return buf;
	sfr_buf_release(buf);
	return NULL;
}

/* What the kernel put into the ring for an op; none if nothing is in it. 0 or -ENOMEM: see sfr__recv_ring_take(). */
static int ring_take(sfr_op *op, int result, unsigned flags, sfr_buf **buf_out)
{
	struct sfr__recv_ring *recv = ring_of(op);

	*buf_out = NULL;
	if (!(flags & IORING_CQE_F_BUFFER) || (result <= 0 && recv->incremental))
		return 0; /* of an incremental ring nothing was used up then, whatever the flags say */
	return sfr__recv_ring_take(recv, op->loop->pool, flags >> IORING_CQE_BUFFER_SHIFT,
				   result > 0 ? (uint32_t)result : 0, flags & SFR__CQE_F_BUF_MORE,
				   buf_out);
}

/* For how much a receive of a socket asks: while memory is short for one small buffer, else for all there is. */
static void recv_measure(sfr_op *op)
{
	const sfr_loop *loop = op->loop;
	const bool many = !loop->pressure.on &&
			  sfr__has(loop->engine->features, SFR__FEATURE_RECV_MULTI);

	op->sqe.len = loop->pressure.on ? loop->pool->slab.block_size : 0;
	op->sqe.ioprio = many ? IORING_RECV_MULTISHOT : 0;
}

/* The engine is done with an op that got something: it goes on, in turn. */
static void receive_again(sfr_op *op)
{
	if (sfr__unlikely(op->sqe.len) && op->kind == SFR__OP_RECV_MULTI)
		recv_measure(op);
	op->sqe.buf_group = receive_group(op);
	sfr__op_go_on(op, ring_of(op)->rationed ? &ring_of(op)->served : &op->loop->backlog);
}

/* The ring was empty. */
static void receive_park(sfr_op *op)
{
	struct sfr__recv_ring *recv;

	op->loop->stats.parked++;
	op->sqe.buf_group = receive_group(op);
	recv = ring_of(op);
	if (recv->rationed || sfr__receives_wait(recv)) /* alone, it may have all */
		recv->rationed = RATIONED_TURNS;
	sfr__op_go_on(op, &recv->parked);
}

/* False, and nothing has happened, if there is no memory to describe what arrived. */
static bool receive_by_ring_complete(sfr_op *op, int result, unsigned flags)
{
	sfr_buf *buf;

	if (sfr__unlikely(ring_take(op, result, flags, &buf) < 0))
		return false;
	if (buf && op->kind == SFR__OP_RECVFROM_MULTI)
		buf = message_of(op, buf, &result);
	if (buf && op->kind == SFR__OP_RECV_MULTI && op->sqe.user_data & MAY_MOVE &&
	    !receive_is_misplaced(op))
		receive_size_note(op, (uint32_t)result);
	if (flags & IORING_CQE_F_MORE) {
		sfr__op_step(op, SFR__EV_CQE_MORE);
		if (sfr__unlikely(receive_is_misplaced(op)) && op->state == SFR__OP_IN_FLIGHT)
			receive_move(op);
	} else if (buf || (result == -ECANCELED && op->state == SFR__OP_IN_FLIGHT &&
			   receive_is_misplaced(op))) {
		receive_again(op);
	} else if (result == -ENOBUFS) {
		receive_park(op);
	} else if (result == -EBADFD && op->kind == SFR__OP_READ_MULTI) {
		receive_poll_again(op); /* such a file cannot wait for bytes: it has them */
		return true;
	} else {
		sfr__op_finish(op, result);
		return true;
	}
	if (buf)
		sfr__op_deliver(op, result, sfr__arrival_fit(op->loop, buf));
	return true;
}

static bool is_of_stream(const sfr_op *op)
{
	return op->kind == SFR__OP_RECV_MULTI && op->sqe.user_data & (DRAWS_ON_STREAM | MAY_MOVE);
}

/* One by one, as many as another ring has room for: they go first there, as none of them got anything. */
static size_t list_make_do(struct sfr__hook *list, sfr_loop *loop, enum sfr__recv_group group,
			   size_t room)
{
	struct sfr__recv_ring *other = &loop->recv[group];
	struct sfr__hook *hook = list->next, *next;

	for (; room && hook != list; hook = next) {
		sfr_op *op = sfr__container(hook, sfr_op, hook);

		next = hook->next;
		if (!is_of_stream(op))
			continue;
		sfr__list_remove(&op->hook);
		op->sqe.buf_group = (uint16_t)group;
		sfr__list_append(&other->parked, &op->hook);
		other->rationed = RATIONED_TURNS;
		room--;
	}
	return room;
}

void sfr__receives_make_do(sfr_loop *loop, enum sfr__recv_group group)
{
	enum sfr__recv_group other = group == SFR__RECV_STREAM ? SFR__RECV_COMMON
							       : SFR__RECV_STREAM;
	struct sfr__recv_ring *from = &loop->recv[group], *to = &loop->recv[other];
	size_t room;

	if (other == SFR__RECV_COMMON ? common_open(loop) < 0 : !to->ring)
		return;
	sfr__recv_ring_fill(to, loop->pool);
	room = sfr__receives_wait(to) ? 0 : sfr__recv_ring_room(to);
	room = list_make_do(&from->parked, loop, other, room);
	(void)list_make_do(&from->served, loop, other, room);
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

/* An arrival of a receive that was cancelled as the loop drains, and whose program has all the memory there is. */
static void arrival_lose(sfr_op *op, int result, unsigned flags)
{
	sfr__recv_ring_lose(ring_of(op), flags >> IORING_CQE_BUFFER_SHIFT, (uint32_t)result,
			    flags & SFR__CQE_F_BUF_MORE);
	if (flags & IORING_CQE_F_MORE)
		sfr__op_step(op, SFR__EV_CQE_MORE);
	else
		sfr__op_finish(op, -ENOMEM);
}

void sfr__receives_recall(sfr_loop *loop)
{
	const struct sfr__kept_arrival *first;

	while ((first = sfr__kept_first(&loop->kept))) {
		if (!receive_by_ring_complete(first->op, first->result, first->flags)) {
			if (!loop->draining)
				return;
			arrival_lose(first->op, first->result, first->flags);
		}
		sfr__kept_pop(&loop->kept);
	}
}

void sfr__receive_complete(sfr_op *op, int result, unsigned flags)
{
	if (sfr__unlikely(!(op->sqe.flags & IOSQE_BUFFER_SELECT)))
		receive_by_poll_complete(op, result);
	else if (sfr__unlikely(op->loop->kept.count && op->sqe.buf_group == SFR__RECV_STREAM) ||
		 sfr__unlikely(!receive_by_ring_complete(op, result, flags)))
		sfr__kept_push(&op->loop->kept, (struct sfr__kept_arrival){op, result, flags});
}

/*
 * Builders.
 */

/* Have an op that is prepared draw from the common ring. */
static void receive_by_common(sfr_op *op)
{
	op->result = common_open(op->loop);
	op->sqe.flags |= IOSQE_BUFFER_SELECT;
	op->sqe.buf_group = SFR__RECV_COMMON;
}

static void recv_by_ring(sfr_op *op, int fd, bool is_stream)
{
	io_uring_prep_recv(&op->sqe, fd, NULL, 0, 0);
	recv_measure(op);
	if (!is_stream || !sfr__has(op->loop->engine->features, SFR__FEATURE_INCREMENTAL) ||
	    !stream_is_open(op->loop)) {
		receive_by_common(op);
		op->sqe.user_data = is_stream ? MAY_MOVE : 0;
		return;
	}
	op->sqe.flags |= IOSQE_BUFFER_SELECT;
	op->sqe.buf_group = SFR__RECV_STREAM;
	op->sqe.user_data = DRAWS_ON_STREAM;
}

sfr_op *sfr__op_recv_stream(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_RECV_MULTI, false);

	if (!op)
		return NULL;
	if (sfr__has(loop->engine->features, SFR__FEATURE_BUFFER_RINGS))
		recv_by_ring(op, fd, true);
	else
		receive_poll(op, fd);
	return op;
}

sfr_op *sfr_recv_multi(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_RECV_MULTI, false);
	int type;

	if (!op)
		return NULL;
	type = sfr__socket_option(loop->engine->system, fd, SO_TYPE);
	if (sfr__has(loop->engine->features, SFR__FEATURE_BUFFER_RINGS)) {
		recv_by_ring(op, fd, type == SOCK_STREAM);
		return op;
	}
	if (type == -ENOTSOCK) /* which who polls it would not be told */
		op->result = -ENOTSOCK;
	receive_poll(op, fd);
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
	receive_by_common(op);
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
		receive_by_common(op);
	return op;
}

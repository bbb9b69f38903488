/* SPDX-License-Identifier: MIT */
/*
 * Builders: what each op asks of the engine.
 *
 * A builder never refuses. What is wrong already is kept as the op's result, and submitting such an op
 * leads straight to its callback.
 */
#include "op/build.h"
#include "machine/kernel.h"
#include "op/end.h"
#include "op/gathered.h"
#include "op/inherit.h"
#include "op/kind.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static sfr_op *op_take(sfr_loop *loop, enum sfr__op_kind kind, bool with_buf)
{
	sfr_op *op = sfr__op_take(&loop->ops, with_buf);

	if (!op) {
		errno = ENOMEM;
		return NULL;
	}
	op->loop = loop;
	op->kind = (uint8_t)kind;
	return op;
}

/* Somebody builds who may not: his buffer goes the way that is open to all threads. */
static sfr_op *op_refuse(const sfr_loop *loop, sfr_buf *buf)
{
	int r = sfr__pool_foreign(loop->pool, "an operation was built");

	sfr_buf_release(buf);
	errno = -r;
	return NULL;
}

sfr_op *sfr__op_new(sfr_loop *loop, enum sfr__op_kind kind, bool with_buf)
{
	return sfr__likely(sfr__pool_is_open(loop->pool)) ? op_take(loop, kind, with_buf)
							  : op_refuse(loop, NULL);
}

/*
 * An op that takes the caller's buffer. A buffer that was not the caller's to give stays where it is. One
 * of another loop has no cell set aside here: without memory for one it is dropped.
 */
sfr_op *sfr__op_new_with(sfr_loop *loop, enum sfr__op_kind kind, sfr_buf *buf)
{
	sfr_op *op;
	bool taken;
	int r;

	if (sfr__unlikely(!sfr__pool_is_open(loop->pool)))
		return op_refuse(loop, buf);
	r = buf ? sfr__buf_give(loop->pool, buf) : -SFR_EPOOLEMPTY;
	taken = buf && r != -SFR_EINFLIGHT;
	op = op_take(loop, kind, taken && sfr__buf(buf)->pool == loop->pool);
	if (op) {
		op->result = r;
		op->buf = taken ? buf : NULL;
	} else if (taken) {
		sfr__buf_drop_chain(buf);
	}
	return op;
}

sfr_op *sfr__op_new_into(sfr_loop *loop, enum sfr__op_kind kind, sfr_buf *buf, uint32_t room)
{
	sfr_op *op = sfr__op_new_with(loop, kind, buf);

	if (sfr__op_sound(op)) {
		op->result = sfr__buf_check_fill(buf, room);
		sfr__buf(buf)->datagram = 0;
	}
	return op;
}

sfr_op *sfr_nop(sfr_loop *loop)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_NOP, false);

	if (!op)
		return NULL;
	io_uring_prep_nop(&op->sqe);
	return op;
}

static sfr_op *op_read(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off)
{
	sfr_op *op = sfr__op_new_into(loop, SFR__OP_READ, buf, 1);

	if (!sfr__op_sound(op))
		return sfr__op_hollow(op, IORING_OP_READ, fd, off);
	io_uring_prep_read(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_room(buf), off);
	sfr__fixed_apply(loop, &op->sqe, buf);
	return op;
}

static sfr_op *op_write_to(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off)
{
	sfr_op *op = sfr__op_new_with(loop, SFR__OP_WRITE, buf);

	if (!sfr__op_sound(op))
		return sfr__op_hollow(op, IORING_OP_WRITE, fd, off);
	if (sfr__unlikely(buf->next != NULL)) {
		sfr__op_gather_write(op, fd, off);
		return op;
	}
	io_uring_prep_write(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_len(buf), off);
	sfr__fixed_apply(loop, &op->sqe, buf);
	return op;
}

/* The offset that stands for the file's own position is none that a caller may name. */
static sfr_op *op_at(sfr_op *op, uint64_t off)
{
	if (sfr__unlikely(off == SFR__POSITION) && (sfr__op_sound(op) || sfr__op_is_hollow(op)))
		op->result = -EINVAL;
	return op;
}

sfr_op *sfr_read(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return op_read(loop, fd, buf, SFR__POSITION);
}

sfr_op *sfr_read_at(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off)
{
	return op_at(op_read(loop, fd, buf, off), off);
}

sfr_op *sfr_write(sfr_loop *loop, int fd, sfr_buf *buf)
{
	return op_write_to(loop, fd, buf, SFR__POSITION);
}

sfr_op *sfr_write_at(sfr_loop *loop, int fd, sfr_buf *buf, uint64_t off)
{
	return op_at(op_write_to(loop, fd, buf, off), off);
}

sfr_op *sfr_recv(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *op = sfr__op_new_into(loop, SFR__OP_RECV, buf, 1);

	if (!sfr__op_sound(op))
		return sfr__op_hollow(op, IORING_OP_RECV, fd, 0);
	io_uring_prep_recv(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_room(buf), 0);
	return op;
}

sfr_op *sfr_send(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *op = sfr__op_new_with(loop, SFR__OP_SEND, buf);

	if (!sfr__op_sound(op))
		return sfr__op_hollow(op, IORING_OP_SEND, fd, 0);
	if (sfr__unlikely(buf->next != NULL)) {
		sfr__op_gather_send(op, fd, sfr__send_flags(loop));
		return op;
	}
	io_uring_prep_send(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_len(buf),
			   (int)sfr__send_flags(loop));
	return op;
}

/* Whether a cell is set aside for an op with this chain: those of stand-alone pools have none. */
static bool chain_has_cell(const sfr_loop *loop, const sfr_buf *chain)
{
	while (chain && sfr__unlikely(sfr__buf(chain)->pool != loop->pool))
		chain = chain->next;
	return chain != NULL;
}

sfr_op *sfr__op_send_chain(sfr_loop *loop, int fd, sfr_buf *chain)
{
	const int flags = MSG_NOSIGNAL | MSG_WAITALL;
	sfr_op *op = sfr__op_new(loop, SFR__OP_SEND, chain_has_cell(loop, chain));

	if (sfr__unlikely(!op))
		return NULL;
	op->buf = chain;
	op->flags |= SFR__OP_BUF_QUEUED;
	if (!chain->next) {
		io_uring_prep_send(&op->sqe, fd, sfr__buf_data(chain), sfr__buf_len(chain), flags);
		return op;
	}
	sfr__op_gather_send(op, fd, (unsigned)flags);
	if (sfr__unlikely(op->result < 0)) {
		(void)sfr__op_unbuild(op);
		return NULL;
	}
	return op;
}

sfr_op *sfr_connect(sfr_loop *loop, int fd, const struct sockaddr *addr, socklen_t size)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_CONNECT, false);
	struct sockaddr_storage *copy;

	if (!op)
		return NULL;
	if (!addr || size > sizeof(*copy)) {
		op->result = -EINVAL;
		return op;
	}
	copy = calloc(1, sizeof(*copy));
	if (!copy) {
		op->result = -ENOMEM;
		return op;
	}
	memcpy(copy, addr, size);
	op->flags |= SFR__OP_COPIES;
	io_uring_prep_connect(&op->sqe, fd, (struct sockaddr *)copy, size);
	return op;
}

sfr_op *sfr_shutdown(sfr_loop *loop, int fd, int how)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_SHUTDOWN, false);

	if (!op)
		return NULL;
	io_uring_prep_shutdown(&op->sqe, fd, how);
	return op;
}

sfr_op *sfr_close(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_CLOSE, false);

	if (!op)
		return NULL;
	io_uring_prep_close(&op->sqe, fd);
	sfr__position_forget(loop, fd);
	if (sfr__fd_is_name(fd))
		op->flags |= SFR__OP_PLACE;
	return op;
}

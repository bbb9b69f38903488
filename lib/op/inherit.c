/* SPDX-License-Identifier: MIT */
/*
 * Inheriting: the entry is built when the buffer is known, and not before.
 *
 * The op first points at a buffer that another op still owns (expect), then owns it (inherit). The
 * entry points at the same bytes both times, so the engine may have taken it in between.
 */
#include "op/inherit.h"
#include "op/gathered.h"
#include "op/kind.h"
#include <sys/socket.h>

sfr_op *sfr__op_hollow(sfr_op *op, int opcode, int fd, uint64_t off)
{
	if (!sfr__op_is_hollow(op))
		return op;
	io_uring_prep_rw(opcode, &op->sqe, fd, NULL, 0, off);
	if (!sfr__op_is(op, SFR__KIND_FILLS) && sfr__op_is(op, SFR__KIND_MESSAGE))
		op->sqe.msg_flags = sfr__send_flags(op->loop);
	return op;
}

/* A window on one block, for reading with as much room as there is. */
static void point_at(sfr_op *op, const sfr_buf *buf, uint32_t len)
{
	op->sqe.addr = (uint64_t)(uintptr_t)sfr__buf_data(buf);
	op->sqe.len = len;
	if (sfr__op_is(op, SFR__KIND_MESSAGE))
		return;
	op->sqe.opcode = op->kind == SFR__OP_READ ? IORING_OP_READ : IORING_OP_WRITE;
	sfr__fixed_apply(op->loop, &op->sqe, buf);
}

bool sfr__op_may_expect(const sfr_op *op, const sfr_buf *buf)
{
	if (buf->next)
		return false;
	return !sfr__op_is(op, SFR__KIND_FILLS) || sfr__buf_check_fill(buf, 1) == 0;
}

void sfr__op_expect(sfr_op *op, const sfr_buf *buf, uint32_t len)
{
	point_at(op, buf, sfr__op_is(op, SFR__KIND_FILLS) ? sfr__buf_room(buf) : len);
	op->result = 0;
}

/* Its entry, for a buffer that it has. 0, or what is wrong. */
static int point_at_own(sfr_op *op)
{
	sfr_buf *buf = op->buf;

	if (sfr__op_is(op, SFR__KIND_FILLS)) {
		int r = sfr__buf_check_fill(buf, 1);

		if (r == 0)
			point_at(op, buf, sfr__buf_room(buf));
		return r;
	}
	if (!buf->next)
		point_at(op, buf, sfr__buf_len(buf));
	else if (sfr__op_is(op, SFR__KIND_MESSAGE))
		sfr__op_gather_send(op, op->sqe.fd, op->sqe.msg_flags);
	else
		sfr__op_gather_write(op, op->sqe.fd, op->sqe.off);
	return op->result;
}

void sfr__op_inherit(sfr_op *op, sfr_buf *buf)
{
	op->result = sfr__buf_give(op->loop->pool, buf);
	op->buf = buf;
	sfr__buf(buf)->datagram = 0;
	if (op->result == 0)
		op->result = point_at_own(op);
}

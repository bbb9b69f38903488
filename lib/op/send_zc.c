/* SPDX-License-Identifier: MIT */
/*
 * Sending without a copy.
 *
 * Such a send has two completions: the first has its result, and if that one says F_MORE, a second tells
 * that the kernel has let go of the bytes. The op keeps the result until then, as what it was asked for
 * is done, but the buffer is not back.
 */
#include "op/again.h"
#include "op/build.h"
#include "op/complete.h"
#include "op/end.h"
#include "op/gathered.h"
#include "op/inherit.h"
#include "op/kind.h"
#include <errno.h>
#include <sys/socket.h>

/* What the kernel or the socket cannot do without a copy, for want of lockable memory too. */
static bool is_refused(int result)
{
	return result == -EOPNOTSUPP || result == -ENOMEM;
}

static bool is_plain(const sfr_op *op)
{
	return op->sqe.opcode == IORING_OP_SEND || op->sqe.opcode == IORING_OP_SENDMSG;
}

/* The same bytes again, or what is left of them. */
static void send_plainly(sfr_op *op)
{
	op->sqe.opcode = op->flags & SFR__OP_GATHERED ? IORING_OP_SENDMSG : IORING_OP_SEND;
	op->sqe.msg_flags |= op->loop->engine->send_flags;
	sfr__op_go_on(op, &op->loop->backlog);
}

void sfr__send_zc_complete(sfr_op *op, int result, unsigned flags)
{
	if (flags & IORING_CQE_F_MORE) {
		op->result = result;
		op->flags |= SFR__OP_SENT;
		sfr__op_step(op, SFR__EV_CQE_MORE);
		return;
	}
	if (flags & IORING_CQE_F_NOTIF) {
		result = op->result;
		op->result = 0;
		op->flags &= (uint16_t)~SFR__OP_SENT;
	}
	if (result == -EAGAIN)
		sfr__op_try_again(op);
	else if (is_refused(result) && !is_plain(op))
		send_plainly(op);
	else
		sfr__op_part_done(op, result);
}

sfr_op *sfr_send_zc(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *op = sfr__op_new_with(loop, SFR__OP_SEND_ZC, buf);
	bool zc = sfr__has(loop->engine->features, SFR__FEATURE_SEND_ZC);
	unsigned send_flags = zc ? MSG_NOSIGNAL : sfr__send_flags(loop);

	if (!sfr__op_sound(op))
		return sfr__op_hollow(op, zc ? IORING_OP_SEND_ZC : IORING_OP_SEND, fd, 0);
	if (sfr__unlikely(buf->next != NULL)) {
		sfr__op_gather_send(op, fd, send_flags);
		if (zc && loop->engine->ops >> IORING_OP_SENDMSG_ZC & 1)
			op->sqe.opcode = IORING_OP_SENDMSG_ZC;
		return op;
	}
	io_uring_prep_send(&op->sqe, fd, sfr__buf_data(buf), sfr__buf_len(buf), (int)send_flags);
	if (zc)
		op->sqe.opcode = IORING_OP_SEND_ZC;
	return op;
}

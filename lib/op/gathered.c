/* SPDX-License-Identifier: MIT */
/*
 * Ops on chains: the entry of a sendmsg or writev over a gather, and where it goes on after a part.
 *
 * An op whose chain cannot be gathered gets its result (-EMSGSIZE, -ENOMEM) at once, and keeps its
 * buffer until that is delivered.
 */
#include "op/gathered.h"
#include "sqe/fd_kind.h"
#include <errno.h>
#include <limits.h>

/* Of a stream what is left over can follow; of a message it cannot. What is no socket the send will say. */
static bool is_message(const sfr_loop *loop, int fd)
{
	int type = sfr__socket_option(loop->engine->system, fd, SO_TYPE);

	return type >= 0 && type != SOCK_STREAM;
}

/* A gather on the op's chain. NULL, and the op's result, if it cannot be. */
static struct sfr__gather *gather_new(sfr_op *op, int socket_fd)
{
	sfr_loop *loop = op->loop;
	struct sfr__gather *gather;
	size_t parts;

	if (sfr__chain_measure(op->buf, &parts) > INT_MAX || /* more than a result can say */
	    (parts > SFR__GATHER_MAX && is_message(loop, socket_fd))) {
		op->result = -EMSGSIZE;
		return NULL;
	}
	gather = sfr__gather_take(&loop->gathers, parts, &loop->stats.heap_allocs);
	if (!gather) {
		op->result = -ENOMEM;
		return NULL;
	}
	sfr__gather_fill(gather, op->buf);
	op->flags |= SFR__OP_GATHERED;
	return gather;
}

void sfr__op_gather_send(sfr_op *op, int fd, unsigned flags)
{
	struct sfr__gather *gather = gather_new(op, fd);

	if (gather)
		io_uring_prep_sendmsg(&op->sqe, fd, &gather->msg, flags);
}

void sfr__op_gather_write(sfr_op *op, int fd, uint64_t off)
{
	struct sfr__gather *gather = gather_new(op, -1);

	if (gather)
		io_uring_prep_writev(&op->sqe, fd, gather->vectors,
				     (unsigned)gather->msg.msg_iovlen, off);
}

bool sfr__op_gather_advance(sfr_op *op, uint32_t count)
{
	struct sfr__gather *gather = sfr__op_gather_of(op);

	gather->done += count;
	sfr__gather_fill(gather, op->buf);
	if (op->sqe.opcode == IORING_OP_WRITEV)
		op->sqe.len = (uint32_t)gather->msg.msg_iovlen;
	return gather->msg.msg_iovlen > 0;
}

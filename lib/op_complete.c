/*
 * Completing: what a completion means for its op, and which ops go on after one.
 */
#include "op.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* The engine is done with an op that went well and goes on: arm it again, or let it end. */
static void multishot_ended(sfr_op *op, struct sfr__link *queue)
{
	if (op->state == SFR__OP_IN_FLIGHT) {
		sfr__op_step(op, SFR__EV_REQUEUE);
		sfr__list_append(queue, &op->link);
	} else {
		sfr__op_finish_later(op, SFR__EV_CQE_LAST, -ECANCELED);
	}
}

static void accept_multi_complete(sfr_op *op, int result, bool more)
{
	if (result < 0 && !more) {
		sfr__op_finish(op, result);
		return;
	}
	if (more)
		sfr__op_step(op, SFR__EV_CQE_MORE);
	else
		multishot_ended(op, &op->loop->backlog);
	sfr__op_deliver(op, result, NULL);
}

void sfr__op_poll_to_receive(sfr_op *op, int fd)
{
	io_uring_prep_poll_add(&op->sqe, fd, POLLIN);
}

/* There is something to receive: get it, if there is a buffer for it. */
static void recv_polled(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	sfr_buf *buf = sfr__pool_get(loop->pool, loop->pool->slab.block_size);

	if (!buf) {
		loop->stats.parked++;
		multishot_ended(op, &loop->parked);
		return;
	}
	(void)sfr__buf_give(loop->pool, buf); /* ours, and fresh: it cannot be refused */
	op->buf = buf;
	op->buf_role = SFR__BUF_HIDDEN;
	io_uring_prep_recv(&op->sqe, op->sqe.fd, sfr__buf_data(buf), sfr__buf_room(buf),
			   MSG_DONTWAIT);
	multishot_ended(op, &loop->backlog);
}

/* Polled in vain: somebody else was faster, or what poll told of is not to be received, and it would tell
 * again at once. This one time the receive waits, with its buffer. */
static void recv_patiently(sfr_op *op)
{
	op->sqe.msg_flags = 0;
	multishot_ended(op, &op->loop->backlog);
}

/* Without rings of provided buffers a receive is a poll, then a receive, and so on. */
static void recv_by_poll_complete(sfr_op *op, int result)
{
	sfr_buf *buf = op->buf;

	if (op->sqe.opcode == IORING_OP_POLL_ADD) {
		if (result < 0)
			sfr__op_finish(op, result);
		else if (op->state == SFR__OP_IN_FLIGHT)
			recv_polled(op);
		else
			multishot_ended(op, NULL);
		return;
	}
	if (result == -EAGAIN) {
		recv_patiently(op);
		return;
	}
	if (result <= 0) {
		sfr__op_finish(op, result);
		return;
	}
	op->buf = NULL;
	sfr__op_poll_to_receive(op, op->sqe.fd);
	multishot_ended(op, &op->loop->backlog);
	sfr__buf_return(buf, (uint32_t)result);
	sfr__op_deliver(op, result, buf);
}

static void recv_multi_complete(sfr_op *op, int result, unsigned flags)
{
	sfr_loop *loop = op->loop;
	bool more = flags & IORING_CQE_F_MORE;
	sfr_buf *buf = NULL;

	if (flags & IORING_CQE_F_BUFFER)
		buf = sfr__recv_ring_take(&loop->recv, loop->pool, flags >> IORING_CQE_BUFFER_SHIFT,
					  result > 0 ? (uint32_t)result : 0);
	if (more) {
		sfr__op_step(op, SFR__EV_CQE_MORE);
	} else if (result > 0) {
		multishot_ended(op, &loop->backlog);
	} else if (result == -ENOBUFS) {
		loop->stats.parked++;
		multishot_ended(op, &loop->parked);
	} else {
		sfr__op_finish(op, result);
		return;
	}
	if (buf)
		sfr__op_deliver(op, result, buf);
}

/* The part that is done moves the entry forward. A part that ends it all leaves it to op_outcome(). */
static void whole_complete(sfr_op *op, int result)
{
	if (result <= 0) {
		sfr__op_finish(op, result);
		return;
	}
	op->sqe.addr += (uint32_t)result;
	op->sqe.len -= (uint32_t)result;
	if (op->sqe.off != UINT64_MAX &&
	    !sfr__op_is(op, SFR__KIND_MESSAGE)) /* else at the file's position */
		op->sqe.off += (uint32_t)result;
	if (op->sqe.len && op->state == SFR__OP_IN_FLIGHT)
		multishot_ended(op, &op->loop->backlog);
	else
		sfr__op_finish(op, 0);
}

/*
 * Completion codes that differ between kernels. A call that was interrupted says so in one of several
 * ways, some of them the kernel's own business. Who asked for it is told what he asked for.
 */
static int result_normal(const sfr_op *op, int result)
{
	bool interrupted = result == -EINTR || (result <= -512 && result >= -516);
	bool asked = op->state != SFR__OP_IN_FLIGHT && !(op->flags & SFR__OP_ERRAND);

	return !interrupted ? result : asked ? -ECANCELED : -EINTR;
}

void sfr__op_complete(sfr_op *op, int result, unsigned flags)
{
	if (sfr__unlikely(result < 0))
		result = result_normal(op, result);
	if (op->kind == SFR__OP_RECV_MULTI && sfr__likely(op->sqe.flags & IOSQE_BUFFER_SELECT))
		recv_multi_complete(op, result, flags);
	else if (op->kind == SFR__OP_RECV_MULTI)
		recv_by_poll_complete(op, result);
	else if (op->kind == SFR__OP_ACCEPT_MULTI)
		accept_multi_complete(op, result, flags & IORING_CQE_F_MORE);
	else if (sfr__unlikely(op->flags & SFR__OP_WHOLE))
		whole_complete(op, result);
	else
		sfr__op_finish(op, result);
}

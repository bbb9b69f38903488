/* SPDX-License-Identifier: MIT */
/*
 * Again: operations that the engine gave up with EAGAIN, though their caller asked to wait.
 *
 * Sometimes poll says "ready" and the operation still gets nothing: an error queue that nobody reads, a receiver
 * without room for another datagram, a Unix listener with a full backlog, another process that was faster. The
 * kernel then tries a number of times, and at last does what the descriptor says: a socket or pipe that is
 * O_NONBLOCK answers EAGAIN. Asking again at once would burn a core, as poll would say "ready" again. So the op is
 * tried again after a while, and less and less often, as the epoll engine does.
 */
#include "op/again.h"
#include "op/end.h"
#include "op/kind.h"
#include "sqe/fd_kind.h"
#include <errno.h>

/* Of a registered file there is no descriptor to ask. */
static bool is_nonblocking(const sfr_op *op)
{
	return sfr__fd_is_name(op->sqe.fd) ||
	       sfr__fd_is_nonblocking(op->loop->engine->system, op->sqe.fd);
}

/* On a blocking file EAGAIN comes from its driver, and is the result. From a splice it means that one of its
 * descriptors is O_NONBLOCK: see sfr_splice(). */
bool sfr__op_waits(const sfr_op *op)
{
	if (!sfr__op_is(op, SFR__KIND_WAITS))
		return false;
	return !sfr__op_is(op, SFR__KIND_LENGTH) || sfr__op_is(op, SFR__KIND_MESSAGE) ||
	       is_nonblocking(op);
}

/*
 * Messages. When io_uring tries again to send, it goes on behind what the first try consumed. That is right for a
 * stream. But a Unix socket consumes a message before it finds its receiver full, so that an empty message is sent,
 * or one without its first bytes (seen on Linux 6.18). So sends first ask not to wait. If one has to wait, it is
 * sent anew from its beginning each time on such a socket; on any other socket it is submitted once more, and asks
 * the kernel to wait.
 */

static bool is_send(const sfr_op *op)
{
	return op->sqe.opcode == IORING_OP_SEND || op->sqe.opcode == IORING_OP_SENDMSG;
}

static bool asks_not_to_wait(const sfr_op *op)
{
	return is_send(op) && op->sqe.msg_flags & MSG_DONTWAIT;
}

/* Those of the internet find out first whether there is room. Of a registered socket nobody can ask. */
static bool is_consumed_in_vain(const sfr_op *op)
{
	const struct sfr__system *system = op->loop->engine->system;
	int domain = sfr__socket_option(system, op->sqe.fd, SO_DOMAIN);

	return domain >= 0 && domain != AF_INET && domain != AF_INET6 &&
	       sfr__socket_option(system, op->sqe.fd, SO_TYPE) != SOCK_STREAM;
}

/* Have a send that goes on by itself wait in the engine. False if it must not. */
static bool wait_in_engine(sfr_op *op)
{
	if (!asks_not_to_wait(op))
		return true;
	if (is_consumed_in_vain(op))
		return false;
	op->sqe.msg_flags &= ~(unsigned)MSG_DONTWAIT;
	return true;
}

static bool may_be_given_up(const sfr_op *op)
{
	if (!sfr__op_waits(op))
		return false;
	return sfr__fd_is_name(op->sqe.fd) ? sfr__file_is_nonblocking(&op->loop->files, op->sqe.fd)
					   : is_nonblocking(op);
}

/* An op that is given up breaks a soft link, and what is behind it is held again. */
bool sfr__op_may_lead(sfr_op *op, bool hard)
{
	if (hard && may_be_given_up(op))
		return false;
	return wait_in_engine(op);
}

void sfr__op_try_again(sfr_op *op)
{
	if (asks_not_to_wait(op) && wait_in_engine(op))
		sfr__op_go_on(op, &op->loop->backlog);
	else
		sfr__op_go_on_later(op);
}

/* The record that times the tries of an op; NULL without memory. */
static struct sfr__deadline *record_of(sfr_op *op)
{
	struct sfr__array *deadlines = &op->loop->deadlines;

	if (!(op->flags & SFR__OP_TIMED) && /* a deadline that never passes */
	    sfr__deadline_set(deadlines, op, UINT64_MAX))
		op->flags |= SFR__OP_TIMED;
	return op->flags & SFR__OP_TIMED ? sfr__deadline_of(deadlines, op) : NULL;
}

/* An op that ended meanwhile is on its way to its callback. */
static void again_fired(struct sfr__timer *timer)
{
	struct sfr__deadline *deadline = sfr__container(timer, struct sfr__deadline, again);
	sfr_op *op = deadline->op;

	deadline->waits = false;
	if (op->state != SFR__OP_QUEUED)
		return;
	sfr__list_remove(&op->hook);
	sfr__list_append(&op->loop->backlog, &op->hook);
}

/* A request that waits for room to be written is on the list already. */
static void cancel_fired(struct sfr__timer *timer)
{
	struct sfr__deadline *deadline = sfr__container(timer, struct sfr__deadline, again);
	sfr_op *op = deadline->op;

	deadline->waits = false;
	if (sfr__op_is_ending(op) && sfr__list_empty(&op->hook))
		sfr__list_append(&op->loop->cancels, &op->hook);
}

void sfr__op_cancel_later(sfr_op *op)
{
	struct sfr__deadline *deadline = record_of(op);

	if (deadline && !deadline->waits) /* without memory the first request has to do */
		sfr__deadline_wait(deadline, &op->loop->wheel, sfr__loop_clock_ns(op->loop),
				   cancel_fired);
}

void sfr__op_go_on_later(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	struct sfr__deadline *deadline;

	if (op->state != SFR__OP_IN_FLIGHT) {
		sfr__op_finish_later(op, SFR__EV_CQE_LAST, -ECANCELED);
		return;
	}
	deadline = record_of(op);
	if (!deadline) {
		sfr__op_finish(op, -ENOMEM);
		return;
	}
	op->flags &= (uint16_t)~SFR__OP_IN_ROW; /* it goes on alone */
	sfr__op_step(op, SFR__EV_REQUEUE);
	sfr__list_append(&loop->later, &op->hook);
	sfr__deadline_wait(deadline, &loop->wheel, sfr__loop_clock_ns(loop), again_fired);
}

/* SPDX-License-Identifier: MIT */
/*
 * Cancelling: a request, and letting go. The callback comes with the last completion, if anybody still
 * wants it.
 */
#include "op/cancel.h"
#include "op/again.h"
#include "op/end.h"
#include "op/errand.h"
#include "op/inherit.h"
#include "op/kind.h"
#include "op/registered.h"
#include <safer_ring/error.h>
#include <errno.h>

/* What lets go of something does so whatever is asked: it takes no time that anybody could save. */
void sfr__op_cancel(sfr_op *op)
{
	if (sfr__op_is(op, SFR__KIND_ENDS))
		return;
	sfr__loop_stir(op->loop);
	switch ((enum sfr__op_state)op->state) {
	case SFR__OP_QUEUED:
		sfr__op_finish_later(op, SFR__EV_REFUSED, -ECANCELED);
		break;
	case SFR__OP_IN_FLIGHT:
		if (sfr__kinds[op->kind].cancel) {
			sfr__kinds[op->kind].cancel(op);
			break;
		}
		if (op->flags & SFR__OP_ERRAND && sfr__errand_stop(op)) {
			sfr__op_finish_later(op, SFR__EV_CQE_LAST, -ECANCELED);
			break;
		}
		sfr__op_step(op, SFR__EV_CANCEL);
		if (!(op->flags & (SFR__OP_ERRAND | SFR__OP_SENT | SFR__OP_BEHIND)))
			sfr__list_append(&op->loop->cancels, &op->hook);
		break;
	case SFR__OP_CANCELLING:
	case SFR__OP_ORPHANED:
	case SFR__OP_DONE:
		break; /* it is ending already */
	case SFR__OP_ILLEGAL:
	case SFR__OP_FREE:
	case SFR__OP_BUILDING:
	case SFR__OP_ADDED:
	case SFR__OP_STATES:
		sfr__invariant(!"an op that was not submitted can be cancelled");
	}
}

void sfr__ticket_cancel(sfr_loop *loop, sfr_ticket ticket)
{
	sfr_op *op = sfr__op_find(&loop->ops, ticket);

	if (op)
		sfr__op_cancel(op);
}

/* The op that the caller names, if he may: 0, -SFR_ESTALE, or why not. */
static int op_named(sfr_loop *loop, sfr_ticket ticket, sfr_op **out)
{
	int r = sfr__loop_check(loop, "an operation was cancelled or abandoned");

	if (r < 0)
		return r;
	*out = sfr__op_find(&loop->ops, ticket);
	return *out ? 0 : -SFR_ESTALE;
}

int sfr_cancel(sfr_loop *loop, sfr_ticket ticket)
{
	sfr_op *op;
	int r = op_named(loop, ticket, &op);

	if (r == 0)
		sfr__op_cancel(op);
	return r;
}

void sfr__op_abandon(sfr_op *op)
{
	if (op->state == SFR__OP_ORPHANED)
		return;
	op->done = NULL;
	op->arg = (void *)(uintptr_t)op->loop->now; /* since when it is an orphan */
	sfr__op_cancel(op);
	if (op->state != SFR__OP_CANCELLING)
		return;
	op->loop->orphans++;
	sfr__op_step(op, SFR__EV_ABANDON);
}

int sfr_abandon(sfr_loop *loop, sfr_ticket ticket)
{
	sfr_op *op;
	int r = op_named(loop, ticket, &op);

	if (r == 0)
		sfr__op_abandon(op);
	return r;
}

size_t sfr_loop_orphan_list(const sfr_loop *loop, sfr_orphan *out, size_t max)
{
	size_t count = 0, i;

	for (i = 0; i < loop->ops.made && count < max; i++) {
		const sfr_op *op = sfr__op_at(&loop->ops, i);

		if (op->state != SFR__OP_ORPHANED)
			continue;
		out[count++] = (sfr_orphan){
			.name = sfr__kinds[op->kind].name,
			.fd = sfr__op_is(op, SFR__KIND_ON_FD) ? op->sqe.fd : -1,
			.age_ns = (uintptr_t)loop->now - (uintptr_t)op->arg,
			.size = op->buf ? sfr__buf(op->buf)->size : 0,
		};
	}
	return loop->orphans;
}

static bool is_on(const sfr_op *op, int fd)
{
	if (!sfr__op_has_entry(op))
		return false;
	if (op->kind == SFR__OP_SPLICE && sfr__registered_splice_in(op) == fd)
		return true;
	if (op->kind == SFR__OP_RAW && op->sqe.flags & IOSQE_FIXED_FILE)
		return false; /* an index */
	return sfr__op_is(op, SFR__KIND_ON_FD) && op->sqe.fd == fd;
}

static int cancel_fd(sfr_loop *loop, int fd)
{
	int count = 0;
	size_t i;

	for (i = 0; i < loop->ops.made; i++) {
		sfr_op *op = sfr__op_at(&loop->ops, i);

		if ((op->state != SFR__OP_QUEUED && op->state != SFR__OP_IN_FLIGHT) ||
		    !sfr__op_is(op, SFR__KIND_ON_FD) || !is_on(op, fd) ||
		    sfr__op_is(op, SFR__KIND_ENDS))
			continue;
		sfr__op_cancel(op);
		count++;
	}
	return count;
}

int sfr_cancel_fd(sfr_loop *loop, int fd)
{
	int r = sfr__loop_check(loop, "operations were cancelled");

	return r < 0 ? r : cancel_fd(loop, fd);
}

void sfr__ops_cancel_all(sfr_loop *loop)
{
	size_t i;

	for (i = 0; i < loop->ops.made; i++) {
		sfr_op *op = sfr__op_at(&loop->ops, i);

		if ((op->state == SFR__OP_QUEUED || op->state == SFR__OP_IN_FLIGHT) &&
		    !sfr__op_is(op, SFR__KIND_ENDS))
			sfr__op_cancel(op);
	}
}

/*
 * A request can look for an op just when it is nowhere to be found, and the op goes on waiting: a multishot op
 * between two completions, an op of a row that is about to be started, any op that was woken in vain and is on
 * its way to a worker of the kernel (seen on Linux 6.18 with ring.sqpoll). Or the op is completing. The first two
 * do not last, so the loop asks again at once; for all others less and less often. An op whose last completion is kept
 * for want of memory ends with that.
 */
void sfr__op_cancel_answered(sfr_op *op, int result)
{
	if (result >= 0 || !sfr__op_is_ending(op) || !sfr__list_empty(&op->hook) ||
	    sfr__unlikely(sfr__kept_has_last(&op->loop->kept, op)))
		return;
	if (result == -ENOENT && (sfr__op_is(op, SFR__KIND_MULTI) || op->flags & SFR__OP_IN_ROW))
		sfr__list_append(&op->loop->cancels, &op->hook);
	else
		sfr__op_cancel_later(op);
}

/* SPDX-License-Identifier: MIT */
/*
 * Linked ops: an op's user_data holds the next op of its row until the entry is written.
 *
 * A row is written to the queue as a whole or not at all. Where one of its ops was cancelled, or
 * its place among the registered files is not to be had, the row ends before it, and the rest is
 * still held.
 */
#include "op/row.h"
#include "buffer/buf.h"
#include "loop/gather.h"
#include "op/again.h"
#include "op/kind.h"
#include "op/registered.h"
#include "op/write.h"
#include <errno.h>

/* Beside the address of the op behind it. */
#define HARD 1

/* A system call transfers INT_MAX bytes at most, in whole pages, of which the largest have 64 KiB. */
#define ENTRY_SIZE_MAX (INT_MAX - 65535)

void sfr__op_link(sfr_op *op, sfr_op *next, bool hard)
{
	op->sqe.user_data = (uint64_t)(uintptr_t)next | (hard ? HARD : 0);
	op->flags |= SFR__OP_LINKED;
}

void sfr__op_unlink(sfr_op *op)
{
	op->flags &= (uint16_t)~SFR__OP_LINKED;
}

bool sfr__op_is_one_entry(const sfr_op *op)
{
	size_t parts = 1;
	uint64_t size = !sfr__op_is(op, SFR__KIND_LENGTH) ? 0
			: op->flags & SFR__OP_GATHERED    ? sfr__chain_measure(op->buf, &parts)
							  : op->sqe.len;

	return parts <= SFR__GATHER_MAX && size <= ENTRY_SIZE_MAX;
}

static sfr_op *op_behind(const sfr_op *op)
{
	return op->flags & SFR__OP_LINKED
		       ? (sfr_op *)(uintptr_t)(op->sqe.user_data & ~(uint64_t)HARD)
		       : NULL;
}

static unsigned link_flag(const sfr_op *op)
{
	return op->sqe.user_data & HARD ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;
}

/* A member that starts behind another one; `ahead` is the place that was last filled in its row. False if
 * its place is not to be had now. */
static bool place_begin_behind(sfr_op *op, unsigned ahead)
{
	sfr__place_unhold(op);
	if (!(op->flags & SFR__OP_PLACE) || sfr__place_begin(op, ahead) == 0)
		return true;
	sfr__place_hold(op);
	return false;
}

/* The member that the engine may start by itself behind this one; NULL: there is none, and the rest is still
 * held. */
static sfr_op *row_next(sfr_op *op)
{
	sfr_op *next = op_behind(op);

	return next && sfr__op_may_lead(op, op->sqe.user_data & HARD) ? next : NULL;
}

/* Entries that a row takes at most. Who was cancelled meanwhile ends it: the rest is still held. */
static uint32_t row_length(const sfr_op *head)
{
	const sfr_op *op = op_behind(head);
	uint32_t count = 1;

	for (; op && sfr__op_is_held(op); op = op_behind(op))
		count++;
	return count;
}

static struct io_uring_sqe *member_write(sfr_op *op, unsigned flags)
{
	op->flags = (uint16_t)((op->flags & ~SFR__OP_LINKED) | SFR__OP_IN_ROW | flags);
	return sfr__op_write(op);
}

bool sfr__row_write(sfr_op *head)
{
	const struct sfr__queue *queue = &head->loop->engine->queue;
	unsigned ahead = sfr__place_filled_by(head);
	struct io_uring_sqe *sqe;
	sfr_op *op = head, *next;

	if (queue->sq_entries - sfr__queue_written(queue) < row_length(head))
		return false;
	next = row_next(op);
	sqe = member_write(op, 0);
	while (next && sfr__op_is_held(next) && place_begin_behind(next, ahead)) {
		sqe->flags |= link_flag(op);
		op = next;
		if (sfr__place_filled_by(op) != SFR__NO_PLACE)
			ahead = sfr__place_filled_by(op);
		next = row_next(op);
		sqe = member_write(op, SFR__OP_BEHIND);
		head->loop->stats.links++;
	}
	return true;
}

void sfr__op_leads(sfr_op *op)
{
	if (!(op->flags & SFR__OP_BEHIND))
		return;
	op->flags &= (uint16_t)~SFR__OP_BEHIND;
	if (op->state == SFR__OP_CANCELLING || op->state == SFR__OP_ORPHANED)
		sfr__list_append(&op->loop->cancels, &op->hook);
}

/*
 * Completions come in the order of the row, so an error before the turn of an op has come says that the
 * engine refused it, or another, before it ran any of them. Nor did it run what it cancelled and nobody
 * asked it to.
 */
bool sfr__row_broke(sfr_op *op, int *result)
{
	bool never_ran = op->flags & SFR__OP_BEHIND ||
			 (*result == -ECANCELED && op->flags & SFR__OP_IN_ROW);

	if (never_ran && op->state != SFR__OP_IN_FLIGHT) /* as it was asked to */
		*result = -ECANCELED;
	if (!never_ran || op->state != SFR__OP_IN_FLIGHT)
		return false;
	sfr__op_step(op, SFR__EV_REQUEUE);
	op->flags &= (uint16_t) ~(SFR__OP_IN_ROW | SFR__OP_BEHIND);
	if (op->flags & SFR__OP_PLACE)
		(void)sfr__place_end(op, -ECANCELED);
	sfr__place_hold(op);
	op->loop->stats.links_broken++;
	op->done(op->loop, SFR__LINK_BROKEN, NULL, op->arg);
	return true;
}

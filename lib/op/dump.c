/* SPDX-License-Identifier: MIT */
/*
 * What each op is, where it waits, and what it holds.
 *
 * An op does not know which list it is on. So ops that wait on lists are written list by list, and all others in the
 * order of the table: each op once, however many there are.
 */
#include "op/dump.h"
#include "op/fd_name.h"
#include "op/kind.h"
#include "op/registered.h"
#include "op/row.h"
#include <safer_ring/error.h>
#include <inttypes.h>

static void fd_dump(const struct sfr__dump *dump, const sfr_op *op)
{
	char text[SFR__FD_TEXT];

	if (!sfr__op_fd_print(op, text))
		return;
	sfr__dump_say(dump, ", %s", text);
	if (op->kind == SFR__OP_SPLICE)
		sfr__dump_say(dump, ", from %s",
			      sfr__fd_print(sfr__registered_splice_in(op), text));
}

static void buf_dump(struct sfr__dump *dump, const sfr_op *op)
{
	size_t parts;

	if (!op->buf)
		return;
	parts = sfr__dump_chain(dump, op->buf, &dump->bufs_in_ops);
	if (parts == 1)
		sfr__dump_say(dump, ", buffer of %" PRIu32 " bytes", sfr__buf(op->buf)->size);
	else
		sfr__dump_say(dump, ", chain of %zu buffers", parts);
}

/* The only ops whose age is known are those with a deadline, and those that were abandoned. */
static void deadline_dump(const struct sfr__dump *dump, const sfr_op *op)
{
	const struct sfr__deadline *deadline;
	uint64_t left;

	if (!(op->flags & SFR__OP_TIMED))
		return;
	deadline = sfr__deadline_of(&dump->loop->deadlines, op);
	if (deadline->passed)
		sfr__dump_say(dump, ", its deadline has passed");
	if (!deadline->armed)
		return;
	left = sfr__dump_left(dump, &deadline->timer);
	sfr__dump_say(dump, ", deadline in ");
	sfr__dump_time(dump, left);
	sfr__dump_say(dump, ", submitted ");
	sfr__dump_time(dump, deadline->ns > left ? deadline->ns - left : 0);
	sfr__dump_say(dump, " ago");
}

static bool is_timer(const sfr_op *op)
{
	return op->kind == SFR__OP_TIMEOUT || op->kind == SFR__OP_INTERVAL;
}

static void timer_dump(const struct sfr__dump *dump, const sfr_op *op)
{
	if (!is_timer(op))
		return;
	sfr__dump_say(dump, ", of ");
	sfr__dump_time(dump, op->time.ns);
	if (op->state != SFR__OP_IN_FLIGHT)
		return;
	sfr__dump_say(dump, ", due in ");
	sfr__dump_time(dump, sfr__dump_until(dump, op->time.due_ns));
}

static void op_dump(struct sfr__dump *dump, const sfr_op *op, const char *where)
{
	sfr__dump_say(dump, "op 0x%" PRIx64 " %s: %s", (uint64_t)sfr__op_ticket(op),
		      sfr__kinds[op->kind].name, where);
	if (op->state == SFR__OP_ORPHANED) {
		sfr__dump_say(dump, " ");
		sfr__dump_time(dump, (uintptr_t)dump->loop->now - (uintptr_t)op->arg);
		sfr__dump_say(dump, " ago");
	}
	if (op->state == SFR__OP_DONE)
		sfr__dump_say(dump, " with %d (%s)", op->result,
			      op->result < 0 ? sfr_errname(op->result) : "OK");
	fd_dump(dump, op);
	timer_dump(dump, op);
	deadline_dump(dump, op);
	buf_dump(dump, op);
	if (op->state >= SFR__OP_QUEUED && op->done)
		sfr__dump_say(dump, ", callback 0x%" PRIxPTR "(%p)", (uintptr_t)op->done, op->arg);
	sfr__dump_say(dump, "\n");
}

static const char *in_flight_where(const sfr_op *op)
{
	if (op->flags & SFR__OP_ERRAND)
		return "with a worker";
	if (is_timer(op))
		return "waits for its time";
	if (op->flags & SFR__OP_BEHIND)
		return "with the engine, behind another";
	return sfr__op_is(op, SFR__KIND_HERE) ? "waits in the loop" : "with the engine";
}

/* NULL: it has none, or is on one of the lists. */
static const char *where_of(const sfr_op *op)
{
	switch ((enum sfr__op_state)op->state) {
	case SFR__OP_BUILDING:
		return "built and not submitted";
	case SFR__OP_ADDED:
		return "in a batch that is not submitted";
	case SFR__OP_QUEUED:
		return sfr__op_is_held(op) ? "waits for others of its batch" : NULL;
	case SFR__OP_IN_FLIGHT:
		return in_flight_where(op);
	case SFR__OP_CANCELLING:
		return "asked to end";
	case SFR__OP_ORPHANED:
		return "abandoned";
	case SFR__OP_DONE:
		return "ended";
	case SFR__OP_ILLEGAL:
	case SFR__OP_FREE:
	case SFR__OP_STATES:
		break;
	}
	return NULL;
}

static void list_dump(struct sfr__dump *dump, const struct sfr__hook *list, const char *where)
{
	const struct sfr__hook *hook;

	for (hook = list->next; hook != list; hook = hook->next)
		op_dump(dump, sfr__container(hook, const sfr_op, hook), where);
}

void sfr__ops_dump(struct sfr__dump *dump)
{
	const sfr_loop *loop = dump->loop;
	size_t i;

	list_dump(dump, &loop->backlog, "waits for room in the engine's queue");
	for (i = 0; i < SFR__RECV_GROUPS; i++) {
		list_dump(dump, &loop->recv[i].parked, "waits for a buffer");
		list_dump(dump, &loop->recv[i].served, "waits for another buffer");
	}
	list_dump(dump, &loop->unfed, "waits for a buffer, and has something to receive");
	list_dump(dump, &loop->later, "waits to be tried again");
	for (i = 0; i < loop->ops.made; i++) {
		const sfr_op *op = sfr__op_at(&loop->ops, i);
		const char *where = where_of(op);

		if (where)
			op_dump(dump, op, where);
	}
}

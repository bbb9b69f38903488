/* SPDX-License-Identifier: MIT */
/*
 * The flush, once a turn: what waits for room in the engine's queue is written, in order: requests to cancel, the
 * backlog, and as many receives as the rings have room for. So no op needs a system call of its own when the
 * queue is full.
 */
#include "op/flush.h"
#include "op/receive.h"
#include "op/row.h"
#include "op/write.h"

static bool cancel_write(sfr_op *op)
{
	struct io_uring_sqe *sqe = sfr__queue_sqe(&op->loop->engine->queue);

	if (!sqe)
		return false;
	io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)op, 0);
	sqe->user_data = (uint64_t)(uintptr_t)op | SFR__CQE_CANCEL;
	return true;
}

/* Write from a list, in order, at most `count`, as long as there is room. Returns how many. */
static size_t list_write(struct sfr__hook *list, bool (*write)(sfr_op *), size_t count)
{
	size_t written;

	for (written = 0; written < count && !sfr__list_empty(list); written++) {
		sfr_op *op = sfr__container(list->next, sfr_op, hook);

		if (!write(op))
			break;
		sfr__list_remove(&op->hook);
	}
	return written;
}

/* One that waited for room; a row goes in one piece. */
static bool backlog_write(sfr_op *op)
{
	return op->flags & SFR__OP_LINKED ? sfr__row_write(op) : sfr__op_write(op) != NULL;
}

/* A receive that waited for room in its ring. */
static bool ration_write(sfr_op *op)
{
	uint16_t usual = op->sqe.ioprio;
	bool written;

	if (op->loop->recv[op->sqe.buf_group].rationed)
		op->sqe.ioprio = sfr__receive_ration(op);
	written = sfr__op_write(op) != NULL;
	op->sqe.ioprio = usual;
	return written;
}

/* Fill the rings, after those that wait for a block of the slab. True if somebody waits who finds nothing. */
static bool rings_fill(sfr_loop *loop)
{
	struct sfr__recv_ring *recv;
	bool starving = false;

	sfr__receives_feed(loop);
	for (recv = loop->recv; recv < loop->recv + SFR__RECV_GROUPS; recv++) {
		if (!recv->ring || (loop->kept.count && recv->slab == &loop->pool->stream))
			continue; /* there is no memory for what would arrive in it */
		sfr__recv_ring_fill(recv, loop->pool);
		starving |= !recv->filled && sfr__receives_wait(recv);
	}
	return starving || !sfr__list_empty(&loop->unfed) || loop->kept.count;
}

/* The same; and if somebody finds nothing, whoever releases a buffer is told to wake us. */
static void rings_feed(sfr_loop *loop)
{
	bool starving = rings_fill(loop);
	unsigned i;

	for (i = 0; sfr__unlikely(starving) && i < SFR__RECV_GROUPS; i++) {
		const struct sfr__recv_ring *recv = &loop->recv[i];

		if (recv->filled || !sfr__receives_wait(recv))
			continue;
		sfr__receives_make_do(loop, (enum sfr__recv_group)i);
		starving = rings_fill(loop);
	}
	if (starving != atomic_load_explicit(&loop->pool->starving, memory_order_relaxed))
		atomic_store(&loop->pool->starving, starving);
	if (starving) { /* who released before that store did not wake us (see buffer/pool.h) */
		sfr__pool_collect(loop->pool);
		(void)rings_fill(loop);
	}
}

/*
 * Arm those that wait for a ring, as many as it has room for. While completions have overflown, some of them say that the
 * engine took buffers out of the ring, and the ring seems to have more room than it has. If many receives were armed then,
 * most would find nothing, and their completions would overflow as well, for ever. So only one is armed a turn.
 */
static void ring_write(struct sfr__recv_ring *recv, bool overflown)
{
	size_t room = recv->filled ? sfr__recv_ring_room(recv) : 0;

	if (sfr__unlikely(overflown && room))
		room = 1;
	room -= list_write(&recv->parked, ration_write, room);
	list_write(&recv->served, ration_write, room);
	recv->rationed -= recv->rationed > 0;
}

/* True if some still wait though there is room. */
static bool rings_write(sfr_loop *loop)
{
	struct sfr__recv_ring *recv;
	bool more = false;

	for (recv = loop->recv; recv < loop->recv + SFR__RECV_GROUPS; recv++) {
		ring_write(recv, loop->engine->overflown);
		more |= recv->filled && sfr__receives_wait(recv);
	}
	return more;
}

/* Whether the next that waits for room is a row, which may need all of it. */
static bool row_waits(const sfr_loop *loop)
{
	return !sfr__list_empty(&loop->backlog) &&
	       sfr__container(loop->backlog.next, sfr_op, hook)->flags & SFR__OP_LINKED;
}

/* Whether those that are written last found no room. */
static bool queue_is_full(const sfr_loop *loop)
{
	const struct sfr__queue *queue = &loop->engine->queue;

	return sfr__queue_written(queue) == queue->sq_entries;
}

bool sfr__ops_flush(sfr_loop *loop)
{
	const bool rings_first = loop->rings_first;
	bool more = false;

	rings_feed(loop);
	if (sfr__unlikely(loop->row_first))
		list_write(&loop->backlog, backlog_write, 1);
	if (sfr__unlikely(rings_first))
		more = rings_write(loop);
	list_write(&loop->cancels, cancel_write, SIZE_MAX);
	list_write(&loop->backlog, backlog_write, SIZE_MAX);
	loop->row_first = row_waits(loop) && !loop->row_first;
	if (sfr__likely(!rings_first))
		more = rings_write(loop);
	loop->rings_first = more && !rings_first && queue_is_full(loop);
	return more || !sfr__list_empty(&loop->cancels) || !sfr__list_empty(&loop->backlog);
}

/* SPDX-License-Identifier: MIT */
/*
 * The life of an op after it is built. sfr__op_step is told what happened, a list says where the op
 * waits, and each way ends in op_call_back, once.
 */
#include "op/op.h"
#include "base/log.h"
#include "machine/kernel.h"
#include "op/again.h"
#include "op/chain.h"
#include "op/errand.h"
#include "op/gathered.h"
#include "op/msg.h"
#include "op/on_signal.h"
#include "op/receive.h"
#include "op/splice.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <limits.h>
#include <linux/stat.h>
#include <signal.h>
#include <unistd.h>

/*
 * Endings.
 */

/* Its deadline, if it had one: an end that it brought about has a name of its own. */
static int deadline_end(sfr_op *op, int result)
{
	if (sfr__likely(!(op->flags & SFR__OP_TIMED)))
		return result;
	op->flags &= (uint16_t)~SFR__OP_TIMED;
	return sfr__deadline_end(sfr__deadline_of(&op->loop->deadlines, op), &op->loop->wheel) &&
			       result == -ECANCELED
		       ? -ETIMEDOUT
		       : result;
}

/* Of sfr_all(): how far it came. */
static uint32_t whole_done(const sfr_op *op)
{
	if (sfr__unlikely(op->flags & SFR__OP_GATHERED))
		return (uint32_t)sfr__op_gather_of(op)->done;
	return (uint32_t)(op->sqe.addr - (uint64_t)(uintptr_t)sfr__buf_data(op->buf));
}

/* What was done in all is the result, whatever ended it. */
static int op_outcome(sfr_op *op)
{
	int result = deadline_end(op, op->result);

	if (sfr__likely(!(op->flags & (SFR__OP_WHOLE | SFR__OP_SLOT))))
		return result;
	if (op->flags & SFR__OP_SLOT)
		return sfr__slot_end(op, result);
	return result <= 0 && op->buf && whole_done(op) ? (int)whole_done(op) : result;
}

/* What an op won that nobody wants: a descriptor must not leak. */
static void result_reclaim(const sfr_op *op, int result)
{
	if (result >= 0 && sfr__op_is(op, SFR__KIND_WINS))
		(void)close(result); /* never used: nothing to lose */
}

/* One call of possibly many. */
void sfr__op_deliver(sfr_op *op, int result, sfr_buf *buf)
{
	sfr__op_came(op);
	if (sfr__likely(op->done != NULL)) {
		op->loop->called++;
		op->done(op->loop, result, buf, op->arg);
	} else {
		result_reclaim(op, result);
		sfr_buf_release(buf);
	}
}

static uint32_t struct_size(const sfr_op *op)
{
	return op->kind == SFR__OP_STATX ? sizeof(struct statx) : sizeof(siginfo_t);
}

/* What its buffer contains now. */
static uint32_t buf_len(const sfr_op *op)
{
	if (sfr__unlikely(op->buf->next || op->result == -SFR_ESHARED)) /* it was not filled */
		return sfr__buf_len(op->buf);
	if (sfr__op_is(op, SFR__KIND_STRUCT))
		return op->result == 0 ? struct_size(op) : 0;
	if (!sfr__op_is(op, SFR__KIND_FILLS))
		return sfr__buf_len(op->buf);
	return op->result > 0 ? (uint32_t)op->result : 0;
}

#define OWNS (SFR__OP_COPIES | SFR__OP_GATHERED | SFR__OP_HOLDS_FD)

/* What it has besides its buffer. */
static void belongings_drop(sfr_op *op)
{
	if (op->flags & SFR__OP_COPIES)
		free((void *)(uintptr_t)op->sqe.addr);
	if (op->flags & SFR__OP_GATHERED)
		sfr__gather_give(&op->loop->gathers, sfr__op_gather_of(op));
	if (op->flags & SFR__OP_HOLDS_FD)
		(void)close(op->sqe.fd); /* nothing was written to it */
}

/* Take the buffer off an op that is done, in the state in which the callback expects it. */
static sfr_buf *op_take_buf(sfr_op *op)
{
	sfr_buf *buf = op->buf;

	if (sfr__unlikely(op->flags & OWNS))
		belongings_drop(op);
	if (!buf)
		return NULL;
	if (sfr__unlikely(op->flags & SFR__OP_BUF_HIDDEN)) {
		sfr__buf_drop(buf);
		return NULL;
	}
	if (!(op->flags & SFR__OP_BUF_QUEUED))
		sfr__buf_return(buf, buf_len(op));
	return buf;
}

/* The last call: the slot is free before it, so what the callback builds finds it in the cache. */
static void op_call_back(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	sfr_done *done = op->done;
	void *arg = op->arg;
	int result = op->result = op_outcome(op);
	sfr_buf *buf = op_take_buf(op);

	if (!done)
		result_reclaim(op, result);
	sfr__op_give(&loop->ops, op, SFR__EV_RECYCLE);
	loop->inflight--;
	if (sfr__likely(done != NULL)) {
		loop->called++;
		done(loop, result, buf, arg);
	} else {
		sfr_buf_release(buf);
	}
}

/* Its end is known; the callback comes in this loop's turn, not now. */
void sfr__op_finish_later(sfr_op *op, enum sfr__op_event event, int result)
{
	op->loop->orphans -= op->state == SFR__OP_ORPHANED;
	sfr__op_step(op, event);
	op->result = result;
	sfr__list_unlink(&op->link);
	sfr__list_append(&op->loop->ready, &op->link);
}

/* The last completion. If the op is being cancelled, the engine perhaps was still to be told. */
void sfr__op_finish(sfr_op *op, int result)
{
	if (sfr__unlikely(op->state != SFR__OP_IN_FLIGHT)) {
		op->loop->orphans -= op->state == SFR__OP_ORPHANED;
		sfr__list_unlink(&op->link);
	}
	sfr__op_step(op, SFR__EV_CQE_LAST);
	op->result = result;
	op_call_back(op);
}

void sfr__ops_call_ready(sfr_loop *loop)
{
	struct sfr__link ready;

	if (sfr__likely(sfr__list_empty(&loop->ready)))
		return;
	sfr__list_move(&ready, &loop->ready);
	while (!sfr__list_empty(&ready)) {
		sfr_op *op = sfr__container(ready.next, sfr_op, link);

		sfr__list_unlink(&op->link);
		op_call_back(op);
	}
}

void sfr__op_fail(sfr_op *op, int result)
{
	op->flags &= (uint16_t)~SFR__OP_SLOT_HELD;
	sfr__op_step(op, SFR__EV_REFUSED);
	op->result = result;
	op_call_back(op);
}

/*
 * Submission.
 */

typedef volatile uint32_t __attribute__((may_alias)) sqe_word;
typedef volatile uint64_t __attribute__((may_alias)) sqe_long;

/*
 * Copy an SQE in pieces no wider than its fields were written. The op was built a moment ago, and a wider
 * load would wait until those stores have reached the cache: a third of the cost of a submission.
 * volatile keeps the compiler from widening the loads again.
 */
static void sqe_copy(struct io_uring_sqe *to, struct io_uring_sqe *from)
{
	sqe_word *words_to = (sqe_word *)to, *words = (sqe_word *)from;
	sqe_long *longs_to = (sqe_long *)to, *longs = (sqe_long *)from;

	words_to[0] = words[0]; /* opcode, flags, ioprio */
	words_to[1] = words[1]; /* fd */
	longs_to[1] = longs[1]; /* off */
	longs_to[2] = longs[2]; /* addr */
	words_to[6] = words[6]; /* len */
	words_to[7] = words[7]; /* flags of the op */
	longs_to[5] = longs[5]; /* buf_index, personality, file_index */
	longs_to[6] = longs[6];
	longs_to[7] = longs[7];
}

/* An entry that is not simply a copy. Apart, or the usual way would save registers for it. */
static __attribute__((noinline)) struct io_uring_sqe *special_write(sfr_op *op,
								    struct io_uring_sqe *sqe)
{
	if (op->sqe.off == SFR__POSITION)
		sfr__position_note(op, sqe);
	if (sfr__fd_is_fixed(op->sqe.fd))
		sfr__fixed_file_write(op, sqe);
	if (op->kind == SFR__OP_SPLICE)
		sfr__splice_write(op, sqe);
	sfr__op_step(op, SFR__EV_TAKEN);
	return sqe;
}

struct io_uring_sqe *sfr__op_write(sfr_op *op)
{
	struct io_uring_sqe *sqe = sfr__queue_place(&op->loop->engine->queue);

	if (sfr__unlikely(!sqe))
		return NULL;
	sqe_copy(sqe, &op->sqe);
	sqe->user_data = (uint64_t)(uintptr_t)op;
	if (sfr__unlikely(op->sqe.off == SFR__POSITION || sfr__fd_is_fixed(op->sqe.fd) ||
			  op->kind == SFR__OP_SPLICE))
		return special_write(op, sqe);
	sfr__op_step(op, SFR__EV_TAKEN);
	return sqe;
}

/* From QUEUED to the engine, behind whatever waits already. */
static void op_issue(sfr_op *op)
{
	sfr_loop *loop = op->loop;

	if (!sfr__list_empty(&loop->backlog) || !sfr__op_write(op))
		sfr__list_append(&loop->backlog, &op->link);
}

static void chain_issue(sfr_op *head)
{
	sfr_loop *loop = head->loop;

	if (!sfr__list_empty(&loop->backlog) || !sfr__chain_write(head))
		sfr__list_append(&loop->backlog, &head->link);
}

static void op_send_on_errand(sfr_op *op)
{
	int r = sfr__errand_start(op);

	if (r < 0)
		sfr__op_finish_later(op, SFR__EV_REFUSED, r);
	else
		sfr__op_step(op, SFR__EV_TAKEN);
}

/* It has nothing to do with a slot then: that may be another's. */
static __attribute__((noinline)) void op_refuse(sfr_op *op, int result)
{
	op->flags &= (uint16_t)~SFR__OP_SLOT;
	sfr__op_finish_later(op, SFR__EV_REFUSED, result);
}

/* The number of a raw op may be an index. */
bool sfr__op_is_on_own(const sfr_op *op)
{
	if (!sfr__op_is(op, SFR__KIND_ON_FD) ||
	    (op->kind == SFR__OP_RAW && op->sqe.flags & IOSQE_FIXED_FILE))
		return false;
	return sfr__loop_owns(op->loop, op->sqe.fd);
}

/* Not inlined, nor is the refusal: the usual way stays short. */
static __attribute__((noinline)) void op_issue_special(sfr_op *op)
{
	int r = sfr__op_is_on_own(op) ? -EBADF : 0;

	if (r == 0 && op->flags & SFR__OP_SLOT)
		r = sfr__slot_begin(op, SFR__NO_SLOT);
	if (r < 0)
		op_refuse(op, r);
	else if (op->flags & SFR__OP_ERRAND)
		op_send_on_errand(op);
	else if (op->flags & SFR__OP_LINKED)
		chain_issue(op);
	else
		op_issue(op);
}

static void interval_fired(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	uint64_t periods = (loop->now - op->time.due_ns) / op->time.ns + 1;

	op->time.due_ns = sfr__time_after(op->time.due_ns, periods * op->time.ns);
	sfr__op_step(op, SFR__EV_CQE_MORE);
	sfr__wheel_add(&loop->wheel, &op->time.timer, op->time.due_ns);
	sfr__op_deliver(op, periods < INT_MAX ? (int)periods : INT_MAX, NULL);
}

static void timer_fired(struct sfr__timer *timer)
{
	sfr_op *op = sfr__container(timer, sfr_op, time.timer);

	if (op->kind == SFR__OP_INTERVAL)
		interval_fired(op);
	else
		sfr__op_finish(op, 0);
}

/* Time counts from now, not from the beginning of a turn that may have lasted. */
static void timer_start(sfr_op *op)
{
	op->time.due_ns = sfr__time_after(sfr__clock_ns(), op->time.ns);
	op->time.timer.fire = timer_fired;
	sfr__op_step(op, SFR__EV_TAKEN);
	sfr__wheel_add(&op->loop->wheel, &op->time.timer, op->time.due_ns);
}

/* What has no SQE. */
static void start_here(sfr_op *op)
{
	if (op->kind == SFR__OP_SIGNAL)
		sfr__signal_start(op);
	else if (op->kind == SFR__OP_MSG)
		sfr__msg_start(op);
	else
		timer_start(op);
}

static void deadline_passed(struct sfr__timer *timer)
{
	struct sfr__deadline *deadline = sfr__container(timer, struct sfr__deadline, timer);
	sfr_op *op = deadline->op;

	deadline->armed = false;
	deadline->passed = op->state == SFR__OP_QUEUED || op->state == SFR__OP_IN_FLIGHT;
	sfr__op_cancel(op);
	if (op->state == SFR__OP_CANCELLING && op->flags & SFR__OP_ERRAND)
		deadline->passed = false; /* it has begun, and ends with its own result */
}

/* From QUEUED on its way. */
static inline void op_start(sfr_op *op)
{
	sfr_loop *loop = op->loop;

	if (sfr__unlikely(op->flags & SFR__OP_TIMED) && op->result == 0)
		sfr__deadline_start(sfr__deadline_of(&loop->deadlines, op), &loop->wheel,
				    sfr__clock_ns(), deadline_passed);
	if (sfr__unlikely(op->result < 0))
		op_refuse(op, op->result);
	else if (sfr__op_is(op, SFR__KIND_TIMER | SFR__KIND_HERE))
		start_here(op);
	else if (sfr__unlikely(op->flags & (SFR__OP_ERRAND | SFR__OP_SLOT | SFR__OP_LINKED)) ||
		 (sfr__op_is(op, SFR__KIND_ON_FD) &&
		  sfr__unlikely(sfr__loop_may_own(loop, op->sqe.fd))))
		op_issue_special(op);
	else
		op_issue(op);
}

sfr_ticket sfr__op_submit(sfr_op *op, sfr_done *done, void *arg)
{
	sfr__op_enter(op, done, arg);
	op_start(op);
	return sfr__op_ticket(op);
}

void sfr__op_start(sfr_op *op)
{
	op_start(op);
}

int sfr__op_check(const sfr_op *op)
{
	int r = sfr__loop_check(op->loop, "an operation was used");

	if (sfr__unlikely(r < 0))
		return r;
	if (sfr__likely(op->state == SFR__OP_BUILDING))
		return 0;
	return sfr__loop_misuse(op->loop, -SFR_ESTALE,
				"an operation was used that was submitted or discarded");
}

sfr_ticket sfr_submit(sfr_op *op, sfr_done *done, void *arg)
{
	int r = op ? sfr__op_check(op) : -ENOMEM;

	if (sfr__unlikely(r < 0)) {
		if (op)
			errno = -r;
		return 0;
	}
	if (sfr__unlikely(sfr__op_comes_late(op)))
		op->result = -ECANCELED;
	return sfr__op_submit(op, done, arg);
}

sfr_buf *sfr__op_unbuild(sfr_op *op)
{
	sfr_buf *buf = op_take_buf(op);

	(void)deadline_end(op, 0);
	sfr__op_give(&op->loop->ops, op, SFR__EV_DISCARD);
	return buf;
}

void sfr_op_discard(sfr_op *op)
{
	if (op && sfr__op_check(op) == 0)
		sfr_buf_release(sfr__op_unbuild(op));
}

void sfr__ops_forget_built(sfr_loop *loop)
{
	unsigned count = 0;
	size_t i;

	for (i = 0; i < loop->ops.made; i++) {
		sfr_op *op = sfr__op_at(&loop->ops, i);

		if (op->state != SFR__OP_BUILDING && op->state != SFR__OP_ADDED)
			continue;
		sfr_buf_release(sfr__op_unbuild(op));
		count++;
	}
	if (count)
		sfr__log((enum sfr_log_level)loop->settings.log.level, SFR_LOG_WARN,
			 "%u operations were built and never submitted when their loop was freed",
			 count);
}

/*
 * Once a turn.
 */

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
static size_t list_write(struct sfr__link *list, bool (*write)(sfr_op *), size_t count)
{
	size_t written;

	for (written = 0; written < count && !sfr__list_empty(list); written++) {
		sfr_op *op = sfr__container(list->next, sfr_op, link);

		if (!write(op))
			break;
		sfr__list_unlink(&op->link);
	}
	return written;
}

/* One that waited for room; a chain goes in one piece. */
static bool backlog_write(sfr_op *op)
{
	return op->flags & SFR__OP_LINKED ? sfr__chain_write(op) : sfr__op_write(op) != NULL;
}

/* A receive that waited for the ring to have buffers. */
static bool ration_write(sfr_op *op)
{
	uint16_t usual = op->sqe.ioprio;
	bool written;

	if (op->loop->rationed)
		op->sqe.ioprio = sfr__receive_ration(op);
	written = sfr__op_write(op) != NULL;
	op->sqe.ioprio = usual;
	return written;
}

/* How many receives find a buffer in the ring now, after those that wait for a block of the slab. */
static uint32_t recv_room(sfr_loop *loop)
{
	sfr__receives_feed(loop);
	if (!loop->recv.ring)
		return 0;
	sfr__recv_ring_fill(&loop->recv, loop->pool);
	return loop->recv.filled;
}

/* The same; and if those that wait find none, whoever releases one is told to wake us. */
static uint32_t recv_feed(sfr_loop *loop)
{
	uint32_t room = recv_room(loop);
	bool starving = (sfr__receives_wait(loop) && !room) || !sfr__list_empty(&loop->unfed);

	if (starving != atomic_load_explicit(&loop->pool->starving, memory_order_relaxed))
		atomic_store(&loop->pool->starving, starving);
	if (starving) { /* who released before that store did not wake us (see buffer/pool.h) */
		sfr__pool_collect(loop->pool);
		room = recv_room(loop);
	}
	return room;
}

/* Whether the next that waits for room is a chain, which may need all of it. */
static bool chain_waits(const sfr_loop *loop)
{
	return !sfr__list_empty(&loop->backlog) &&
	       sfr__container(loop->backlog.next, sfr_op, link)->flags & SFR__OP_LINKED;
}

bool sfr__ops_flush(sfr_loop *loop)
{
	size_t room = recv_feed(loop), armed;

	if (sfr__unlikely(loop->chain_first))
		list_write(&loop->backlog, backlog_write, 1);
	list_write(&loop->cancels, cancel_write, SIZE_MAX);
	list_write(&loop->backlog, backlog_write, SIZE_MAX);
	loop->chain_first = chain_waits(loop) && !loop->chain_first;
	armed = list_write(&loop->parked, ration_write, room);
	if (!loop->engine->overflown) /* with completions of those who found no buffer, perhaps */
		list_write(&loop->served, ration_write, room - armed);
	loop->rationed -= loop->rationed > 0;
	return !sfr__list_empty(&loop->cancels) || !sfr__list_empty(&loop->backlog) ||
	       (sfr__receives_wait(loop) && room);
}

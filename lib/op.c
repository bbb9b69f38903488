/*
 * The life of an op after it is built. sfr__op_step is told what happened, a list says where the op
 * waits, and each way ends in op_call_back, once.
 */
#include "op.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool op_is_timer(const sfr_op *op)
{
	return op->kind == SFR__OP_TIMEOUT || op->kind == SFR__OP_INTERVAL;
}

bool sfr__op_is_multishot(const sfr_op *op)
{
	return op->kind == SFR__OP_ACCEPT_MULTI || op->kind == SFR__OP_RECV_MULTI ||
	       op->kind == SFR__OP_INTERVAL;
}

/*
 * Endings.
 */

/* What an op won that nobody wants: a descriptor must not leak. */
static void result_reclaim(const sfr_op *op, int result)
{
	if (result >= 0 && (op->kind == SFR__OP_ACCEPT || op->kind == SFR__OP_ACCEPT_MULTI))
		(void)close(result); /* never used: nothing to lose */
}

/* One call of possibly many. */
static void op_deliver(sfr_op *op, int result, sfr_buf *buf)
{
	if (sfr__likely(op->done != NULL)) {
		op->loop->called++;
		op->done(op->loop, result, buf, op->arg);
	} else {
		result_reclaim(op, result);
		sfr_buf_release(buf);
	}
}

/* Take the buffer off an op that is done, in the state in which the callback expects it. */
static sfr_buf *op_take_buf(sfr_op *op)
{
	sfr_buf *buf = op->buf;
	bool reads = op->kind == SFR__OP_READ || op->kind == SFR__OP_RECV;

	if (!buf)
		return NULL;
	switch ((enum sfr__buf_role)op->buf_role) {
	case SFR__BUF_CALLERS:
		sfr__buf_return(buf, !reads           ? sfr__buf_len(buf)
				     : op->result > 0 ? (uint32_t)op->result
						      : 0);
		return buf;
	case SFR__BUF_HIDDEN:
		sfr__buf_drop(buf);
		return NULL;
	case SFR__BUF_QUEUED:
		if (op->sqe.opcode == IORING_OP_SENDMSG)
			sfr__gather_give(&op->loop->gathers, (void *)(uintptr_t)op->sqe.addr);
		return buf;
	}
	return NULL;
}

/* The last call: the slot is free before it, so what the callback builds finds it in the cache. */
static void op_call_back(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	sfr_done *done = op->done;
	void *arg = op->arg;
	int result = op->result;
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
static void op_finish_later(sfr_op *op, enum sfr__op_event event, int result)
{
	sfr__op_step(op, event);
	op->result = result;
	sfr__list_unlink(&op->link);
	sfr__list_append(&op->loop->ready, &op->link);
}

/* The last completion. If the op is being cancelled, the engine perhaps was still to be told. */
static void op_finish(sfr_op *op, int result)
{
	if (op->state != SFR__OP_IN_FLIGHT)
		sfr__list_unlink(&op->link);
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

static bool op_write(sfr_op *op)
{
	struct io_uring_sqe *sqe = sfr__queue_sqe(&op->loop->engine->queue);

	if (sfr__unlikely(!sqe))
		return false;
	sqe_copy(sqe, &op->sqe);
	sqe->user_data = (uint64_t)(uintptr_t)op;
	sfr__op_step(op, SFR__EV_TAKEN);
	return true;
}

/* From QUEUED to the engine, behind whatever waits already. */
static void op_issue(sfr_op *op)
{
	sfr_loop *loop = op->loop;

	if (!sfr__list_empty(&loop->backlog) || !op_write(op))
		sfr__list_append(&loop->backlog, &op->link);
}

static uint64_t time_after(uint64_t now, uint64_t ns)
{
	return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}

static void interval_fired(sfr_op *op)
{
	sfr_loop *loop = op->loop;
	uint64_t periods = (loop->now - op->time.due_ns) / op->time.ns + 1;

	op->time.due_ns = time_after(op->time.due_ns, periods * op->time.ns);
	sfr__op_step(op, SFR__EV_CQE_MORE);
	sfr__wheel_add(&loop->wheel, &op->time.timer, op->time.due_ns);
	op_deliver(op, periods < INT_MAX ? (int)periods : INT_MAX, NULL);
}

static void timer_fired(struct sfr__timer *timer)
{
	sfr_op *op = sfr__container(timer, sfr_op, time.timer);

	if (op->kind == SFR__OP_INTERVAL)
		interval_fired(op);
	else
		op_finish(op, 0);
}

/* Time counts from now, not from the beginning of a turn that may have lasted. */
static void timer_start(sfr_op *op)
{
	op->time.due_ns = time_after(sfr__clock_ns(), op->time.ns);
	op->time.timer.fire = timer_fired;
	sfr__op_step(op, SFR__EV_TAKEN);
	sfr__wheel_add(&op->loop->wheel, &op->time.timer, op->time.due_ns);
}

sfr_ticket sfr__op_submit(sfr_op *op, sfr_done *done, void *arg)
{
	sfr_loop *loop = op->loop;

	op->done = done;
	op->arg = arg;
	loop->inflight++;
	loop->stats.ops++;
	sfr__op_step(op, SFR__EV_SUBMIT);
	if (sfr__unlikely(op->result < 0))
		op_finish_later(op, SFR__EV_REFUSED, op->result);
	else if (op_is_timer(op))
		timer_start(op);
	else
		op_issue(op);
	return sfr__op_ticket(&loop->ops, op);
}

bool sfr__op_is_building(const sfr_op *op)
{
	if (sfr__likely(op->state == SFR__OP_BUILDING))
		return true;
	(void)sfr__loop_misuse(op->loop, -SFR_ESTALE,
			       "an op was used that was submitted or discarded");
	return false;
}

/* Even a loop that drains lets go of descriptors. */
static bool op_ends_something(const sfr_op *op)
{
	return op->kind == SFR__OP_CLOSE || op->kind == SFR__OP_SHUTDOWN;
}

sfr_ticket sfr_submit(sfr_op *op, sfr_done *done, void *arg)
{
	if (!op || sfr__unlikely(!sfr__op_is_building(op)))
		return 0;
	if (sfr__unlikely(op->loop->draining) && !op_ends_something(op) && op->result == 0)
		op->result = -ECANCELED; /* before it can win: or callbacks that go on never end */
	return sfr__op_submit(op, done, arg);
}

sfr_buf *sfr__op_unbuild(sfr_op *op)
{
	sfr_buf *buf = op_take_buf(op);

	sfr__op_give(&op->loop->ops, op, SFR__EV_DISCARD);
	return buf;
}

void sfr_op_discard(sfr_op *op)
{
	if (op && sfr__op_is_building(op))
		sfr_buf_release(sfr__op_unbuild(op));
}

/*
 * Cancellation: a request. The callback comes with the last completion.
 */

void sfr__op_cancel(sfr_op *op)
{
	switch ((enum sfr__op_state)op->state) {
	case SFR__OP_QUEUED:
		op_finish_later(op, SFR__EV_REFUSED, -ECANCELED);
		break;
	case SFR__OP_IN_FLIGHT:
		if (op_is_timer(op)) {
			sfr__wheel_remove(&op->loop->wheel, &op->time.timer);
			op_finish_later(op, SFR__EV_CQE_LAST, -ECANCELED);
			break;
		}
		sfr__op_step(op, SFR__EV_CANCEL);
		sfr__list_append(&op->loop->cancels, &op->link);
		break;
	case SFR__OP_CANCELLING:
	case SFR__OP_ORPHANED:
	case SFR__OP_DONE:
		break; /* it is ending already */
	case SFR__OP_ILLEGAL:
	case SFR__OP_FREE:
	case SFR__OP_BUILDING:
	case SFR__OP_STATES:
		sfr__invariant(!"an op that was not submitted can be cancelled");
	}
}

int sfr_cancel(sfr_loop *loop, sfr_ticket ticket)
{
	sfr_op *op = sfr__op_find(&loop->ops, ticket);

	if (!op)
		return -SFR_ESTALE;
	sfr__op_cancel(op);
	return 0;
}

void sfr__op_abandon(sfr_op *op)
{
	op->done = NULL;
	sfr__op_cancel(op);
	if (op->state == SFR__OP_CANCELLING)
		sfr__op_step(op, SFR__EV_ABANDON);
}

void sfr__ops_cancel_all(sfr_loop *loop)
{
	sfr_op *op = (sfr_op *)(void *)loop->ops.region.base, *end = op + loop->ops.made;

	for (; op < end; op++)
		if ((op->state == SFR__OP_QUEUED || op->state == SFR__OP_IN_FLIGHT) &&
		    !op_ends_something(op))
			sfr__op_cancel(op);
}

/* A multishot op can be between two completions just when the request looks for it: ask again. Any
 * other op that was not found is completing. */
void sfr__op_cancel_answered(sfr_op *op, int result)
{
	bool ending = op->state == SFR__OP_CANCELLING || op->state == SFR__OP_ORPHANED;

	if (result < 0 && ending && sfr__op_is_multishot(op) && sfr__list_empty(&op->link))
		sfr__list_append(&op->loop->cancels, &op->link);
}

/*
 * Completion.
 */

/* The engine is done with a multishot op that went well: arm it again, or let it end. */
static void multishot_ended(sfr_op *op, struct sfr__link *queue)
{
	if (op->state == SFR__OP_IN_FLIGHT) {
		sfr__op_step(op, SFR__EV_REQUEUE);
		sfr__list_append(queue, &op->link);
	} else {
		op_finish_later(op, SFR__EV_CQE_LAST, -ECANCELED);
	}
}

static void accept_multi_complete(sfr_op *op, int result, bool more)
{
	if (result < 0 && !more) {
		op_finish(op, result);
		return;
	}
	if (more)
		sfr__op_step(op, SFR__EV_CQE_MORE);
	else
		multishot_ended(op, &op->loop->backlog);
	op_deliver(op, result, NULL);
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
			op_finish(op, result);
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
		op_finish(op, result);
		return;
	}
	op->buf = NULL;
	sfr__op_poll_to_receive(op, op->sqe.fd);
	multishot_ended(op, &op->loop->backlog);
	sfr__buf_return(buf, (uint32_t)result);
	op_deliver(op, result, buf);
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
		op_finish(op, result);
		return;
	}
	if (buf)
		op_deliver(op, result, buf);
}

void sfr__op_complete(sfr_op *op, int result, unsigned flags)
{
	switch ((enum sfr__op_kind)op->kind) {
	case SFR__OP_RECV_MULTI:
		if (sfr__likely(op->sqe.flags & IOSQE_BUFFER_SELECT))
			recv_multi_complete(op, result, flags);
		else
			recv_by_poll_complete(op, result);
		break;
	case SFR__OP_ACCEPT_MULTI:
		accept_multi_complete(op, result, flags & IORING_CQE_F_MORE);
		break;
	case SFR__OP_NOP:
	case SFR__OP_READ:
	case SFR__OP_WRITE:
	case SFR__OP_RECV:
	case SFR__OP_SEND:
	case SFR__OP_ACCEPT:
	case SFR__OP_CONNECT:
	case SFR__OP_TIMEOUT:
	case SFR__OP_INTERVAL:
	case SFR__OP_POLL:
	case SFR__OP_SHUTDOWN:
	case SFR__OP_CLOSE:
		op_finish(op, result);
		break;
	}
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

/* Write from a list, in order, at most `count`, as long as there is room. */
static void list_write(struct sfr__link *list, bool (*write)(sfr_op *), size_t count)
{
	for (; count && !sfr__list_empty(list); count--) {
		sfr_op *op = sfr__container(list->next, sfr_op, link);

		if (!write(op))
			return;
		sfr__list_unlink(&op->link);
	}
}

/* How many receives find a buffer now. */
static uint32_t recv_room(sfr_loop *loop)
{
	if (!loop->recv.ring)
		return loop->pool->slab.free_count;
	sfr__recv_ring_fill(&loop->recv, loop->pool);
	return loop->recv.filled;
}

/* The same; and if those that wait find none, whoever releases one is told to wake us. */
static uint32_t recv_feed(sfr_loop *loop)
{
	uint32_t room = recv_room(loop);
	bool starving = !sfr__list_empty(&loop->parked) && !room;

	if (starving != atomic_load_explicit(&loop->pool->starving, memory_order_relaxed))
		atomic_store(&loop->pool->starving, starving);
	if (starving) { /* who released before that store did not wake us (see pool.h) */
		sfr__pool_collect(loop->pool);
		room = recv_room(loop);
	}
	return room;
}

bool sfr__ops_flush(sfr_loop *loop)
{
	uint32_t room = recv_feed(loop);

	list_write(&loop->cancels, cancel_write, SIZE_MAX);
	list_write(&loop->backlog, op_write, SIZE_MAX);
	list_write(&loop->parked, op_write, room);
	return !sfr__list_empty(&loop->cancels) || !sfr__list_empty(&loop->backlog) ||
	       (!sfr__list_empty(&loop->parked) && room);
}

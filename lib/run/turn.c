/* SPDX-License-Identifier: MIT */
/*
 * Run: how a loop turns.
 *
 *	flush     what connections gathered, requests to cancel, what waited for room: into the queue
 *	enter     one system call: submit, and sleep if nothing is ready
 *	complete  each completion to its op, and so to its callback
 *	timers, errands that are done, signals, ready ops, posts and messages
 *
 * Callbacks run in the last two steps; and in the first, on_close of a connection for which there was no
 * memory to close it through the engine. What they start waits for the next turn, so no callback can keep
 * others from theirs.
 */
#include "base/thread.h"
#include "op/cancel.h"
#include "op/complete.h"
#include "op/end.h"
#include "op/errand.h"
#include "op/flush.h"
#include "op/kind.h"
#include "op/msg.h"
#include "op/on_signal.h"
#include "op/receive.h"
#include "op/start.h"
#include "run/run.h"
#include <safer_ring/error.h>
#include <errno.h>

#define SHORT_OF_MEMORY_NS 1000000 /* what there was none for is tried again after this */

/*
 * One turn.
 */

static bool resident_flush(sfr_loop *loop)
{
	return loop->resident && loop->resident->flush(loop->resident);
}

static void resident_drain(sfr_loop *loop)
{
	if (loop->resident)
		loop->resident->drain(loop->resident);
}

static bool resident_waits(const sfr_loop *loop)
{
	return loop->resident && loop->resident->waits(loop->resident);
}

static void mailbox_arm(sfr_loop *loop)
{
	struct io_uring_sqe *sqe;

	if (loop->mailbox.armed)
		return;
	sqe = sfr__queue_sqe(&loop->engine->queue);
	if (!sqe)
		return;
	sfr__mailbox_arm(&loop->mailbox, sqe);
	sqe->user_data = SFR__CQE_MAILBOX;
}

/* What waits goes into the queue, and the mailbox if somebody may sleep in the ring. True if something still
 * waits for room there: then nobody sleeps. */
static bool hand_over(sfr_loop *loop, bool in_ring)
{
	bool hurry;

	if (in_ring && !loop->row_first)
		mailbox_arm(loop);
	hurry = sfr__ops_flush(loop);
	if (in_ring)
		mailbox_arm(loop);
	return hurry;
}

/* Whether there is something to do that the engine does not know of. */
static bool is_due(const sfr_loop *loop)
{
	return !sfr__list_empty(&loop->ready) || sfr__mailbox_full(&loop->mailbox);
}

/* How long the turn may sleep, at most `timeout_ns`: 0 if there is something to do at once. */
static int64_t sleep_limit(sfr_loop *loop, bool hurry, int64_t timeout_ns)
{
	int64_t timer_ns;

	if (hurry || timeout_ns == 0 || !loop->mailbox.armed || is_due(loop))
		return 0;
	if (sfr__unlikely(loop->kept.count) && (timeout_ns < 0 || timeout_ns > SHORT_OF_MEMORY_NS))
		timeout_ns = SHORT_OF_MEMORY_NS;
	if (!loop->wheel.count)
		return timeout_ns;
	timer_ns = sfr__wheel_next(&loop->wheel, sfr__loop_clock_ns(loop));
	return timeout_ns < 0 || timer_ns < timeout_ns ? timer_ns : timeout_ns;
}

/* ring.spin: look for work for a while before sleeping. True if there is some; else the time it took is
 * off the timeout. */
static bool spin(sfr_loop *loop, int64_t *timeout_ns)
{
	struct sfr__engine *engine = loop->engine;
	uint64_t begin = sfr__loop_clock_ns(loop), now = begin,
		 spin_ns = loop->settings.ring.spin_ns;
	unsigned i;

	if (*timeout_ns >= 0 && (uint64_t)*timeout_ns < spin_ns)
		spin_ns = (uint64_t)*timeout_ns;
	for (; now - begin < spin_ns; now = sfr__loop_clock_ns(loop)) {
		for (i = 0; i < 64; i++) {
			if (engine->calls->pending(engine))
				return true;
			sfr__relax();
		}
	}
	if (*timeout_ns >= 0)
		*timeout_ns -= (int64_t)(now - begin) < *timeout_ns ? (int64_t)(now - begin)
								    : *timeout_ns;
	return false;
}

static int engine_enter(sfr_loop *loop, int64_t timeout_ns)
{
	struct sfr__engine *engine = loop->engine;
	bool wait = timeout_ns != 0;
	int r;

	if (wait && loop->settings.ring.spin_ns) {
		r = sfr__queue_written(&engine->queue) ? engine->calls->enter(engine, false, 0) : 0;
		if (r < 0 || sfr__queue_ready(&engine->queue))
			return r;
		wait = !spin(loop, &timeout_ns);
	}
	return engine->calls->enter(engine, wait, timeout_ns);
}

static void complete(sfr_loop *loop, const struct io_uring_cqe *cqe)
{
	uint64_t data = cqe->user_data;
	int result = cqe->res;
	unsigned flags = cqe->flags;

	/* The entry is free before the callback: it may submit, and the engine may complete at once. */
	sfr__queue_pop(&loop->engine->queue);
	loop->stats.cqes++;
	if (sfr__unlikely(data < SFR__CQE_OPS)) {
		if (data == SFR__CQE_MAILBOX)
			sfr__mailbox_woken(&loop->mailbox);
		return;
	}
	if (sfr__unlikely(data & SFR__CQE_CANCEL))
		sfr__op_cancel_answered((sfr_op *)(uintptr_t)(data - SFR__CQE_CANCEL), result);
	else if (sfr__unlikely(data & SFR__CQE_UNSENT))
		sfr__op_complete((sfr_op *)(uintptr_t)(data - SFR__CQE_UNSENT), -ECANCELED, 0);
	else
		sfr__op_complete((sfr_op *)(uintptr_t)data, result, flags);
}

/* What happened elsewhere, of which the knock at the mailbox does not say what it is. */
static void alerts(sfr_loop *loop)
{
	if (sfr__likely(!atomic_load(&loop->alerted))) /* in order with that knock */
		return;
	atomic_store(&loop->alerted, false);
	sfr__errands_collect(loop);
	sfr__signals_tell(loop);
}

static void stats_turn(sfr_loop *loop)
{
	const struct sfr__pool *pool = loop->pool;
	uint64_t held = pool->blocks - sfr__pool_free_count(pool) -
			loop->recv[SFR__RECV_COMMON].filled - loop->recv[SFR__RECV_STREAM].filled;

	loop->stats.turns++;
	if (held > loop->stats.bufs_held_max)
		loop->stats.bufs_held_max = held;
	sfr__pressure_look(loop);
}

static int flush_and_enter(sfr_loop *loop, bool hosted, int64_t timeout_ns)
{
	bool hurry = resident_flush(loop);

	hurry |= hand_over(loop, timeout_ns != 0 || !hosted) ||
		 loop->called; /* who was called may wait for this turn's end */
	return engine_enter(loop, sleep_limit(loop, hurry, timeout_ns));
}

/* Callbacks that ran, or an error of the engine. What the last look before sleeping found comes first: until it
 * is reaped, the ring to receive has fewer buffers than it seems. */
static int turn(sfr_loop *loop, int64_t timeout_ns)
{
	bool hosted = sfr__face_is_open(&loop->face), found = loop->face.found;
	uint32_t ready;
	int r;

	loop->called = 0;
	loop->face.found = false;
	sfr__pool_collect(loop->pool);
	if (sfr__unlikely(loop->kept.count))
		sfr__receives_recall(loop);
	r = sfr__unlikely(found) ? 0 : flush_and_enter(loop, hosted, timeout_ns);
	if (sfr__unlikely(r < 0))
		return r;
	loop->now = sfr__loop_clock_ns(loop);
	ready = sfr__kept_allow(&loop->kept, sfr__queue_ready(&loop->engine->queue));
	for (; ready; ready--)
		complete(loop, sfr__queue_cqe(&loop->engine->queue));
	sfr__wheel_advance(&loop->wheel, loop->now);
	if (sfr__unlikely(hosted))
		sfr__mailbox_hear(&loop->mailbox);
	alerts(loop);
	sfr__ops_call_ready(loop);
	loop->called += sfr__mailbox_run(&loop->mailbox, loop, sfr__msg_arrived);
	stats_turn(loop);
	sfr__invariant(loop->inflight <= loop->ops.made);
	return (int)loop->called;
}

/*
 * Who may turn it, and for how long.
 */

static void wake_up(sfr_loop *loop)
{
	loop->face.asleep = false;
	sfr__pool_watch(loop->pool, false);
}

/* Begin a stretch of turns: the thread that does is the loop's from now on. */
static int run_begin(sfr_loop *loop, struct sfr__mark *mark, const void *frame)
{
	int r;

	if (sfr__pool_is_forked(loop->pool) || (loop->bound && !sfr__pool_is_mine(loop->pool)))
		return sfr__pool_foreign(loop->pool, "the loop was run");
	r = sfr__loop_nested(loop, frame, "the loop was run inside a callback");
	if (sfr__unlikely(r < 0))
		return r;
	if (!loop->bound) {
		sfr__pool_take_over(loop->pool);
		sfr__seat_bind(loop->seat);
		r = loop->engine->calls->bind(loop->engine);
		loop->bound = r == 0;
	}
	if (r == 0)
		sfr__nesting_begin(&loop->nesting, mark, frame);
	if (sfr__unlikely(sfr__face_is_open(&loop->face)))
		wake_up(loop);
	return r;
}

/*
 * Falling asleep in the care of a host.
 */

/* The next thing to do, whatever happens: ns from now; 0: at once; -1: never. */
static int64_t time_left(const sfr_loop *loop, uint64_t now)
{
	int64_t loop_ns = sfr__wheel_next(&loop->wheel, now);
	int64_t engine_ns = loop->engine->calls->time_left(loop->engine, now);

	if (is_due(loop))
		return 0;
	if (loop->kept.count && (loop_ns < 0 || loop_ns > SHORT_OF_MEMORY_NS))
		loop_ns = SHORT_OF_MEMORY_NS;
	return loop_ns < 0 || (engine_ns >= 0 && engine_ns < loop_ns) ? engine_ns : loop_ns;
}

/*
 * Have everything with the engine, and look once more: what completes after that look is told to the host,
 * and what it found is for the next turn, as is an engine that fails. How long until then, as time_left().
 */
static int64_t fall_asleep(sfr_loop *loop, bool hurry)
{
	uint64_t now;
	int64_t left;

	sfr__face_hush(&loop->face);
	loop->engine->calls->hush(loop->engine);
	hurry |= hand_over(loop, false);
	hurry |= loop->engine->calls->enter(loop->engine, false, 0) < 0;
	loop->face.found = sfr__queue_ready(&loop->engine->queue) > 0;
	now = sfr__loop_clock_ns(loop);
	left = hurry || loop->face.found ? 0 : time_left(loop, now);
	loop->face.asleep = left != 0;
	if (left)
		sfr__face_timer(&loop->face, left < 0 ? 0 : sfr__time_after(now, (uint64_t)left),
				now);
	else
		sfr__face_nudge(&loop->face);
	sfr__pool_watch(loop->pool, left && atomic_load(&loop->pool->starving));
	return left;
}

static void run_end(sfr_loop *loop)
{
	if (sfr__face_is_open(&loop->face))
		(void)fall_asleep(loop, resident_flush(loop)); /* the face tells */
	sfr__nesting_end(&loop->nesting);
}

/* Whether ops are left to wait for. What connections gathered counts: it becomes ops here; and those that will have
 * some when memory is back. */
static bool ops_left(sfr_loop *loop)
{
	return loop->inflight || resident_flush(loop) || loop->inflight || resident_waits(loop);
}

/* Whether a run goes on. */
static bool run_goes_on(sfr_loop *loop)
{
	return loop->holds || ops_left(loop) || sfr__mailbox_full(&loop->mailbox);
}

int sfr_loop_step(sfr_loop *loop, int64_t timeout_ns)
{
	struct sfr__mark mark;
	int r = run_begin(loop, &mark, SFR__FRAME());

	if (r < 0)
		return r;
	r = turn(loop, timeout_ns);
	run_end(loop);
	return r < 0 ? r : (int)loop->called;
}

int sfr_loop_run(sfr_loop *loop)
{
	struct sfr__mark mark;
	int r = run_begin(loop, &mark, SFR__FRAME());

	if (r < 0)
		return r;
	while (r >= 0 && !atomic_exchange(&loop->mailbox.stop, false) && run_goes_on(loop))
		r = turn(loop, -1);
	run_end(loop);
	return r < 0 ? r : 0;
}

int sfr_loop_drain(sfr_loop *loop, int64_t timeout_ns)
{
	struct sfr__mark mark;
	uint64_t until = sfr__loop_clock_ns(loop) + (timeout_ns < 0 ? 0 : (uint64_t)timeout_ns);
	int r = run_begin(loop, &mark, SFR__FRAME());

	if (r < 0)
		return r;
	loop->draining = true;
	do {
		int64_t left = timeout_ns < 0 ? -1 : (int64_t)(until - sfr__loop_clock_ns(loop));

		resident_drain(loop);
		sfr__ops_cancel_all(loop);
		r = turn(loop, !ops_left(loop) || (timeout_ns >= 0 && left < 0) ? 0 : left);
		if (r >= 0 && ops_left(loop) && timeout_ns >= 0 && left <= 0)
			r = -ETIMEDOUT;
	} while (r >= 0 && ops_left(loop));
	loop->draining = false;
	run_end(loop);
	return r < 0 ? r : 0;
}

/*
 * Hosts.
 */

static int face_make(sfr_loop *loop)
{
	int r = sfr__face_open(&loop->face, loop->mailbox.fd);

	if (r == 0)
		r = loop->engine->calls->show(loop->engine, loop->face.fd);
	if (r < 0)
		sfr__face_fini(&loop->face);
	sfr__loop_note_own(loop);
	return r;
}

int sfr_loop_fd(sfr_loop *loop)
{
	int r = sfr__loop_check(loop, "the loop was asked for its descriptor");

	if (r == 0 && !sfr__face_is_open(&loop->face))
		r = face_make(loop);
	return r < 0 ? r : loop->face.fd;
}

static bool resident_gathered(const sfr_loop *loop)
{
	return loop->resident && loop->resident->gathered(loop->resident);
}

static bool can_fall_asleep(const sfr_loop *loop)
{
	return sfr__face_is_open(&loop->face) && !loop->face.found && !resident_gathered(loop);
}

/* No callbacks here: what might call back is for the next turn. */
int64_t sfr_loop_prepare(sfr_loop *loop)
{
	struct sfr__mark mark;
	int64_t left;
	int r;

	if (sfr__pool_is_mine(loop->pool) && loop->face.asleep)
		return time_left(loop, sfr__loop_clock_ns(loop));
	r = run_begin(loop, &mark, SFR__FRAME());
	if (r < 0) /* of the system's errors, which could be taken for a time, the turn tells */
		return r <= -SFR_EINFLIGHT ? r : 0;
	left = can_fall_asleep(loop) ? fall_asleep(loop, false) : 0;
	sfr__nesting_end(&loop->nesting);
	return left;
}

/*
 * Await.
 */

int sfr__loop_run_until(sfr_loop *loop, const bool *reached, const void *frame)
{
	struct sfr__mark mark;
	int r = run_begin(loop, &mark, frame);

	if (r < 0)
		return r;
	while (r >= 0 && !*reached)
		r = turn(loop, -1);
	run_end(loop);
	return r < 0 ? r : 0;
}

struct awaited {
	int result;
	sfr_buf *buf;
};

static void awaited_done(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct awaited *awaited = arg;

	(void)loop;
	*awaited = (struct awaited){result, buf};
}

static int await_op(sfr_op *op, struct awaited *awaited, const void *frame)
{
	struct sfr__mark mark;
	sfr_loop *loop = op->loop;
	int r = sfr__op_is(op, SFR__KIND_MULTI) ? -EINVAL : run_begin(loop, &mark, frame);
	sfr_ticket ticket;

	if (r < 0) { /* it cannot run, and what it carried comes back */
		op->result = r;
		awaited->buf = sfr__op_unbuild(op);
		return r;
	}
	ticket = sfr_submit(op, awaited_done, awaited);
	while (r >= 0 && sfr__op_find(&loop->ops, ticket)) /* a raw op may call more than once */
		r = turn(loop, -1);
	op = sfr__op_find(&loop->ops, ticket);
	if (op)
		sfr__op_abandon(op);
	run_end(loop);
	return op ? r : awaited->result;
}

/* Why there is no op: its builder has just said so. */
static int not_built(void)
{
	int err = errno;

	return err == SFR_ETHREAD || err == SFR_EFORKED ? -err : -ENOMEM;
}

int sfr_await(sfr_op *op, sfr_buf **buf_out)
{
	struct awaited awaited = {0};
	int r = op ? sfr__op_check(op) : not_built();

	if (r == 0)
		r = await_op(op, &awaited, SFR__FRAME());
	if (buf_out)
		*buf_out = awaited.buf;
	else
		sfr_buf_release(awaited.buf);
	return r;
}

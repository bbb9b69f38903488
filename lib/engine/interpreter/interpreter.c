/* SPDX-License-Identifier: MIT */
/*
 * Interpreter: the way of a request, from its end to its beginning, as each function calls those
 * above it.
 *
 * Each request that was started ends in request_end(), which posts the completion and cancels what
 * is behind it, or makes that due. What is due waits on a list, so a row of any length needs no
 * more stack than one entry.
 */
#include "engine/interpreter/interpreter.h"
#include "base/invariant.h"
#include "engine/interpreter/attempt.h"
#include "engine/interpreter/completion.h"
#include "engine/interpreter/flight.h"
#include "engine/interpreter/tables.h"
#include "sqe/language.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TABLE_SIZE 64

/* The times between attempts that were in vain. */
#define RETRY_MIN_NS UINT64_C(1000000)
#define RETRY_MAX_NS UINT64_C(100000000)

static uint64_t time_now(const struct sfr__interpreter *interpreter)
{
	return interpreter->engine.system->clock_ns(interpreter->engine.system);
}

/*
 * Completions.
 */

/* The last completion of a request, which is gone with it. */
static void request_post(struct sfr__interpreter *interpreter, struct sfr__flight *flight,
			 int result)
{
	if (sfr__likely(sfr__cq_has_room(interpreter) && sfr__list_empty(&interpreter->late))) {
		sfr__cq_write(interpreter, flight, result, flight->flags);
		sfr__flight_give(interpreter, flight);
		return;
	}
	flight->work.result = result;
	interpreter->engine.overflows++;
	sfr__list_append(&interpreter->late, &flight->hook);
}

void sfr__interpreter_post_late(struct sfr__interpreter *interpreter)
{
	while (!sfr__list_empty(&interpreter->late) && sfr__cq_has_room(interpreter)) {
		struct sfr__flight *flight = sfr__container(interpreter->late.next,
							    struct sfr__flight, hook);

		sfr__list_remove(&flight->hook);
		sfr__cq_write(interpreter, flight, flight->work.result, flight->flags);
		sfr__flight_give(interpreter, flight);
	}
}

/*
 * Ends.
 */

/* Its timer, if that runs. */
static void timer_stop(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	if (sfr__likely(!flight->timed))
		return;
	flight->timed = false;
	sfr__wheel_remove(&interpreter->wheel, &sfr__flight_alarm(interpreter, flight)->timer);
}

static void limit_stop(struct sfr__interpreter *interpreter, struct sfr__flight *limit)
{
	timer_stop(interpreter, limit);
	request_post(interpreter, limit, -ECANCELED);
}

static void row_cancel(struct sfr__interpreter *interpreter, struct sfr__flight *member)
{
	while (member) {
		struct sfr__flight *next = member->next;

		request_post(interpreter, member, -ECANCELED);
		member = next;
	}
}

/* Post it; the member after it is due, unless this end broke the row. */
static void request_end(struct sfr__interpreter *interpreter, struct sfr__flight *flight,
			int result)
{
	struct sfr__flight *next = flight->next, *limit = NULL;
	bool broken;

	if (result >= 0 && sfr__request_fills_place(&flight->request))
		result = sfr__tables_win(interpreter, flight, result);
	broken = sfr__request_failed(&flight->request, result) &&
		 !(flight->request.sqe.flags & IOSQE_IO_HARDLINK);
	if (next && next->request.sqe.opcode == IORING_OP_LINK_TIMEOUT) {
		limit = next;
		next = limit->next;
	}
	request_post(interpreter, flight, result);
	if (limit)
		limit_stop(interpreter, limit);
	if (broken)
		row_cancel(interpreter, next);
	else if (next)
		sfr__list_append(&interpreter->due, &next->hook);
}

/* End one that is in flight, and no longer with the engine. */
static void flight_end(struct sfr__interpreter *interpreter, struct sfr__flight *flight, int result)
{
	timer_stop(interpreter, flight);
	interpreter->calls->ended(interpreter, flight);
	sfr__flight_leave(interpreter, flight);
	request_end(interpreter, flight, result);
}

/*
 * Cancelling. 0; -EALREADY if it cannot be stopped now: then it ends at the next chance.
 */

static int request_cancel(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	if (flight->request.sqe.opcode != IORING_OP_TIMEOUT &&
	    !interpreter->calls->forget(interpreter, flight)) {
		atomic_store(&flight->cancelled, true);
		return -EALREADY;
	}
	flight_end(interpreter, flight, sfr__result_so_far(flight, -ECANCELED));
	return 0;
}

static bool cancel_matches(const struct io_uring_sqe *cancel, const struct sfr__flight *flight)
{
	if (sfr__is_cancelled(flight))
		return false;
	if (cancel->cancel_flags & IORING_ASYNC_CANCEL_ANY)
		return true;
	if (cancel->cancel_flags & IORING_ASYNC_CANCEL_FD)
		return flight->request.sqe.opcode != IORING_OP_TIMEOUT &&
		       flight->request.sqe.fd == cancel->fd;
	return flight->request.sqe.user_data == cancel->addr;
}

/* How many were found. Members that become due are not started meanwhile, so the table only shrinks. */
static int cancel_all(struct sfr__interpreter *interpreter, const struct io_uring_sqe *cancel,
		      bool first_only, int *result)
{
	int found = 0;
	size_t i;

	for (i = 0; i < interpreter->table_size; i++) {
		struct sfr__flight *flight = interpreter->table[i], *next;

		for (; flight; flight = next) {
			next = flight->bucket;
			if (!cancel_matches(cancel, flight))
				continue;
			found++;
			*result = request_cancel(interpreter, flight);
			if (first_only)
				return found;
		}
	}
	return found;
}

static int cancel_run(struct sfr__interpreter *interpreter, const struct io_uring_sqe *cancel)
{
	const unsigned known = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_FD |
			       IORING_ASYNC_CANCEL_ANY;
	unsigned flags = cancel->cancel_flags;
	int result = -ENOENT, found;
	bool all;

	if (flags & ~known || (flags & IORING_ASYNC_CANCEL_FD && flags & IORING_ASYNC_CANCEL_ANY))
		return -EINVAL;
	if (!flags) {
		struct sfr__flight *flight = sfr__flight_find(interpreter, cancel->addr);

		return flight ? request_cancel(interpreter, flight) : -ENOENT;
	}
	if (flags & IORING_ASYNC_CANCEL_FD) {
		const struct sfr__system *system = interpreter->engine.system;
		int r = system->fd_flags(system, cancel->fd);

		if (r < 0)
			return r;
	}
	all = flags & (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY); /* any is all of them */
	found = cancel_all(interpreter, cancel, !all, &result);
	return all ? found : result;
}

/*
 * Timeouts.
 */

static struct sfr__alarm *timer_arm(struct sfr__interpreter *interpreter,
				    struct sfr__flight *flight, uint64_t now, uint64_t at,
				    void (*fire)(struct sfr__timer *))
{
	struct sfr__alarm *alarm = sfr__flight_alarm(interpreter, flight);

	alarm->interpreter = interpreter;
	alarm->flight = flight;
	alarm->timer.fire = fire;
	flight->timed = true;
	if (!interpreter->wheel.count) /* nobody turned it while it was empty */
		sfr__wheel_advance(&interpreter->wheel, now);
	sfr__wheel_add(&interpreter->wheel, &alarm->timer, at);
	return alarm;
}

/* One that fires is off the wheel. */
static struct sfr__alarm *alarm_of(struct sfr__timer *timer)
{
	struct sfr__alarm *alarm = sfr__container(timer, struct sfr__alarm, timer);

	alarm->flight->timed = false;
	return alarm;
}

static struct sfr__alarm *timeout_arm(struct sfr__interpreter *interpreter,
				      struct sfr__flight *flight, void (*fire)(struct sfr__timer *))
{
	uint64_t now = time_now(interpreter), at = flight->request.time_ns;

	if (!(flight->request.sqe.timeout_flags & IORING_TIMEOUT_ABS))
		at = sfr__time_after(now, at);
	return timer_arm(interpreter, flight, now, at, fire);
}

static void timeout_fired(struct sfr__timer *timer)
{
	struct sfr__alarm *alarm = alarm_of(timer);

	flight_end(alarm->interpreter, alarm->flight, -ETIME);
}

/* The op before a LINK_TIMEOUT took too long. The timeout completes first, then the op. */
static void limit_fired(struct sfr__timer *timer)
{
	struct sfr__alarm *alarm = alarm_of(timer);
	struct sfr__flight *flight = alarm->limits;
	struct sfr__interpreter *interpreter = alarm->interpreter;

	flight->next = alarm->flight->next;
	request_post(interpreter, alarm->flight, -ETIME);
	(void)request_cancel(interpreter, flight); /* if it cannot be stopped, it ends late */
}

/*
 * Starts.
 */

/* It does not end at once. 0, or the result with which it does end. */
static int request_fly(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	struct sfr__flight *limit = flight->next;
	int r = interpreter->calls->wait(interpreter, flight, true);

	if (r != SFR__NOT_YET)
		return r;
	sfr__flight_enter(interpreter, flight);
	if (limit && limit->request.sqe.opcode == IORING_OP_LINK_TIMEOUT)
		timeout_arm(interpreter, limit, limit_fired)->limits = flight;
	return SFR__NOT_YET;
}

static int request_start(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	int r;

	switch (flight->request.sqe.opcode) {
	case IORING_OP_NOP:
		return 0;
	case IORING_OP_ASYNC_CANCEL:
		return cancel_run(interpreter, &flight->request.sqe);
	case IORING_OP_TIMEOUT:
		timeout_arm(interpreter, flight, timeout_fired);
		sfr__flight_enter(interpreter, flight);
		return SFR__NOT_YET;
	case IORING_OP_CLOSE:
		if (flight->request.sqe.file_index)
			return sfr__tables_close(interpreter, flight->request.sqe.file_index - 1);
		break;
	default:
		break;
	}
	r = sfr__tables_resolve(interpreter, flight);
	if (r == 0 && flight->request.sqe.opcode == IORING_OP_CLOSE)
		r = interpreter->calls->closing(interpreter, flight->request.fd);
	if (r == 0)
		r = sfr__attempt(interpreter, flight);
	return r == SFR__NOT_YET ? request_fly(interpreter, flight) : r;
}

/* Start what is due, and what becomes due by that. */
static void due_start(struct sfr__interpreter *interpreter)
{
	while (!sfr__list_empty(&interpreter->due)) {
		struct sfr__flight *flight = sfr__container(interpreter->due.next,
							    struct sfr__flight, hook);
		int r;

		sfr__list_remove(&flight->hook);
		r = request_start(interpreter, flight);
		if (r != SFR__NOT_YET)
			request_end(interpreter, flight, r);
	}
}

static void retry_stop(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	timer_stop(interpreter, flight);
	flight->retries = 0;
}

/* A full completion queue holds it up, too: that is not in vain. */
static bool came_forward(const struct sfr__interpreter *interpreter,
			 const struct sfr__flight *flight, uint32_t posted, uint32_t done)
{
	return interpreter->cq_tail != posted || flight->request.done != done ||
	       !sfr__cq_has_room(interpreter) || !sfr__list_empty(&interpreter->late);
}

bool sfr__interpreter_go_on(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	uint32_t posted = interpreter->cq_tail, done = flight->request.done;
	int r = sfr__is_cancelled(flight) ? sfr__result_so_far(flight, -ECANCELED)
					  : sfr__attempt(interpreter, flight);
	bool forward = came_forward(interpreter, flight, posted, done);

	if (r == SFR__NOT_YET) {
		r = interpreter->calls->wait(interpreter, flight, forward);
		if (r == SFR__NOT_YET) {
			if (forward)
				retry_stop(interpreter, flight);
			return forward;
		}
	}
	(void)interpreter->calls->forget(interpreter, flight); /* it is not being done */
	sfr__interpreter_finish(interpreter, flight, r);
	return true;
}

static void retry_fired(struct sfr__timer *timer)
{
	struct sfr__alarm *alarm = alarm_of(timer);

	if (!sfr__interpreter_go_on(alarm->interpreter, alarm->flight))
		sfr__interpreter_retry(alarm->interpreter, alarm->flight);
}

void sfr__interpreter_retry(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	uint64_t now, wait_ns = RETRY_MIN_NS << flight->retries;

	if (flight->timed)
		return;
	if (wait_ns < RETRY_MAX_NS)
		flight->retries++;
	else
		wait_ns = RETRY_MAX_NS;
	now = time_now(interpreter);
	timer_arm(interpreter, flight, now, sfr__time_after(now, wait_ns), retry_fired);
}

void sfr__interpreter_finish(struct sfr__interpreter *interpreter, struct sfr__flight *flight,
			     int result)
{
	flight_end(interpreter, flight, result);
	due_start(interpreter);
}

/*
 * Taking.
 */

/* How many entries the row at the head of the queue has. It ends with what is written. */
static unsigned row_length(const struct sfr__queue *queue)
{
	unsigned written = sfr__queue_written(queue), count = 1;

	while (count < written && queue->sqes[(queue->sq_head + count - 1) & queue->sq_mask].flags &
					  (IOSQE_IO_LINK | IOSQE_IO_HARDLINK))
		count++;
	return count;
}

/* A LINK_TIMEOUT follows the op it limits, and there is one of them. */
static int limit_check(const struct sfr__flight *before, const struct sfr__flight *flight)
{
	if (flight->request.sqe.opcode != IORING_OP_LINK_TIMEOUT)
		return 0;
	return before && before->request.sqe.opcode != IORING_OP_LINK_TIMEOUT ? 0 : -EINVAL;
}

/* Find what is wrong before anything runs: then the whole row is cancelled, but for the culprit. */
static bool row_check(struct sfr__interpreter *interpreter, struct sfr__flight *head)
{
	struct sfr__flight *flight, *before = NULL, *next;
	int r = 0;

	for (flight = head; flight; before = flight, flight = flight->next) {
		r = sfr__request_check(&flight->request);
		if (r == 0)
			r = limit_check(before, flight);
		if (r < 0)
			break;
	}
	if (sfr__likely(!flight))
		return true;
	for (before = flight, flight = head; flight; flight = next) {
		next = flight->next;
		request_post(interpreter, flight, flight == before ? r : -ECANCELED);
	}
	return false;
}

static struct sfr__flight *row_take(struct sfr__interpreter *interpreter, unsigned count)
{
	struct sfr__queue *queue = &interpreter->engine.queue;
	struct sfr__flight *head = NULL, **end = &head;

	for (; count; count--) {
		*end = sfr__flight_take(interpreter,
					&queue->sqes[queue->sq_head++ & queue->sq_mask]);
		end = &(*end)->next;
	}
	return head;
}

bool sfr__interpreter_take(struct sfr__interpreter *interpreter)
{
	struct sfr__queue *queue = &interpreter->engine.queue;

	/* Requests that complete at once could else keep the queue full for ever, and those that wait would get nothing. */
	if (sfr__unlikely(!sfr__cq_has_room(interpreter)))
		return true;
	while (sfr__queue_written(queue)) {
		unsigned count = row_length(queue);
		struct sfr__flight *head;

		if (sfr__unlikely(!sfr__flights_reserve(interpreter, count)))
			return false;
		head = row_take(interpreter, count);
		if (row_check(interpreter, head)) {
			sfr__list_append(&interpreter->due, &head->hook);
			due_start(interpreter);
		}
	}
	return true;
}

/*
 * Time.
 */

void sfr__interpreter_tick(struct sfr__interpreter *interpreter)
{
	if (!interpreter->wheel.count)
		return;
	(void)sfr__wheel_advance(&interpreter->wheel, time_now(interpreter));
	due_start(interpreter);
}

int64_t sfr__interpreter_time_left(struct sfr__interpreter *interpreter)
{
	if (!interpreter->wheel.count)
		return -1;
	return sfr__wheel_next(&interpreter->wheel, time_now(interpreter));
}

/*
 * The interpreter itself.
 */

int sfr__interpreter_init(struct sfr__interpreter *interpreter, unsigned sq_entries,
			  unsigned cq_entries)
{
	struct sfr__queue *queue = &interpreter->engine.queue;

	sfr__flights_init(interpreter);
	sfr__list_init(&interpreter->due);
	sfr__list_init(&interpreter->late);
	*queue = (struct sfr__queue){
		.sqes = calloc(sq_entries, sizeof(struct io_uring_sqe)),
		.sq_mask = sq_entries - 1,
		.sq_entries = sq_entries,
		.cqes = calloc(cq_entries, sizeof(struct io_uring_cqe)),
		.cq_mask = cq_entries - 1,
		.cq_head = &interpreter->cq_head,
		.cq_tail = &interpreter->cq_tail,
	};
	interpreter->table = calloc(TABLE_SIZE, sizeof(struct sfr__flight *));
	interpreter->table_size = TABLE_SIZE;
	interpreter->engine.ops = sfr__language_ops();
	if (!queue->sqes || !queue->cqes || !interpreter->table ||
	    !sfr__flights_reserve(interpreter, 1))
		return -ENOMEM;
	sfr__wheel_init(&interpreter->wheel, time_now(interpreter));
	return 0;
}

void sfr__interpreter_fini(struct sfr__interpreter *interpreter)
{
	sfr__flights_free_all(interpreter);
	free(interpreter->engine.queue.sqes);
	free(interpreter->engine.queue.cqes);
	sfr__tables_free(interpreter);
}

/* SPDX-License-Identifier: MIT */
/*
 * Interpreter: the way of a request, from its end to its beginning, as each function calls those
 * above it.
 *
 * Each request that was started ends in request_end(), which posts the completion and cancels what
 * is behind it, or makes that due. What is due waits on a list, so a chain of any length needs no
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
#define RETRY_MIN_NS 1000000
#define RETRY_MAX_NS 100000000

/*
 * Completions.
 */

/* The last completion of a request, which is gone with it. */
static void request_post(struct sfr__interpreter *interpreter, struct sfr__request *request,
			 int result)
{
	if (sfr__likely(sfr__cq_has_room(interpreter) && sfr__list_empty(&interpreter->late))) {
		sfr__cq_write(interpreter, request, result, request->flags);
		sfr__request_give(interpreter, request);
		return;
	}
	request->result = result;
	interpreter->engine.overflows++;
	sfr__list_append(&interpreter->late, &request->link);
}

static void late_post(struct sfr__interpreter *interpreter)
{
	while (!sfr__list_empty(&interpreter->late) && sfr__cq_has_room(interpreter)) {
		struct sfr__request *request = sfr__container(interpreter->late.next,
							      struct sfr__request, link);

		sfr__list_unlink(&request->link);
		sfr__cq_write(interpreter, request, request->result, request->flags);
		sfr__request_give(interpreter, request);
	}
}

/*
 * Ends.
 */

/* Its timer, if that runs. */
static void timer_stop(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	if (!sfr__list_empty(&request->timer.link))
		sfr__wheel_remove(&interpreter->wheel, &request->timer);
}

static void limit_stop(struct sfr__interpreter *interpreter, struct sfr__request *limit)
{
	timer_stop(interpreter, limit);
	request_post(interpreter, limit, -ECANCELED);
}

static void chain_cancel(struct sfr__interpreter *interpreter, struct sfr__request *member)
{
	while (member) {
		struct sfr__request *next = member->next;

		request_post(interpreter, member, -ECANCELED);
		member = next;
	}
}

/* Post it; the member after it is due, unless this end broke the chain. */
static void request_end(struct sfr__interpreter *interpreter, struct sfr__request *request,
			int result)
{
	struct sfr__request *next = request->next, *limit = NULL;
	bool broken;

	if (result >= 0 && sfr__request_fills_slot(request))
		result = sfr__tables_win(interpreter, request, result);
	broken = sfr__request_failed(request, result) && !(request->sqe.flags & IOSQE_IO_HARDLINK);
	if (next && next->sqe.opcode == IORING_OP_LINK_TIMEOUT) {
		limit = next;
		next = limit->next;
	}
	request_post(interpreter, request, result);
	if (limit)
		limit_stop(interpreter, limit);
	if (broken)
		chain_cancel(interpreter, next);
	else if (next)
		sfr__list_append(&interpreter->due, &next->link);
}

/* End one that is in flight, and no longer with the engine. */
static void flight_end(struct sfr__interpreter *interpreter, struct sfr__request *request,
		       int result)
{
	timer_stop(interpreter, request);
	interpreter->calls->ended(interpreter, request);
	sfr__flight_leave(interpreter, request);
	request_end(interpreter, request, result);
}

/*
 * Cancelling. 0; -EALREADY if it cannot be stopped now: then it ends at the next chance.
 */

static int request_cancel(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	if (request->sqe.opcode != IORING_OP_TIMEOUT &&
	    !interpreter->calls->forget(interpreter, request)) {
		atomic_store(&request->cancelled, true);
		return -EALREADY;
	}
	flight_end(interpreter, request, sfr__result_so_far(request, -ECANCELED));
	return 0;
}

static bool cancel_matches(const struct io_uring_sqe *cancel, const struct sfr__request *request)
{
	if (sfr__is_cancelled(request))
		return false;
	if (cancel->cancel_flags & IORING_ASYNC_CANCEL_ANY)
		return true;
	if (cancel->cancel_flags & IORING_ASYNC_CANCEL_FD)
		return request->sqe.opcode != IORING_OP_TIMEOUT && request->number == cancel->fd;
	return request->sqe.user_data == cancel->addr;
}

/* How many were found. Members that become due are not started meanwhile, so the table only shrinks. */
static int cancel_all(struct sfr__interpreter *interpreter, const struct io_uring_sqe *cancel,
		      bool first_only, int *result)
{
	int found = 0;
	size_t i;

	for (i = 0; i < interpreter->table_size; i++) {
		struct sfr__request *request = interpreter->table[i], *next;

		for (; request; request = next) {
			next = request->bucket;
			if (!cancel_matches(cancel, request))
				continue;
			found++;
			*result = request_cancel(interpreter, request);
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
		struct sfr__request *request = sfr__flight_find(interpreter, cancel->addr);

		return request ? request_cancel(interpreter, request) : -ENOENT;
	}
	if (flags & IORING_ASYNC_CANCEL_FD) {
		int r = interpreter->calls->check(interpreter, cancel->fd);

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

static void timer_arm(struct sfr__interpreter *interpreter, struct sfr__request *request,
		      uint64_t now, uint64_t at, void (*fire)(struct sfr__timer *))
{
	request->timer.fire = fire;
	if (!interpreter->wheel.count) /* nobody turned it while it was empty */
		sfr__wheel_advance(&interpreter->wheel, now);
	sfr__wheel_add(&interpreter->wheel, &request->timer, at);
}

static void timeout_arm(struct sfr__interpreter *interpreter, struct sfr__request *request,
			void (*fire)(struct sfr__timer *))
{
	uint64_t now = interpreter->calls->now(interpreter), at = request->time_ns;

	if (!(request->sqe.timeout_flags & IORING_TIMEOUT_ABS))
		at = sfr__time_after(now, at);
	timer_arm(interpreter, request, now, at, fire);
}

static void timeout_fired(struct sfr__timer *timer)
{
	struct sfr__request *request = sfr__container(timer, struct sfr__request, timer);

	flight_end(request->interpreter, request, -ETIME);
}

/* The op before a LINK_TIMEOUT took too long. The timeout completes first, then the op. */
static void limit_fired(struct sfr__timer *timer)
{
	struct sfr__request *limit = sfr__container(timer, struct sfr__request, timer);
	struct sfr__request *request = limit->limits;
	struct sfr__interpreter *interpreter = limit->interpreter;

	request->next = limit->next;
	request_post(interpreter, limit, -ETIME);
	(void)request_cancel(interpreter, request); /* if it cannot be stopped, it ends late */
}

/*
 * Starts.
 */

/* It does not end at once. 0, or the result with which it does end. */
static int request_fly(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	struct sfr__request *limit = request->next;
	int r = interpreter->calls->wait(interpreter, request, true);

	if (r != SFR__NOT_YET)
		return r;
	sfr__flight_enter(interpreter, request);
	if (limit && limit->sqe.opcode == IORING_OP_LINK_TIMEOUT) {
		limit->limits = request;
		timeout_arm(interpreter, limit, limit_fired);
	}
	return SFR__NOT_YET;
}

static int request_start(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	int r;

	switch (request->sqe.opcode) {
	case IORING_OP_NOP:
		return 0;
	case IORING_OP_ASYNC_CANCEL:
		return cancel_run(interpreter, &request->sqe);
	case IORING_OP_TIMEOUT:
		timeout_arm(interpreter, request, timeout_fired);
		sfr__flight_enter(interpreter, request);
		return SFR__NOT_YET;
	case IORING_OP_CLOSE:
		if (request->sqe.file_index)
			return sfr__tables_close(interpreter, request->sqe.file_index - 1);
		break;
	default:
		break;
	}
	r = sfr__tables_resolve(interpreter, request);
	if (r == 0 && request->sqe.opcode == IORING_OP_CLOSE)
		r = interpreter->calls->closing(interpreter, request->fd);
	if (r == 0)
		r = sfr__attempt(interpreter, request);
	return r == SFR__NOT_YET ? request_fly(interpreter, request) : r;
}

/* Start what is due, and what becomes due by that. */
static void due_start(struct sfr__interpreter *interpreter)
{
	while (!sfr__list_empty(&interpreter->due)) {
		struct sfr__request *request = sfr__container(interpreter->due.next,
							      struct sfr__request, link);
		int r;

		sfr__list_unlink(&request->link);
		r = request_start(interpreter, request);
		if (r != SFR__NOT_YET)
			request_end(interpreter, request, r);
	}
}

static void retry_stop(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	timer_stop(interpreter, request);
	request->time_ns = 0;
}

/* A full completion queue holds it up, too: that is not in vain. */
static bool came_forward(const struct sfr__interpreter *interpreter,
			 const struct sfr__request *request, uint32_t posted, uint32_t done)
{
	return interpreter->cq_tail != posted || request->done != done ||
	       !sfr__cq_has_room(interpreter) || !sfr__list_empty(&interpreter->late);
}

bool sfr__interpreter_go_on(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	uint32_t posted = interpreter->cq_tail, done = request->done;
	int r = sfr__is_cancelled(request) ? sfr__result_so_far(request, -ECANCELED)
					   : sfr__attempt(interpreter, request);
	bool forward = came_forward(interpreter, request, posted, done);

	if (r == SFR__NOT_YET) {
		r = interpreter->calls->wait(interpreter, request, forward);
		if (r == SFR__NOT_YET) {
			if (forward)
				retry_stop(interpreter, request);
			return forward;
		}
	}
	(void)interpreter->calls->forget(interpreter, request); /* it is not being done */
	sfr__interpreter_finish(interpreter, request, r);
	return true;
}

static void retry_fired(struct sfr__timer *timer)
{
	struct sfr__request *request = sfr__container(timer, struct sfr__request, timer);
	struct sfr__interpreter *interpreter = request->interpreter;

	if (!sfr__interpreter_go_on(interpreter, request))
		sfr__interpreter_retry(interpreter, request);
}

void sfr__interpreter_retry(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	uint64_t now;

	if (!sfr__list_empty(&request->timer.link))
		return;
	now = interpreter->calls->now(interpreter);
	request->time_ns = request->time_ns ? 2 * request->time_ns : RETRY_MIN_NS;
	if (request->time_ns > RETRY_MAX_NS)
		request->time_ns = RETRY_MAX_NS;
	timer_arm(interpreter, request, now, sfr__time_after(now, request->time_ns), retry_fired);
}

void sfr__interpreter_finish(struct sfr__interpreter *interpreter, struct sfr__request *request,
			     int result)
{
	flight_end(interpreter, request, result);
	due_start(interpreter);
}

/*
 * Taking.
 */

/* How many entries the chain at the head of the queue has. It ends with what is written. */
static unsigned chain_length(const struct sfr__queue *queue)
{
	unsigned written = sfr__queue_written(queue), count = 1;

	while (count < written && queue->sqes[(queue->sq_head + count - 1) & queue->sq_mask].flags &
					  (IOSQE_IO_LINK | IOSQE_IO_HARDLINK))
		count++;
	return count;
}

/* A LINK_TIMEOUT follows the op it limits, and there is one of them. */
static int limit_check(const struct sfr__request *before, const struct sfr__request *request)
{
	if (request->sqe.opcode != IORING_OP_LINK_TIMEOUT)
		return 0;
	return before && before->sqe.opcode != IORING_OP_LINK_TIMEOUT ? 0 : -EINVAL;
}

/* Find what is wrong before anything runs: then the whole chain is cancelled, but for the culprit. */
static bool chain_check(struct sfr__interpreter *interpreter, struct sfr__request *head)
{
	struct sfr__request *request, *before = NULL, *next;
	int r = 0;

	for (request = head; request; before = request, request = request->next) {
		r = sfr__request_check(request);
		if (r == 0)
			r = limit_check(before, request);
		if (r < 0)
			break;
	}
	if (sfr__likely(!request))
		return true;
	for (before = request, request = head; request; request = next) {
		next = request->next;
		request_post(interpreter, request, request == before ? r : -ECANCELED);
	}
	return false;
}

static struct sfr__request *chain_take(struct sfr__interpreter *interpreter, unsigned count)
{
	struct sfr__queue *queue = &interpreter->engine.queue;
	struct sfr__request *head = NULL, **end = &head;

	for (; count; count--) {
		*end = sfr__request_take(interpreter,
					 &queue->sqes[queue->sq_head++ & queue->sq_mask]);
		end = &(*end)->next;
	}
	return head;
}

bool sfr__interpreter_take(struct sfr__interpreter *interpreter)
{
	struct sfr__queue *queue = &interpreter->engine.queue;

	late_post(interpreter);
	while (sfr__queue_written(queue)) {
		unsigned count = chain_length(queue);
		struct sfr__request *head;

		if (sfr__unlikely(!sfr__requests_reserve(interpreter, count)))
			return false;
		head = chain_take(interpreter, count);
		if (chain_check(interpreter, head)) {
			sfr__list_append(&interpreter->due, &head->link);
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
	(void)sfr__wheel_advance(&interpreter->wheel, interpreter->calls->now(interpreter));
	due_start(interpreter);
}

int64_t sfr__interpreter_time_left(struct sfr__interpreter *interpreter)
{
	if (!interpreter->wheel.count)
		return -1;
	return sfr__wheel_next(&interpreter->wheel, interpreter->calls->now(interpreter));
}

/*
 * The interpreter itself.
 */

int sfr__interpreter_init(struct sfr__interpreter *interpreter, unsigned sq_entries,
			  unsigned cq_entries)
{
	struct sfr__queue *queue = &interpreter->engine.queue;

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
	interpreter->table = calloc(TABLE_SIZE, sizeof(struct sfr__request *));
	interpreter->table_size = TABLE_SIZE;
	interpreter->engine.ops = sfr__language_ops();
	if (!queue->sqes || !queue->cqes || !interpreter->table ||
	    !sfr__requests_reserve(interpreter, 1))
		return -ENOMEM;
	sfr__wheel_init(&interpreter->wheel, interpreter->calls->now(interpreter));
	return 0;
}

void sfr__interpreter_fini(struct sfr__interpreter *interpreter)
{
	sfr__requests_free_all(interpreter);
	free(interpreter->engine.queue.sqes);
	free(interpreter->engine.queue.cqes);
	sfr__tables_free(interpreter);
}

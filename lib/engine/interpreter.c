#include "interpreter.h"
#include "flight.h"
#include "language.h"
#include "../invariant.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* How many connections one readiness of a listener may bring, before others have their turn. */
#define ACCEPTS_MAX 16

#define TABLE_SIZE 64

/*
 * Completions.
 */

static bool cq_has_room(const struct sfr__interpreter *interpreter)
{
	return interpreter->cq_tail - interpreter->cq_head <= interpreter->engine.queue.cq_mask;
}

static void cq_write(struct sfr__interpreter *interpreter, const struct sfr__request *request,
		     int result, unsigned flags)
{
	struct sfr__queue *queue = &interpreter->engine.queue;

	queue->cqes[interpreter->cq_tail++ & queue->cq_mask] = (struct io_uring_cqe){
		.user_data = request->sqe.user_data, .res = result, .flags = flags};
}

/* The last completion of a request, which is gone with it. */
static void request_post(struct sfr__interpreter *interpreter, struct sfr__request *request,
			 int result)
{
	if (sfr__likely(cq_has_room(interpreter) && sfr__list_empty(&interpreter->late))) {
		cq_write(interpreter, request, result, request->flags);
		sfr__request_give(interpreter, request);
		return;
	}
	request->result = result;
	interpreter->engine.overflows++;
	sfr__list_append(&interpreter->late, &request->link);
}

static void late_post(struct sfr__interpreter *interpreter)
{
	while (!sfr__list_empty(&interpreter->late) && cq_has_room(interpreter)) {
		struct sfr__request *request = sfr__container(interpreter->late.next,
							      struct sfr__request, link);

		sfr__list_unlink(&request->link);
		cq_write(interpreter, request, request->result, request->flags);
		sfr__request_give(interpreter, request);
	}
}

/*
 * Attempts.
 */

static struct sfr__buf_group *group_of(struct sfr__interpreter *interpreter, unsigned number)
{
	unsigned i;

	for (i = 0; i < interpreter->groups_count; i++)
		if (interpreter->groups[i].number == number)
			return &interpreter->groups[i];
	return NULL;
}

/* The buffer that is next in the request's group, which stays there until bytes are in it. */
static const struct io_uring_buf *buf_pick(struct sfr__request *request,
					   struct sfr__buf_group *group)
{
	const struct io_uring_buf *buf;

	if (!group || group->head == io_uring_smp_load_acquire(&group->ring->tail))
		return NULL;
	buf = &group->ring->bufs[group->head & (group->entries - 1)];
	request->at = (unsigned char *)(uintptr_t)buf->addr;
	request->len = request->sqe.len && request->sqe.len < buf->len ? request->sqe.len
								       : buf->len;
	return buf;
}

static int attempt_selecting(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	struct sfr__buf_group *group = group_of(interpreter, request->sqe.buf_group);
	const struct io_uring_buf *buf = buf_pick(request, group);
	int r;

	if (!buf)
		return -ENOBUFS;
	r = interpreter->calls->attempt(interpreter, request);
	if (r > 0) {
		request->flags = IORING_CQE_F_BUFFER | (unsigned)buf->bid
							       << IORING_CQE_BUFFER_SHIFT;
		group->head++;
	}
	return r;
}

static bool is_cancelled(const struct sfr__request *request)
{
	return atomic_load_explicit(&request->cancelled, memory_order_relaxed);
}

/* What was transferred before it ended is the result, whatever ended it. */
static int result_so_far(const struct sfr__request *request, int result)
{
	return request->done ? (int)request->done : result;
}

/* A short transfer means that the rest would block: no use in trying at once. */
static int attempt_whole(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	int r = interpreter->calls->attempt(interpreter, request);

	if (r == SFR__NOT_YET)
		return r;
	if (r <= 0)
		return result_so_far(request, r);
	request->done += (uint32_t)r;
	if (request->sqe.msg_flags & MSG_DONTWAIT || !sfr__request_is_whole(request) ||
	    request->done == sfr__request_size(request))
		return (int)request->done;
	return SFR__NOT_YET;
}

static int attempt_once(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	if (request->sqe.flags & IOSQE_BUFFER_SELECT)
		return attempt_selecting(interpreter, request);
	if (sfr__request_is_whole(request))
		return attempt_whole(interpreter, request);
	return interpreter->calls->attempt(interpreter, request);
}

/* Post what comes, each with F_MORE. Without room for a completion it waits, and loses nothing. */
static int attempt_many(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	bool accepts = request->sqe.opcode == IORING_OP_ACCEPT;
	int count = accepts ? ACCEPTS_MAX : 1, r;

	for (; count; count--) {
		if (!cq_has_room(interpreter) || !sfr__list_empty(&interpreter->late))
			break;
		r = attempt_once(interpreter, request);
		if (r < 0 || (r == 0 && !accepts))
			return r;
		cq_write(interpreter, request, r, request->flags | IORING_CQE_F_MORE);
		request->flags = 0;
	}
	return SFR__NOT_YET;
}

static int request_attempt(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	return sfr__request_is_multishot(request) ? attempt_many(interpreter, request)
						  : attempt_once(interpreter, request);
}

/*
 * Ends.
 */

static void limit_stop(struct sfr__interpreter *interpreter, struct sfr__request *limit)
{
	if (!sfr__list_empty(&limit->timer.link))
		sfr__wheel_remove(&interpreter->wheel, &limit->timer);
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
	bool broken = sfr__request_failed(request, result) &&
		      !(request->sqe.flags & IOSQE_IO_HARDLINK);
	struct sfr__request *next = request->next, *limit = NULL;

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
	sfr__flight_leave(interpreter, request);
	request_end(interpreter, request, result);
}

/*
 * Cancelling. 0; -EALREADY if it cannot be stopped now: then it ends at the next chance.
 */

static int request_cancel(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	if (request->sqe.opcode == IORING_OP_TIMEOUT) {
		sfr__wheel_remove(&interpreter->wheel, &request->timer);
	} else if (!interpreter->calls->forget(interpreter, request)) {
		atomic_store(&request->cancelled, true);
		return -EALREADY;
	}
	flight_end(interpreter, request, result_so_far(request, -ECANCELED));
	return 0;
}

static bool cancel_matches(const struct io_uring_sqe *cancel, const struct sfr__request *request)
{
	if (is_cancelled(request))
		return false;
	if (cancel->cancel_flags & IORING_ASYNC_CANCEL_ANY)
		return true;
	if (cancel->cancel_flags & IORING_ASYNC_CANCEL_FD)
		return request->sqe.opcode != IORING_OP_TIMEOUT && request->fd == cancel->fd;
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

static void timeout_arm(struct sfr__interpreter *interpreter, struct sfr__request *request,
			void (*fire)(struct sfr__timer *))
{
	uint64_t now = interpreter->calls->now(interpreter), at = request->time_ns;

	if (!(request->sqe.timeout_flags & IORING_TIMEOUT_ABS))
		at = at > UINT64_MAX - now ? UINT64_MAX : now + at;
	request->timer.fire = fire;
	if (!interpreter->wheel.count) /* nobody turned it while it was empty */
		sfr__wheel_advance(&interpreter->wheel, now);
	sfr__wheel_add(&interpreter->wheel, &request->timer, at);
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

static int fixed_file(const struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	unsigned index = (unsigned)request->sqe.fd;

	if (index >= interpreter->files_count || interpreter->files[index] < 0)
		return -EBADF;
	request->fd = interpreter->files[index];
	return 0;
}

/* Whether its bytes are inside the registered buffer that it names. */
static int fixed_buffer(const struct sfr__interpreter *interpreter,
			const struct sfr__request *request)
{
	uint64_t at = request->sqe.addr, len = request->sqe.len, base;
	const struct iovec *buffer;

	if (request->sqe.buf_index >= interpreter->buffers_count)
		return -EFAULT;
	buffer = &interpreter->buffers[request->sqe.buf_index];
	base = (uint64_t)(uintptr_t)buffer->iov_base;
	return at >= base && at - base <= buffer->iov_len && len <= buffer->iov_len - (at - base)
		       ? 0
		       : -EFAULT;
}

static bool uses_fixed_buffer(const struct sfr__request *request)
{
	return request->sqe.opcode == IORING_OP_READ_FIXED ||
	       request->sqe.opcode == IORING_OP_WRITE_FIXED;
}

static int request_resolve(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	int r = request->sqe.flags & IOSQE_FIXED_FILE ? fixed_file(interpreter, request) : 0;

	if (r == 0 && uses_fixed_buffer(request))
		r = fixed_buffer(interpreter, request);
	request->at = (unsigned char *)(uintptr_t)request->sqe.addr;
	request->len = request->sqe.len;
	return r;
}

/* It does not end at once. 0, or the result with which it does end. */
static int request_fly(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	struct sfr__request *limit = request->next;
	int r = interpreter->calls->wait(interpreter, request);

	if (r < 0)
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
		interpreter->calls->closing(interpreter, request->fd);
		break;
	default:
		break;
	}
	r = request_resolve(interpreter, request);
	if (r == 0)
		r = request_attempt(interpreter, request);
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

void sfr__interpreter_go_on(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	int r = is_cancelled(request) ? result_so_far(request, -ECANCELED)
				      : request_attempt(interpreter, request);

	if (r == SFR__NOT_YET) {
		r = interpreter->calls->wait(interpreter, request);
		if (r == 0)
			return;
	} else {
		(void)interpreter->calls->forget(interpreter, request); /* it is not being done */
	}
	sfr__interpreter_finish(interpreter, request, r);
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
 * Tables, and the interpreter itself.
 */

int sfr__interpreter_buf_ring_add(struct sfr__interpreter *interpreter, void *ring,
				  unsigned entries, unsigned number)
{
	size_t count = interpreter->groups_count;
	struct sfr__buf_group *groups;

	if (!entries || entries > 32768 || entries & (entries - 1))
		return -EINVAL;
	if (group_of(interpreter, number))
		return -EEXIST;
	groups = realloc(interpreter->groups, (count + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	interpreter->groups = groups;
	groups[interpreter->groups_count++] = (struct sfr__buf_group){
		.ring = ring, .entries = entries, .number = (uint16_t)number};
	return 0;
}

int sfr__interpreter_files_add(struct sfr__interpreter *interpreter, const int *fds, unsigned count)
{
	if (interpreter->files)
		return -EBUSY;
	interpreter->files = malloc(count * sizeof(*fds));
	if (!interpreter->files)
		return -ENOMEM;
	memcpy(interpreter->files, fds, count * sizeof(*fds));
	interpreter->files_count = count;
	return 0;
}

int sfr__interpreter_buffers_add(struct sfr__interpreter *interpreter, const struct iovec *buffers,
				 unsigned count)
{
	if (interpreter->buffers)
		return -EBUSY;
	interpreter->buffers = malloc(count * sizeof(*buffers));
	if (!interpreter->buffers)
		return -ENOMEM;
	memcpy(interpreter->buffers, buffers, count * sizeof(*buffers));
	interpreter->buffers_count = count;
	return 0;
}

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
	free(interpreter->groups);
	free(interpreter->files);
	free(interpreter->buffers);
}

/* SPDX-License-Identifier: MIT */
/*
 * The interpreter on epoll: each request is tried at once; what would wait is watched, and tried again
 * when its descriptor is ready; files cannot be waited for, and go to workers.
 */
#include "engine/epoll/epoll.h"
#include "base/clock.h"
#include "base/workers.h"
#include "config/config.h"
#include "engine/epoll/watch.h"
#include "engine/interpreter/completion.h"
#include "engine/interpreter/interpreter.h"
#include "sqe/counted.h"
#include "sqe/syscalls.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define EVENTS_MAX 256
#define DONE_DATA UINT64_MAX /* what epoll says of the eventfd for work that is done */

/* While completions are ready, epoll is asked only every so many enters: it costs a system call. */
#define LOOK_AFTER 8

#define STACK_SIZE ((size_t)256 * 1024) /* of a worker, which makes system calls and no more */

#define SHORT_OF_MEMORY_NS 1000000 /* entries that could not be taken are tried again after this */

struct epoll {
	struct sfr__interpreter interpreter;
	struct sfr__watches watches;
	struct sfr__workers workers;
	int shown;                     /* a set that tells of ours; -1: there is none */
	int done_fd;                   /* an eventfd: work is done */
	bool done_watched;             /* epoll tells of it */
	bool no_pwait2;                /* this kernel, or emulator, sleeps in milliseconds */
	unsigned skipped;              /* enters since epoll was last asked */
	_Atomic uint64_t worker_calls; /* system calls of workers, since they were last added up */
	int events_count, next;        /* what epoll told; from the next one on, not dealt with */
	struct epoll_event events[EVENTS_MAX];
};

static struct sfr__waiter *waiter_of(const struct sfr__flight *flight)
{
	return (struct sfr__waiter *)(uintptr_t)flight;
}

static struct epoll *epoll_of(const struct sfr__engine *engine)
{
	return (struct epoll *)(uintptr_t)engine;
}

/*
 * Work.
 */

static void work_run(struct sfr__workers *workers, struct sfr__work *work)
{
	struct sfr__flight *flight = sfr__container(work, struct sfr__flight, work);
	struct epoll *epoll = sfr__container(workers, struct epoll, workers);
	uint64_t before = sfr__calls;

	work->result = sfr__syscall_do(&flight->request);
	atomic_fetch_add_explicit(&epoll->worker_calls, sfr__calls - before, memory_order_relaxed);
}

static void work_tell(struct sfr__workers *workers)
{
	const uint64_t one = 1;
	struct epoll *epoll = sfr__container(workers, struct epoll, workers);

	atomic_fetch_add_explicit(&epoll->worker_calls, 1,
				  memory_order_relaxed); /* who is told counts it */
	(void)!write(epoll->done_fd, &one, sizeof(one)); /* full means it is readable already */
}

/* Epoll tells that work is done. 0 or -errno. */
static int work_watch(struct epoll *epoll)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = DONE_DATA};

	if (!epoll->done_watched &&
	    epoll_ctl(epoll->watches.epoll_fd, EPOLL_CTL_ADD, epoll->done_fd, &event) < 0)
		return -errno;
	epoll->done_watched = true;
	return 0;
}

/* Another descriptor of the same file, or -errno; and the end of it. Errors of that close do not matter: the caller
 * still has the file open, and hears of them when closing it. */
static int descriptor_copy(struct epoll *epoll, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return errno == EINVAL ? -EMFILE : -errno; /* not even 0 is below the limit */
	sfr__watch_own(&epoll->watches, copy, true);
	return copy;
}

static void descriptor_drop(struct epoll *epoll, int copy)
{
	sfr__watch_own(&epoll->watches, copy, false);
	(void)close(copy);
}

/* A worker may begin after the descriptor was closed and its number is another file's. 0 or -errno. */
static int request_copy(struct epoll *epoll, struct sfr__flight *flight)
{
	bool two = flight->request.sqe.opcode == IORING_OP_SPLICE;
	int copy, copy_in = -1;

	if (flight->request.fd < 0 || flight->request.sqe.opcode == IORING_OP_CLOSE ||
	    waiter_of(flight)->has_copy)
		return 0;
	copy = descriptor_copy(epoll, flight->request.fd);
	if (copy >= 0 && two)
		copy_in = descriptor_copy(epoll, flight->request.fd_in);
	if (copy >= 0 && two && copy_in < 0)
		descriptor_drop(epoll, copy);
	if (copy < 0 || (two && copy_in < 0))
		return copy < 0 ? copy : copy_in;
	flight->request.fd = copy;
	flight->request.fd_in = copy_in;
	waiter_of(flight)->has_copy = true;
	return 0;
}

static void request_forget_copy(struct epoll *epoll, struct sfr__flight *flight)
{
	if (!waiter_of(flight)->has_copy)
		return;
	waiter_of(flight)->has_copy = false;
	descriptor_drop(epoll, flight->request.fd);
	if (flight->request.fd_in >= 0)
		descriptor_drop(epoll, flight->request.fd_in);
}

/* 0 or -errno. */
static int request_give(struct epoll *epoll, struct sfr__flight *flight)
{
	int r = work_watch(epoll);

	if (r == 0)
		r = request_copy(epoll, flight);
	if (r == 0)
		r = sfr__workers_give(&epoll->workers, &flight->work);
	waiter_of(flight)->with_workers = r == 0;
	return r;
}

static void work_collect(struct epoll *epoll)
{
	struct sfr__hook done;
	uint64_t count;

	(void)!read(epoll->done_fd, &count,
		    sizeof(count)); /* before: what comes then is told anew */
	epoll->interpreter.engine.syscalls += atomic_exchange_explicit(&epoll->worker_calls, 0,
								       memory_order_relaxed);
	sfr__workers_collect(&epoll->workers, &done);
	while (!sfr__list_empty(&done)) {
		struct sfr__flight *flight = sfr__container(done.next, struct sfr__flight, hook);

		sfr__list_remove(&flight->hook);
		waiter_of(flight)->with_workers = false;
		if (sfr__syscall_is_for_later(&flight->request))
			sfr__interpreter_retry(&epoll->interpreter, flight);
		else if (flight->work.result == SFR__NOT_YET)
			(void)sfr__interpreter_go_on(&epoll->interpreter, flight);
		else
			sfr__interpreter_finish(&epoll->interpreter, flight, flight->work.result);
	}
}

/* 0 or -errno. A splice has two descriptors, and may wait for one and then for the other: it holds on to both, if
 * there are descriptors to be had for that. */
static int request_watch(struct epoll *epoll, struct sfr__flight *flight)
{
	if (flight->request.sqe.opcode == IORING_OP_SPLICE && request_copy(epoll, flight) == -EBADF)
		return -EBADF;
	return sfr__watch_add(&epoll->watches, flight, sfr__syscall_fd(&flight->request),
			      sfr__syscall_events(&flight->request));
}

static int request_wait(struct epoll *epoll, struct sfr__flight *flight);

/*
 * Have a worker do it. If that is not possible for want of a descriptor, a thread or memory, do it here and now: the
 * loop stands still meanwhile, but an operation that ends the shortage, like closing a file, is not refused because
 * of the shortage.
 */
static int request_work(struct epoll *epoll, struct sfr__flight *flight)
{
	int r = request_give(epoll, flight);

	if (r == 0)
		return SFR__NOT_YET;
	if (r != -EBADF)
		r = sfr__syscall_do(&flight->request);
	if (r == SFR__NOT_YET)
		return request_wait(epoll, flight);
	request_forget_copy(epoll, flight);
	return r;
}

/* SFR__NOT_YET, or the result with which it ends. */
static int request_wait(struct epoll *epoll, struct sfr__flight *flight)
{
	int r;

	if (sfr__syscall_blocks(&flight->request))
		return request_work(epoll, flight);
	if (sfr__syscall_is_for_later(&flight->request)) {
		sfr__interpreter_retry(&epoll->interpreter, flight);
		return SFR__NOT_YET;
	}
	r = request_watch(epoll, flight);
	if (r == 0)
		return SFR__NOT_YET;
	if (r == -EPERM && flight->request.sqe.opcode != IORING_OP_POLL_ADD)
		return request_work(epoll, flight); /* a file or device that is always ready */
	request_forget_copy(epoll, flight);
	return r == -EPERM ? -EINVAL : r;
}

/*
 * What the interpreter asks for.
 */

static int epoll_attempt(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	(void)interpreter;
	if (waiter_of(flight)->with_workers)
		return SFR__NOT_YET;
	return sfr__syscall_try(&flight->request);
}

static int epoll_wait_for(struct sfr__interpreter *interpreter, struct sfr__flight *flight,
			  bool forward)
{
	struct epoll *epoll = epoll_of(&interpreter->engine);

	if (waiter_of(flight)->with_workers) /* how far it is by now is the worker's to write */
		return SFR__NOT_YET;
	if (sfr__syscall_blocks(&flight->request) ||
	    waiter_of(flight)->fd != sfr__syscall_fd(&flight->request))
		sfr__watch_remove(&epoll->watches, flight); /* it waits for something else now */
	if (waiter_of(flight)->watched && forward)
		sfr__watch_revive(&epoll->watches, flight);
	if (waiter_of(flight)->watched)
		return SFR__NOT_YET;
	return request_wait(epoll, flight);
}

static bool epoll_forget(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	struct epoll *epoll = epoll_of(&interpreter->engine);

	if (waiter_of(flight)->with_workers &&
	    !sfr__workers_take_back(&epoll->workers, &flight->work))
		return false;
	waiter_of(flight)->with_workers = false;
	sfr__watch_remove(&epoll->watches, flight);
	return true;
}

static void epoll_ended(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	request_forget_copy(epoll_of(&interpreter->engine), flight);
}

static int epoll_closing(struct sfr__interpreter *interpreter, int fd)
{
	struct sfr__watches *watches = &epoll_of(&interpreter->engine)->watches;

	if (sfr__watch_is_own(watches, fd))
		return -EBADF;
	sfr__watch_closing(watches, fd);
	return 0;
}

static int epoll_keep(struct sfr__interpreter *interpreter, int fd)
{
	return descriptor_copy(epoll_of(&interpreter->engine), fd);
}

static void epoll_drop(struct sfr__interpreter *interpreter, int fd)
{
	struct epoll *epoll = epoll_of(&interpreter->engine);

	sfr__watch_closing(&epoll->watches, fd);
	descriptor_drop(epoll, fd); /* a copy, or never used */
}

static const struct sfr__interpreter_calls interpreter_calls = {
	.attempt = epoll_attempt,
	.wait = epoll_wait_for,
	.forget = epoll_forget,
	.ended = epoll_ended,
	.closing = epoll_closing,
	.keep = epoll_keep,
	.drop = epoll_drop,
};

/*
 * The calls of the seam.
 */

static int epoll_bind(struct sfr__engine *engine)
{
	(void)engine;
	return 0;
}

/* Sleep until something is ready; negative has no limit. The count of events or -errno. */
static int epoll_sleep(struct epoll *epoll, int64_t timeout_ns)
{
	int count, ms;

	epoll->watches.round++;
#ifdef SYS_epoll_pwait2
	if (timeout_ns > 0 && !epoll->no_pwait2) {
		const struct __kernel_timespec ts = {.tv_sec = timeout_ns / 1000000000,
						     .tv_nsec = timeout_ns % 1000000000};

		count = (int)syscall(SYS_epoll_pwait2, epoll->watches.epoll_fd, epoll->events,
				     EVENTS_MAX, &ts, NULL, 0);
		if (count >= 0 || (errno != ENOSYS && errno != EPERM))
			return count < 0 ? -errno : count;
		epoll->no_pwait2 = true;
	}
#endif
	ms = timeout_ns < 0                             ? -1
	     : timeout_ns > (int64_t)86400 * 1000000000 ? 86400000
							: (int)((timeout_ns + 999999) / 1000000);
	count = epoll_wait(epoll->watches.epoll_fd, epoll->events, EVENTS_MAX, ms);
	return count < 0 ? -errno : count;
}

/* Have the set that is shown, if there is one, tell of ours. 0 or -errno. */
static int set_show(struct epoll *epoll)
{
	struct epoll_event event = {.events = EPOLLIN};
	int ours = epoll->watches.epoll_fd;

	return epoll->shown >= 0 && epoll_ctl(epoll->shown, EPOLL_CTL_ADD, ours, &event) < 0
		       ? -errno
		       : 0;
}

/*
 * Without descriptors for a new set the old one goes on telling too much, and nothing is lost. The old one is
 * taken out of the set that is shown: where a child of fork has a copy of it, closing it is not enough.
 */
static void set_renew(struct epoll *epoll)
{
	bool renewed;

	if (epoll->shown >= 0)
		(void)epoll_ctl(epoll->shown, EPOLL_CTL_DEL, epoll->watches.epoll_fd, NULL);
	renewed = sfr__watches_renew(&epoll->watches) == 0;
	(void)set_show(epoll); /* in the place of the old one: there is room */
	if (!renewed)
		return;
	epoll->done_watched = false;
	(void)work_watch(epoll); /* or when there is work */
}

static void event_handle(struct epoll *epoll, const struct epoll_event *event)
{
	if (event->data.u64 == DONE_DATA)
		work_collect(epoll);
	else
		sfr__watch_ready(&epoll->watches, (int)event->data.u64, event->events);
}

static bool events_left(const struct epoll *epoll)
{
	return epoll->next < epoll->events_count;
}

/* Deal with what epoll told, as far as there is room for what comes of it. */
static void events_handle(struct epoll *epoll)
{
	while (events_left(epoll) && sfr__cq_has_room(&epoll->interpreter))
		event_handle(epoll, &epoll->events[epoll->next++]);
}

/* Ask epoll. 0, also when interrupted; -errno. */
static int events_ask(struct epoll *epoll, int64_t timeout_ns)
{
	int count = epoll_sleep(epoll, timeout_ns);

	epoll->next = 0;
	epoll->events_count = count > 0 ? count : 0;
	return count < 0 && count != -EINTR ? count : 0;
}

/*
 * Find out what is ready, and deal with it. 0, also when interrupted; -errno. A short completion queue has no room for all
 * that epoll tells at a time. The rest waits for the next look, before epoll is asked again: epoll puts behind the others
 * what it has told, and who was skipped would be skipped each time.
 */
static int epoll_look(struct epoll *epoll, int64_t timeout_ns)
{
	const bool left = events_left(epoll);
	int r = 0;

	events_handle(epoll);
	if (!left || (!events_left(epoll) && !sfr__queue_ready(&epoll->interpreter.engine.queue))) {
		if (epoll->watches.stale)
			set_renew(epoll);
		r = events_ask(epoll, timeout_ns);
		events_handle(epoll);
	}
	sfr__interpreter_tick(&epoll->interpreter);
	return r;
}

static int64_t shorter(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int epoll_turn(struct sfr__engine *engine, bool wait, int64_t timeout_ns)
{
	struct epoll *epoll = epoll_of(engine);
	struct sfr__interpreter *interpreter = &epoll->interpreter;
	bool limited = timeout_ns >= 0;
	uint64_t until = wait && limited ? sfr__clock_ns() + (uint64_t)timeout_ns : 0;
	int64_t limit;
	int r;

	engine->enters++;
	sfr__interpreter_post_late(interpreter);
	if (epoll->skipped >= LOOK_AFTER && sfr__cq_has_room(interpreter)) {
		epoll->skipped = 0;
		(void)epoll_look(epoll, 0); /* before what is taken completes, and leaves no room */
	}
	limit = sfr__interpreter_take(interpreter) ? -1 : SHORT_OF_MEMORY_NS;
	sfr__interpreter_tick(interpreter);
	if (sfr__queue_ready(&engine->queue)) {
		epoll->skipped++;
		return 0;
	}
	epoll->skipped = 0;
	if (!wait)
		return epoll_look(epoll, 0);
	do {
		r = epoll_look(epoll, shorter(shorter(timeout_ns, limit),
					      sfr__interpreter_time_left(interpreter)));
		if (limited)
			timeout_ns = (int64_t)(until - sfr__clock_ns());
	} while (r == 0 && limit < 0 && !sfr__queue_ready(&engine->queue) &&
		 !(limited && timeout_ns <= 0));
	return r;
}

static int epoll_enter(struct sfr__engine *engine, bool wait, int64_t timeout_ns)
{
	uint64_t before = sfr__calls;
	int r = epoll_turn(engine, wait, timeout_ns);

	engine->syscalls += sfr__calls - before;
	return r;
}

/* Looking is a system call here, as cheap as they are. What it finds is dealt with by enter. */
static bool epoll_pending(struct sfr__engine *engine)
{
	struct epoll *epoll = epoll_of(engine);

	if (sfr__queue_ready(&engine->queue) || events_left(epoll))
		return true;
	(void)events_ask(epoll, 0);
	engine->syscalls++;
	return events_left(epoll);
}

static int epoll_show(struct sfr__engine *engine, int set)
{
	struct epoll *epoll = epoll_of(engine);
	int r;

	epoll->shown = set;
	r = set_show(epoll);
	if (r < 0)
		epoll->shown = -1;
	return r;
}

/* Its set says what is so now, not what was. */
static void epoll_hush(struct sfr__engine *engine)
{
	(void)engine;
}

static int64_t epoll_time_left(struct sfr__engine *engine, uint64_t now_ns)
{
	int64_t limit = sfr__queue_written(&engine->queue) ? SHORT_OF_MEMORY_NS : -1;

	return shorter(limit, sfr__wheel_next(&epoll_of(engine)->interpreter.wheel, now_ns));
}

static void epoll_close(struct sfr__engine *engine)
{
	struct epoll *epoll = epoll_of(engine);

	sfr__workers_fini(&epoll->workers);
	if (epoll->done_fd >= 0)
		(void)close(epoll->done_fd); /* nobody waits for it any more */
	sfr__interpreter_fini(&epoll->interpreter);
	sfr__watches_fini(&epoll->watches);
	free(epoll);
}

static const struct sfr__engine_calls epoll_calls = {
	.name = "epoll",
	.bind = epoll_bind,
	.enter = epoll_enter,
	.pending = epoll_pending,
	.buf_ring_add = sfr__interpreter_buf_ring_add,
	.files_add = sfr__interpreter_files_add,
	.files_update = sfr__interpreter_files_update,
	.files_remove = sfr__interpreter_files_remove,
	.buffers_add = sfr__interpreter_buffers_add,
	.buffers_update = sfr__interpreter_buffers_update,
	.show = epoll_show,
	.hush = epoll_hush,
	.time_left = epoll_time_left,
	.close = epoll_close,
};

static sfr__features features_offered(const struct sfr__settings *settings)
{
	static const enum sfr__feature has[] = {
		SFR__FEATURE_LINKS,        SFR__FEATURE_RECV_MULTI,  SFR__FEATURE_ACCEPT_MULTI,
		SFR__FEATURE_BUFFER_RINGS, SFR__FEATURE_INCREMENTAL, SFR__FEATURE_FIXED_BUFFERS,
		SFR__FEATURE_DIRECT_FILES};
	sfr__features features = 0;
	size_t i;

	for (i = 0; i < sizeof(has) / sizeof(has[0]); i++)
		if (settings->features[has[i]] != SFR__OFF)
			features |= 1U << has[i];
	return features;
}

static int epoll_init(struct epoll *epoll, const struct sfr__settings *settings)
{
	unsigned entries = settings->ring.entries, cq_entries = settings->ring.cq_entries;
	int r;

	r = sfr__watches_init(&epoll->watches, &epoll->interpreter);
	if (r < 0)
		return r;
	epoll->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = epoll->done_fd < 0 ? -errno : work_watch(epoll);
	if (r < 0)
		return r;
	epoll->interpreter.engine.own[0] = epoll->watches.epoll_fd;
	epoll->interpreter.engine.own[1] = epoll->done_fd;
	return sfr__interpreter_init(&epoll->interpreter, entries,
				     cq_entries ? cq_entries : 4 * entries);
}

int sfr__epoll_open(struct sfr__engine **out, const struct sfr__settings *settings)
{
	struct epoll *epoll = calloc(1, sizeof(*epoll));
	int r;

	if (!epoll)
		return -ENOMEM;
	epoll->interpreter.calls = &interpreter_calls;
	epoll->interpreter.flight_size = sizeof(struct sfr__waiter);
	epoll->interpreter.engine.calls = &epoll_calls;
	epoll->interpreter.engine.system = &sfr__plain_system;
	epoll->interpreter.engine.features = features_offered(settings);
	sfr__workers_init(&epoll->workers, settings->ring.workers, STACK_SIZE, work_run, work_tell);
	epoll->done_fd = epoll->shown = -1;
	r = epoll_init(epoll, settings);
	if (r < 0) {
		epoll_close(&epoll->interpreter.engine);
		return r;
	}
	*out = &epoll->interpreter.engine;
	return 0;
}

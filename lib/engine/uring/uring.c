/* SPDX-License-Identifier: MIT */
/*
 * The kernel's io_uring.
 *
 * The ring is made disabled, so that the thread that makes a loop need not be the one that runs it, and
 * belongs to the thread that binds it. Entries sit in the submission ring in order, and submitting is one
 * store and one system call. Every enter asks for events: with
 * DEFER_TASKRUN nothing completes otherwise, and overflown completions come in as well.
 */
#include "engine/uring/uring.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "engine/uring/setup.h"
#include "machine/kernel.h"
#include "machine/machine.h"
#include "machine/probe.h"
#include "machine/quirk.h"
#include "machine/sandbox.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FOR_EVER_S 86400

#define SHORT_OF_MEMORY_NS 1000000 /* what there was none for is tried again after this */

/* With ring.min_wait: as many completions end the sleep before its time. */
#define BATCH 32

struct uring {
	struct sfr__engine engine;
	struct sfr__ring ring;
	unsigned enter_flags; /* in every enter */
	bool sqpoll;
	uint32_t min_wait_us; /* 0: the first completion ends the sleep */
	uint32_t napi_us;
	uint32_t workers;
	int event_fd; /* the kernel counts completions there; -1: nobody asked for it */
	bool deaf;    /* at the moment it does not */
};

static struct uring *uring_of(const struct sfr__engine *engine)
{
	return (struct uring *)(uintptr_t)engine;
}

static void queue_attach(struct sfr__queue *queue, const struct sfr__ring *ring)
{
	*queue = (struct sfr__queue){
		.sqes = ring->sqes,
		.sq_mask = ring->sq_entries - 1,
		.sq_entries = ring->sq_entries,
		.cqes = ring->cqes,
		.cq_mask = ring->cq_entries - 1,
		.cq_head = ring->cq_head,
		.cq_tail = ring->cq_tail,
	};
}

static int uring_register(const struct uring *uring, unsigned what, const void *arg, unsigned count)
{
	return io_uring_register((unsigned)uring->ring.fd, what, arg, count);
}

/*
 * The calls.
 */

static int uring_bind(struct sfr__engine *engine)
{
	const struct uring *uring = uring_of(engine);
	unsigned workers[2] = {uring->workers, 0}; /* bounded ones; unbounded as they are */
	struct sfr__napi napi = {.busy_poll_us = uring->napi_us, .prefer_busy_poll = 1};
	int r = uring_register(uring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	if (r == 0) /* before 5.15 the kernel has its own idea of how many */
		(void)uring_register(uring, IORING_REGISTER_IOWQ_MAX_WORKERS, workers, 2);
	if (r == 0 && uring->napi_us) /* where it is refused, interrupts do as well */
		(void)uring_register(uring, SFR__REGISTER_NAPI, &napi, 1);
	return r < 0 ? r : 0;
}

/* Under kernel polling the entries are taken by a kernel thread, which may need to be woken. */
static unsigned sqpoll_flags(const struct uring *uring)
{
	if (!uring->sqpoll)
		return 0;
	io_uring_smp_mb(); /* the tail store must be seen before the flag is read */
	return IO_URING_READ_ONCE(*uring->ring.sq_flags) & IORING_SQ_NEED_WAKEUP
		       ? IORING_ENTER_SQ_WAKEUP
		       : 0;
}

/* Which entries the kernel has taken. */
static void sq_sync(struct uring *uring)
{
	uring->engine.queue.sq_head = io_uring_smp_load_acquire(uring->ring.sq_head);
}

/*
 * The kernel ran short of memory in the middle of a row. It takes a row to end with what an enter took of
 * it, and would start the rest without waiting, whatever becomes of the members before. So the rest completes
 * and does nothing: whoever submitted it is told so, and submits it again when it is due.
 *
 * Only what nobody else is looking at can be changed, so not under kernel polling. See machine/quirk.c about that.
 */
static void row_disarm(struct sfr__queue *queue)
{
	uint32_t at = queue->sq_head;
	unsigned before = queue->sqes[(at - 1) & queue->sq_mask].flags;

	for (; before & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK) && at != queue->sq_tail; at++) {
		struct io_uring_sqe *sqe = &queue->sqes[at & queue->sq_mask];

		before = sqe->flags;
		*sqe = (struct io_uring_sqe){.opcode = IORING_OP_NOP,
					     .user_data = sqe->user_data | SFR__CQE_UNSENT};
	}
}

static bool is_overflown(const struct uring *uring)
{
	return IO_URING_READ_ONCE(*uring->ring.sq_flags) & IORING_SQ_CQ_OVERFLOW;
}

/* One io_uring_enter: 0, or -errno of those that callers look at. */
static int enter_once(struct uring *uring, unsigned wait_for, const struct __kernel_timespec *ts)
{
	struct sfr__queue *queue = &uring->engine.queue;
	unsigned flags = uring->enter_flags | sqpoll_flags(uring);
	struct sfr__enter_arg arg = {.sigmask_size = _NSIG / 8,
				     .min_wait_us = wait_for > 1 ? uring->min_wait_us : 0,
				     .ts = (uint64_t)(uintptr_t)ts};
	uint32_t head = queue->sq_head;
	int r;

	uring->engine.enters++;
	uring->engine.syscalls++;
	r = io_uring_enter2((unsigned)uring->ring.fd, sfr__queue_written(queue), wait_for,
			    flags | IORING_ENTER_EXT_ARG, (sigset_t *)&arg, sizeof(arg));
	sq_sync(uring);
	uring->engine.overflown = is_overflown(uring);
	if (sfr__unlikely(queue->sq_head != queue->sq_tail) && queue->sq_head != head &&
	    !uring->sqpoll)
		row_disarm(queue);
	return r < 0 ? r : 0;
}

static int uring_enter(struct sfr__engine *engine, bool wait, int64_t timeout_ns)
{
	struct uring *uring = uring_of(engine);
	bool limited = wait && timeout_ns >= 0;
	uint64_t until = limited ? sfr__clock_ns() + (uint64_t)timeout_ns : 0;

	io_uring_smp_store_release(uring->ring.sq_tail, engine->queue.sq_tail);
	if (is_overflown(uring))
		engine->overflows++;
	for (;;) {
		struct __kernel_timespec ts = {.tv_sec = timeout_ns / 1000000000,
					       .tv_nsec = timeout_ns % 1000000000};
		unsigned wait_for = !wait || sfr__queue_ready(&engine->queue) ? 0
				    : uring->min_wait_us                      ? BATCH
									      : 1;
		int r;

		if (!limited &&
		    wait_for > 1) /* without a limit the kernel takes min_wait for one */
			ts = (struct __kernel_timespec){.tv_sec = FOR_EVER_S};
		r = enter_once(uring, wait_for, limited || wait_for > 1 ? &ts : NULL);

		if (r == -EBUSY || r == -EAGAIN)
			return 0; /* full, or short of memory: reap, and try again */
		if (r < 0 && r != -EINTR && r != -ETIME)
			return r;
		if (!wait || sfr__queue_ready(&engine->queue))
			return 0;
		if (!limited) /* a signal, of which an enter that took entries says nothing: go on */
			continue;
		timeout_ns = (int64_t)(until - sfr__clock_ns());
		if (timeout_ns <= 0)
			return 0;
	}
}

static bool uring_pending(struct sfr__engine *engine)
{
	return sfr__queue_ready(&engine->queue) ||
	       IO_URING_READ_ONCE(*uring_of(engine)->ring.sq_flags) &
		       (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static int uring_buf_ring_add(struct sfr__engine *engine, void *ring, unsigned entries,
			      unsigned group, unsigned flags)
{
	struct sfr__buf_reg reg = {
		.ring_addr = (uint64_t)(uintptr_t)ring,
		.ring_entries = entries,
		.bgid = (uint16_t)group,
		.flags = (uint16_t)flags,
	};

	return uring_register(uring_of(engine), IORING_REGISTER_PBUF_RING, &reg, 1);
}

static int uring_files_add(struct sfr__engine *engine, const int *fds, unsigned count)
{
	return uring_register(uring_of(engine), IORING_REGISTER_FILES, fds, count);
}

static int uring_files_update(struct sfr__engine *engine, unsigned place, int fd)
{
	struct io_uring_rsrc_update update = {.offset = place, .data = (uint64_t)(uintptr_t)&fd};
	int r = uring_register(uring_of(engine), IORING_REGISTER_FILES_UPDATE, &update, 1);

	return r < 0 ? r : 0;
}

static int uring_files_remove(struct sfr__engine *engine)
{
	return uring_register(uring_of(engine), IORING_UNREGISTER_FILES, NULL, 0);
}

static int uring_buffers_add(struct sfr__engine *engine, const struct iovec *buffers,
			     unsigned count)
{
	return uring_register(uring_of(engine), IORING_REGISTER_BUFFERS, buffers, count);
}

static int uring_buffers_update(struct sfr__engine *engine, unsigned place,
				const struct iovec *buffer)
{
	struct io_uring_rsrc_update2 update = {
		.offset = place, .data = (uint64_t)(uintptr_t)buffer, .nr = 1};
	int r = uring_register(uring_of(engine), IORING_REGISTER_BUFFERS_UPDATE, &update,
			       sizeof(update));

	return r < 0 ? r : 0;
}

/*
 * Showing.
 */

static int set_add(int set, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int event_fd_register(const struct uring *uring, int fd)
{
	return uring_register(uring, IORING_REGISTER_EVENTFD, &fd, 1);
}

static int event_fd_show(struct uring *uring, int set)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = fd < 0 ? -errno : set_add(set, fd);

	if (r == 0)
		r = event_fd_register(uring, fd);
	if (r == 0)
		uring->event_fd = uring->engine.own[1] = fd;
	else if (fd >= 0)
		(void)close(fd); /* nothing was written to it */
	return r;
}

/* With DEFER_TASKRUN the ring's own descriptor does not tell a set of what completes later. Without, it does;
 * and kernels that old would wait for all that is in flight before they registered an eventfd. */
static int uring_show(struct sfr__engine *engine, int set)
{
	struct uring *uring = uring_of(engine);

	return uring->ring.flags & IORING_SETUP_DEFER_TASKRUN ? event_fd_show(uring, set)
							      : set_add(set, uring->ring.fd);
}

/*
 * What completes because somebody writes to an eventfd cannot be told from inside that write: the kernel tells
 * some milliseconds later, and since 6.11 it does so once and never again, until the eventfd is registered anew.
 * Whenever it told, that may have been that one time.
 */
static void uring_hush(struct sfr__engine *engine)
{
	struct uring *uring = uring_of(engine);
	uint64_t count;

	if (uring->event_fd < 0 ||
	    (read(uring->event_fd, &count, sizeof(count)) < 0 && !uring->deaf))
		return;
	(void)uring_register(uring, IORING_UNREGISTER_EVENTFD, NULL, 0);
	uring->deaf = event_fd_register(uring, uring->event_fd) < 0;
}

static int64_t uring_time_left(struct sfr__engine *engine, uint64_t now_ns)
{
	const struct uring *uring = uring_of(engine);
	bool untaken = sfr__queue_written(&engine->queue) && !uring->sqpoll;

	(void)now_ns;
	return untaken || uring->deaf ? SHORT_OF_MEMORY_NS : -1;
}

static void uring_close(struct sfr__engine *engine)
{
	struct uring *uring = uring_of(engine);

	if (uring->event_fd >= 0)
		(void)close(uring->event_fd); /* nobody counts any more */
	sfr__ring_close(&uring->ring);
	free(uring);
}

static const struct sfr__engine_calls uring_calls = {
	.name = "uring",
	.bind = uring_bind,
	.enter = uring_enter,
	.pending = uring_pending,
	.buf_ring_add = uring_buf_ring_add,
	.files_add = uring_files_add,
	.files_update = uring_files_update,
	.files_remove = uring_files_remove,
	.buffers_add = uring_buffers_add,
	.buffers_update = uring_buffers_update,
	.show = uring_show,
	.hush = uring_hush,
	.time_left = uring_time_left,
	.close = uring_close,
};

/*
 * Opening.
 */

/* Of what the kernel has: what the configuration allows and no quirk speaks against. */
static sfr__features features_allowed(const struct sfr__settings *settings, sfr__features offered,
				      bool sqpoll)
{
	enum sfr_log_level limit = settings->log.level;
	sfr__features allowed = 0;
	struct utsname name;
	unsigned i;

	uname(&name);
	for (i = 0; i < SFR__FEATURES; i++) {
		const struct sfr__quirk *quirk = sfr__quirk_find(name.release, i, sqpoll);

		if (settings->features[i] == SFR__ON && !sfr__has(offered, i))
			sfr__log(limit, SFR_LOG_WARN, "%s: on, but this kernel does not have it",
				 sfr__feature_key(i));
		if (settings->features[i] == SFR__AUTO && sfr__has(offered, i) && quirk)
			sfr__log(limit, SFR_LOG_INFO, "%s: off on Linux %s: %s (%s)",
				 sfr__feature_key(i), name.release, quirk->trouble, quirk->source);
		if (sfr__has(offered, i) && settings->features[i] != SFR__OFF &&
		    (settings->features[i] == SFR__ON || !quirk))
			allowed |= 1U << i;
	}
	return allowed;
}

/* Whether to use kernel polling: 1, 0, or -SFR_ECONFIG if it is asked for and must not be. */
static int sqpoll_decide(const struct sfr__settings *settings)
{
	enum sfr_log_level limit = settings->log.level;
	const struct sfr__quirk *quirk;
	struct sfr__machine machine;
	char why[128];
	bool spare;

	if (settings->ring.sqpoll == SFR__SQPOLL_OFF || settings->ring.sqpoll == SFR__SQPOLL_FORCE)
		return settings->ring.sqpoll == SFR__SQPOLL_FORCE;
	sfr__machine_look(&machine);
	spare = sfr__machine_spares_core(&machine, why, sizeof(why));
	quirk = sfr__quirk_find(machine.release, SFR__QUIRK_SQPOLL, true);
	if (spare && !quirk)
		return 1;
	if (settings->ring.sqpoll == SFR__SQPOLL_AUTO) {
		sfr__log(limit, SFR_LOG_INFO, "ring.sqpoll: auto, and so off: %s",
			 spare ? quirk->trouble : why);
		return 0;
	}
	sfr__log(limit, SFR_LOG_ERROR,
		 "ring.sqpoll: on is refused: %s (auto leaves it out here, force insists)",
		 spare ? quirk->trouble : why);
	return -SFR_ECONFIG;
}

static int uring_open(struct uring *uring, const struct sfr__settings *settings,
		      char described[SFR__REASON_SIZE], struct sfr__refusal *refusal)
{
	int sqpoll = sqpoll_decide(settings);
	struct sfr__uring_grant grant = {0};
	sfr__features features;

	if (sqpoll < 0)
		return sqpoll;
	*refusal = sfr__sandbox_ask();
	if (refusal->verdict == SFR__KILLED ||
	    (refusal->verdict == SFR__UNASKED && settings->engine != SFR__ENGINE_URING))
		return refusal->error;
	*refusal = (struct sfr__refusal){0};
	features = features_allowed(settings, sfr__probe_features(&uring->engine.ops), sqpoll);
	refusal->error = sfr__uring_setup(&uring->ring, settings, features, sqpoll, &grant);
	if (refusal->error < 0)
		return refusal->error;
	*refusal = sfr__probe_ring(&uring->ring);
	if (refusal->error < 0) {
		sfr__ring_close(&uring->ring);
		return refusal->error;
	}
	uring->engine.features = features;
	uring->engine.send_flags = MSG_DONTWAIT;
	if (!sfr__has(features, SFR__FEATURE_NEW_OPCODES))
		uring->engine.ops &= (UINT64_C(1) << SFR__OP_CODES_OLD) - 1;
	uring->sqpoll = sqpoll;
	uring->workers = settings->ring.workers;
	(void)snprintf(described, SFR__REASON_SIZE, "%u entries, %s%s", grant.entries, grant.name,
		       sqpoll ? ", kernel polling" : "");
	return 0;
}

static uint32_t microseconds(uint64_t ns)
{
	return (uint32_t)((ns + 999) / 1000);
}

int sfr__uring_open(struct sfr__engine **out, const struct sfr__settings *settings,
		    char described[SFR__REASON_SIZE], struct sfr__refusal *refusal)
{
	struct uring *uring = calloc(1, sizeof(*uring));
	int r;

	*refusal = (struct sfr__refusal){0};
	if (!uring)
		return -ENOMEM;
	r = uring_open(uring, settings, described, refusal);
	if (r < 0) {
		free(uring);
		return r;
	}
	uring->engine.calls = &uring_calls;
	uring->engine.system = &sfr__plain_system;
	uring->event_fd = uring->engine.own[1] = -1;
	uring->engine.own[0] = uring->ring.fd;
	uring->engine.locks = uring->engine.splice_locks = true;
	uring->engine.position_lags = true;
	uring->enter_flags = IORING_ENTER_GETEVENTS;
	if (sfr__has(uring->engine.features, SFR__FEATURE_NO_IOWAIT))
		uring->enter_flags |= IORING_ENTER_NO_IOWAIT;
	if (sfr__has(uring->engine.features, SFR__FEATURE_MIN_WAIT))
		uring->min_wait_us = microseconds(settings->ring.min_wait_ns);
	if (sfr__has(uring->engine.features, SFR__FEATURE_NAPI))
		uring->napi_us = microseconds(settings->ring.napi_ns);
	queue_attach(&uring->engine.queue, &uring->ring);
	*out = &uring->engine;
	return 0;
}

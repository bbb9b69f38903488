/*
 * The kernel's io_uring.
 *
 * The ring is made disabled, so that the thread that makes a loop need not be the one that runs it, and
 * belongs to the thread that binds it. Entries sit in the submission ring in order: the index array is
 * filled once, and submitting is one store and one system call. Every enter asks for events: with
 * DEFER_TASKRUN nothing completes otherwise, and overflown completions come in as well.
 */
#include "engine.h"
#include "kernel.h"
#include "../clock.h"
#include "../config.h"
#include "../log.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct uring {
	struct sfr__engine engine;
	struct io_uring ring;
	unsigned enter_flags; /* in every enter */
	bool sqpoll;
};

static struct uring *uring_of(const struct sfr__engine *engine)
{
	return (struct uring *)(uintptr_t)engine;
}

/*
 * Setup: ask for the best flags, take what the kernel grants.
 */

struct flag_set {
	unsigned flags;
	const char *name;
};

/* From best to plainest; each kernel refuses what it does not know with EINVAL and no hint. */
static const struct flag_set flag_sets[] = {
	{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
	 "single issuer, deferred task work"},
	{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
	 "single issuer, cooperative task work"},
	{IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL, "cooperative task work"},
	{IORING_SETUP_SUBMIT_ALL, "plain"},
	{0, "plain, stops at errors"},
};

/* What the configuration turned off, and what cannot go with kernel polling. */
static unsigned flags_excluded(const struct sfr__settings *settings)
{
	unsigned excluded = 0;

	if (!settings->ring.single_issuer)
		excluded |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	if (!settings->ring.defer_taskrun)
		excluded |= IORING_SETUP_DEFER_TASKRUN;
	if (settings->ring.sqpoll)
		excluded |= IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN;
	return excluded;
}

static int ring_init(struct io_uring *ring, const struct sfr__settings *settings, unsigned flags,
		     unsigned entries)
{
	struct io_uring_params params = {0};
	unsigned cq_entries = settings->ring.cq_entries;

	params.flags = flags | IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
	params.cq_entries = cq_entries ? cq_entries : 4 * entries;
	if (settings->ring.sqpoll) {
		params.flags |= IORING_SETUP_SQPOLL;
		params.sq_thread_idle = (unsigned)(settings->ring.sqpoll_idle_ns / 1000000);
	} else if (settings->ring.spin_ns &&
		   (flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN))) {
		params.flags |= IORING_SETUP_TASKRUN_FLAG; /* spinning looks at this flag */
	}
	return io_uring_queue_init_params(entries, ring, &params);
}

/* The first flag set that works, with half the entries as long as memory is short. */
static int ring_open(struct io_uring *ring, const struct sfr__settings *settings,
		     const char **name_out, unsigned *entries_out)
{
	enum sfr_log_level limit = (enum sfr_log_level)settings->log.level;
	unsigned entries = settings->ring.entries, excluded = flags_excluded(settings);
	size_t i = 0;
	int r = -EINVAL;

	while (i < sizeof(flag_sets) / sizeof(flag_sets[0])) {
		if (flag_sets[i].flags & excluded) {
			i++;
			continue;
		}
		*name_out = flag_sets[i].name;
		*entries_out = entries;
		r = ring_init(ring, settings, flag_sets[i].flags, entries);
		if (r == -ENOMEM && entries > 8) {
			entries /= 2;
			sfr__log(
				limit, SFR_LOG_WARN,
				"ring: not enough memory for %u entries, trying %u (RLIMIT_MEMLOCK?)",
				entries * 2, entries);
			continue;
		}
		if (r != -EINVAL)
			break;
		i++;
	}
	return r;
}

static void refusal_log(enum sfr_log_level limit, int r)
{
	const char *fix = "";

	if (r == -EPERM || r == -EACCES)
		fix = ": a seccomp filter (containers) or the sysctl kernel.io_uring_disabled forbids it";
	else if (r == -ENOSYS)
		fix = ": this kernel has no io_uring, or a sandbox hides it";
	else if (r == -EINVAL)
		fix = ": this kernel knows none of the setups this library can use (Linux 5.11 or newer)";
	else if (r == -ENOMEM)
		fix = ": raise RLIMIT_MEMLOCK or lower ring.entries";
	else if (r == -EMFILE)
		fix = ": raise RLIMIT_NOFILE";
	sfr__log(limit, SFR_LOG_ERROR, "engine uring does not work here: %s (%s)%s",
		 sfr_strerror(r), sfr_errname(r), fix);
}

static void queue_attach(struct sfr__queue *queue, struct io_uring *ring)
{
	unsigned i;

	for (i = 0; i < ring->sq.ring_entries; i++)
		ring->sq.array[i] = i;
	*queue = (struct sfr__queue){
		.sqes = ring->sq.sqes,
		.sq_mask = ring->sq.ring_mask,
		.sq_entries = ring->sq.ring_entries,
		.cqes = ring->cq.cqes,
		.cq_mask = ring->cq.ring_mask,
		.cq_head = ring->cq.khead,
		.cq_tail = ring->cq.ktail,
	};
}

/*
 * The calls.
 */

static int uring_bind(struct sfr__engine *engine)
{
	int r = io_uring_register((unsigned)uring_of(engine)->ring.ring_fd,
				  IORING_REGISTER_ENABLE_RINGS, NULL, 0);

	return r < 0 ? r : 0;
}

/* Under kernel polling the entries are taken by a kernel thread, which may need to be woken. */
static unsigned sqpoll_flags(const struct uring *uring)
{
	if (!uring->sqpoll)
		return 0;
	io_uring_smp_mb(); /* the tail store must be seen before the flag is read */
	return IO_URING_READ_ONCE(*uring->ring.sq.kflags) & IORING_SQ_NEED_WAKEUP
		       ? IORING_ENTER_SQ_WAKEUP
		       : 0;
}

/* Which entries the kernel has taken. */
static void sq_sync(struct uring *uring)
{
	uring->engine.queue.sq_head = io_uring_smp_load_acquire(uring->ring.sq.khead);
}

/* One io_uring_enter: 0, or -errno of those that callers look at. */
static int enter_once(struct uring *uring, unsigned wait_for, const struct __kernel_timespec *ts)
{
	struct sfr__queue *queue = &uring->engine.queue;
	unsigned flags = uring->enter_flags | sqpoll_flags(uring);
	struct io_uring_getevents_arg arg = {.sigmask_sz = _NSIG / 8,
					     .ts = (uint64_t)(uintptr_t)ts};
	int r;

	uring->engine.enters++;
	r = io_uring_enter2((unsigned)uring->ring.ring_fd, sfr__queue_written(queue), wait_for,
			    flags | IORING_ENTER_EXT_ARG, (sigset_t *)&arg, sizeof(arg));
	sq_sync(uring);
	return r < 0 ? r : 0;
}

static int uring_enter(struct sfr__engine *engine, bool wait, int64_t timeout_ns)
{
	struct uring *uring = uring_of(engine);
	bool limited = wait && timeout_ns >= 0;
	uint64_t until = limited ? sfr__clock_ns() + (uint64_t)timeout_ns : 0;

	io_uring_smp_store_release(uring->ring.sq.ktail, engine->queue.sq_tail);
	if (IO_URING_READ_ONCE(*uring->ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW)
		engine->overflows++;
	for (;;) {
		struct __kernel_timespec ts = {.tv_sec = timeout_ns / 1000000000,
					       .tv_nsec = timeout_ns % 1000000000};
		int r = enter_once(uring, wait && !sfr__queue_ready(&engine->queue),
				   limited ? &ts : NULL);

		switch (r) {
		case -EINTR: /* a signal: sleep on, for what is left of the time */
			if (sfr__queue_ready(&engine->queue))
				return 0;
			if (!limited)
				continue;
			timeout_ns = (int64_t)(until - sfr__clock_ns());
			if (timeout_ns <= 0)
				return 0;
			continue;
		case -ETIME:
		case -EBUSY:  /* completions must be reaped before more is taken */
		case -EAGAIN: /* the kernel is short of memory: reap, and try again */
			return 0;
		default:
			return r;
		}
	}
}

static bool uring_pending(const struct sfr__engine *engine)
{
	return sfr__queue_ready(&engine->queue) ||
	       IO_URING_READ_ONCE(*uring_of(engine)->ring.sq.kflags) &
		       (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static int uring_buf_ring_add(struct sfr__engine *engine, void *ring, unsigned entries,
			      unsigned group)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uint64_t)(uintptr_t)ring,
		.ring_entries = entries,
		.bgid = (uint16_t)group,
	};

	return io_uring_register_buf_ring(&uring_of(engine)->ring, &reg, 0);
}

static void uring_close(struct sfr__engine *engine)
{
	struct uring *uring = uring_of(engine);

	io_uring_queue_exit(&uring->ring);
	free(uring);
}

static const struct sfr__engine_calls uring_calls = {
	.name = "uring",
	.bind = uring_bind,
	.enter = uring_enter,
	.pending = uring_pending,
	.buf_ring_add = uring_buf_ring_add,
	.close = uring_close,
};

int sfr__engine_open(struct sfr__engine **out, const struct sfr__settings *settings)
{
	enum sfr_log_level limit = (enum sfr_log_level)settings->log.level;
	struct uring *uring = calloc(1, sizeof(*uring));
	const char *name = NULL;
	unsigned entries = 0;
	int r;

	if (!uring)
		return -ENOMEM;
	r = ring_open(&uring->ring, settings, &name, &entries);
	if (r == 0 && !(uring->ring.features & IORING_FEAT_EXT_ARG)) {
		io_uring_queue_exit(&uring->ring);
		r = -EINVAL;
	}
	if (r < 0) {
		refusal_log(limit, r);
		free(uring);
		return r == -EINVAL ? -ENOSYS : r;
	}
	uring->engine.calls = &uring_calls;
	uring->sqpoll = settings->ring.sqpoll;
	uring->enter_flags = IORING_ENTER_GETEVENTS;
	if (uring->ring.features & IORING_FEAT_NO_IOWAIT)
		uring->enter_flags |= IORING_ENTER_NO_IOWAIT;
	queue_attach(&uring->engine.queue, &uring->ring);
	sfr__log(limit, SFR_LOG_INFO, "engine uring: %u entries, %s%s", entries, name,
		 uring->sqpoll ? ", kernel polling" : "");
	*out = &uring->engine;
	return 0;
}

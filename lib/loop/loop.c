/* SPDX-License-Identifier: MIT */
/*
 * The loop as an object: which descriptors it has for itself, which rules its callers broke, and what it
 * can be asked and told from outside. run/open.c makes and frees it.
 */
#include "loop/loop.h"
#include "base/log.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <string.h>

int sfr__loop_misuse(const sfr_loop *loop, int err, const char *what)
{
	return sfr__misuse(loop->settings.safety.abort, err, "%s", what);
}

enum { OWN_FDS = 6 };

static void own_fds(const sfr_loop *loop, int fds[OWN_FDS])
{
	fds[0] = loop->mailbox.fd;
	fds[1] = loop->engine->own[0];
	fds[2] = loop->engine->own[1];
	fds[3] = loop->face.fd;
	fds[4] = loop->face.nudge_fd;
	fds[5] = loop->face.timer_fd;
}

void sfr__loop_note_own(sfr_loop *loop)
{
	int fds[OWN_FDS], i;

	own_fds(loop, fds);
	loop->own_bits = sfr__positions_kept(&loop->positions);
	for (i = 0; i < OWN_FDS; i++)
		if (fds[i] >= 0)
			loop->own_bits |= UINT64_C(1) << (unsigned)fds[i] % 64;
}

bool sfr__loop_owns(const sfr_loop *loop, int fd)
{
	int fds[OWN_FDS], i;

	if (fd < 0 || !sfr__loop_may_own(loop, fd))
		return false;
	own_fds(loop, fds);
	for (i = 0; i < OWN_FDS; i++)
		if (fds[i] == fd)
			return true;
	return sfr__position_is_kept(&loop->positions, fd);
}

int sfr__loop_nested(const sfr_loop *loop, const void *frame, const char *what)
{
	if (sfr__likely(!loop->nesting.mark))
		return 0;
	if (!sfr__nesting_was_left(&loop->nesting, frame))
		return sfr__loop_misuse(loop, -SFR_ENESTED, what);
	return sfr__loop_misuse(
		loop, -ENOTRECOVERABLE,
		"a callback was left by longjmp or an exception: the loop cannot go "
		"on, and is not freed, as the kernel may still write to its buffers");
}

void sfr_loop_hold(sfr_loop *loop)
{
	if (sfr__loop_check(loop, "a loop was held") == 0)
		loop->holds++;
}

void sfr_loop_unhold(sfr_loop *loop)
{
	if (sfr__loop_check(loop, "a loop was let go") < 0)
		return;
	if (loop->holds)
		loop->holds--;
	else
		(void)sfr__loop_misuse(loop, -EINVAL, "a loop was let go that nobody held");
}

bool sfr_loop_is_draining(const sfr_loop *loop)
{
	return loop->draining;
}

void *sfr_loop_data(const sfr_loop *loop)
{
	return loop->data;
}

void sfr_loop_set_data(sfr_loop *loop, void *data)
{
	if (sfr__loop_check(loop, "a loop's data was set") == 0)
		loop->data = data;
}

size_t sfr_loop_inflight(const sfr_loop *loop)
{
	return loop->inflight;
}

size_t sfr_loop_orphans(const sfr_loop *loop)
{
	return loop->orphans;
}

uint64_t sfr_loop_now(const sfr_loop *loop)
{
	return loop->now;
}

const char *sfr_loop_engine(const sfr_loop *loop)
{
	return loop->engine->calls->name;
}

const char *sfr_loop_engine_reason(const sfr_loop *loop)
{
	return loop->engine_reason;
}

const char *sfr_loop_refusal(const sfr_loop *loop)
{
	return loop->refusal;
}

int sfr_loop_post(sfr_loop *loop, void (*fn)(sfr_loop *loop, void *arg), void *arg)
{
	if (sfr__pool_is_forked(loop->pool))
		return sfr__pool_foreign(loop->pool, "a function was posted");
	return sfr__mailbox_post(&loop->mailbox, fn, arg);
}

void sfr_loop_stop(sfr_loop *loop)
{
	if (sfr__pool_is_forked(loop->pool)) /* perhaps in a signal handler: not a word */
		return;
	atomic_store(&loop->mailbox.stop, true);
	sfr__mailbox_knock(&loop->mailbox);
}

void sfr_loop_stats_get(const sfr_loop *loop, sfr_loop_stats *out, size_t size)
{
	const struct sfr__pool *pool = loop->pool;
	sfr_loop_stats stats;

	memset(out, 0, size);
	if (sfr__loop_check(loop, "counters were read") < 0)
		return;
	sfr__pool_collect(loop->pool);
	stats = loop->stats;
	stats.enters = loop->engine->enters;
	stats.overflows = loop->engine->overflows;
	stats.syscalls = loop->engine->syscalls;
	stats.timers_moved = loop->wheel.moved;
	stats.bufs_total = pool->blocks;
	stats.bufs_free = sfr__pool_free_count(pool);
	stats.bufs_ring = sfr__recv_ring_idle(&loop->recv[SFR__RECV_COMMON]) +
			  sfr__recv_ring_idle(&loop->recv[SFR__RECV_STREAM]);
	stats.bufs_held = stats.bufs_total - stats.bufs_free - stats.bufs_ring;
	stats.budget = pool->budget;
	stats.bytes_made = pool->bytes_made;
	stats.bytes_heap = atomic_load(&pool->bytes_heap);
	stats.bytes_max = pool->bytes_max;
	stats.heap_allocs += loop->pool->heap_allocs;
	memcpy(out, &stats, size < sizeof(stats) ? size : sizeof(stats));
}

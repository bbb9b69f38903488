/* SPDX-License-Identifier: MIT */
/*
 * Fixed buffers: one table with the engine, whose first places are the slab in pieces of 1 GiB, and
 * whose others are what callers register.
 *
 * Without enough memory that may be locked there is a table without the slab, and without a table
 * reads and writes are plain: a program only notices by the time that they take.
 */
#include "loop/fixed_buf.h"
#include "base/log.h"
#include "loop/loop.h"
#include "machine/machine.h"
#include <safer_ring/error.h>
#include <safer_ring/registry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* One registered buffer may be as large as this, and blocks are aligned, so none is in two of them. */
#define PIECE_SHIFT 30
#define PIECES_MAX 1024
#define CALLERS_MAX 1024

/*
 * The table.
 */

static uint64_t slab_size(const sfr_loop *loop)
{
	return (uint64_t)loop->pool->slab.front << loop->pool->slab.shift;
}

/* Half of what may be locked: 0 has no limit. */
static bool may_be_locked(const sfr_loop *loop, uint64_t size)
{
	struct sfr__machine machine;

	if (!loop->engine->locks)
		return true;
	sfr__machine_look(&machine);
	return !machine.lockable || size <= machine.lockable / 2;
}

/* A table with the slab, or with empty places in its place. 0 or -errno. */
static int table_add(const sfr_loop *loop, unsigned pieces, bool with_slab)
{
	uint64_t left = with_slab ? slab_size(loop) : 0;
	struct iovec *places = calloc(pieces + CALLERS_MAX, sizeof(*places));
	unsigned i;
	int r;

	if (!places)
		return -ENOMEM;
	for (i = 0; left; i++) {
		uint64_t piece = UINT64_C(1) << PIECE_SHIFT;

		places[i].iov_base = loop->pool->slab.base + ((size_t)i << PIECE_SHIFT);
		places[i].iov_len = left < piece ? left : piece;
		left -= places[i].iov_len;
	}
	r = loop->engine->calls->buffers_add(loop->engine, places, pieces + CALLERS_MAX);
	free(places);
	return r;
}

static void slab_refused(const sfr_loop *loop, int r)
{
	sfr__log(loop->settings.log.level, SFR_LOG_INFO,
		 "features.fixed_buffers: off: the buffers cannot be locked in memory: %s "
		 "(twice buffers.size x buffers.count in RLIMIT_MEMLOCK would do)",
		 sfr_errname(r));
}

/* What there can be of a table. */
static enum sfr__fixed_state table_make(sfr_loop *loop)
{
	uint64_t size = slab_size(loop), pieces = (size + (1U << PIECE_SHIFT) - 1) >> PIECE_SHIFT;
	bool with_slab = pieces <= PIECES_MAX && may_be_locked(loop, size);
	int r = with_slab ? table_add(loop, (unsigned)pieces, true) : -ENOMEM;

	if (r == 0) {
		loop->fixed.pieces = (uint16_t)pieces;
		/* What is added later is plain memory. */
		loop->pool->slab.fixed = loop->pool->slab.front;
		return SFR__FIXED_ALL;
	}
	slab_refused(loop, r);
	return table_add(loop, 0, false) == 0 ? SFR__FIXED_CALLERS : SFR__FIXED_OFF;
}

static enum sfr__fixed_state table_state(sfr_loop *loop)
{
	if (sfr__unlikely(loop->fixed.state == SFR__FIXED_UNTRIED))
		loop->fixed.state = (uint8_t)(sfr__has(loop->engine->features,
						       SFR__FEATURE_FIXED_BUFFERS)
						      ? table_make(loop)
						      : SFR__FIXED_OFF);
	return (enum sfr__fixed_state)loop->fixed.state;
}

static unsigned place_of(const sfr_loop *loop, const struct sfr__payload *payload)
{
	return loop->fixed.pieces + payload->fixed - 1;
}

void sfr__fixed_apply(sfr_loop *loop, struct io_uring_sqe *sqe, const sfr_buf *buf)
{
	const struct sfr__buf *b = sfr__buf(buf);
	const unsigned char *at = sfr__buf_data(buf);
	unsigned place;

	if (b->pool != loop->pool)
		return;
	if (b->kind == SFR__BUF_SLAB) {
		if (table_state(loop) != SFR__FIXED_ALL ||
		    !sfr__slab_is_fixed(&loop->pool->slab, at))
			return;
		place = (unsigned)((size_t)(at - loop->pool->slab.base) >> PIECE_SHIFT);
	} else {
		if (!b->payload->fixed)
			return;
		place = place_of(loop, b->payload);
	}
	sqe->opcode = sqe->opcode == IORING_OP_READ ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
	sqe->buf_index = (uint16_t)place;
}

/*
 * Callers' buffers.
 */

/* 0, or what is wrong with one of those that are to be registered. */
static int buf_check(const sfr_loop *loop, const sfr_buf *buf)
{
	const struct sfr__buf *b = sfr__buf(buf);

	if (!buf || !sfr_buf_is_owned(buf))
		return -SFR_EINFLIGHT;
	return b->pool != loop->pool || b->kind == SFR__BUF_SLAB || b->payload->fixed ? -EINVAL : 0;
}

/* The next one. 0 or -errno. */
static int buf_add(sfr_loop *loop, sfr_buf *buf)
{
	const struct sfr__buf *b = sfr__buf(buf);
	struct iovec memory;
	int r = buf_check(loop, buf);

	if (r < 0)
		return r;
	memory = (struct iovec){b->base, b->size};
	r = loop->engine->calls->buffers_update(loop->engine,
						loop->fixed.pieces + loop->fixed.count, &memory);
	if (r < 0)
		return r;
	loop->fixed.list[loop->fixed.count++] = (struct sfr__fixed_buf){buf, b->payload};
	atomic_fetch_add(&b->payload->refs, 1);
	b->payload->fixed = loop->fixed.count;
	return 0;
}

/* The table lets go of all of them. What fails then only keeps a place until another buffer takes it. */
static void bufs_remove(sfr_loop *loop)
{
	const struct iovec none = {0};
	unsigned i;

	for (i = 0; i < loop->fixed.count; i++) {
		struct sfr__payload *payload = loop->fixed.list[i].payload;

		if (loop->engine)
			(void)loop->engine->calls->buffers_update(loop->engine,
								  place_of(loop, payload), &none);
		payload->fixed = 0;
		sfr__pool_payload_give(loop->pool, payload);
	}
	free(loop->fixed.list);
	loop->fixed.list = NULL;
	loop->fixed.count = 0;
}

static void bufs_refused(const sfr_loop *loop, sfr_buf *const *bufs, unsigned n)
{
	uint64_t size = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		size += bufs[i] ? sfr__buf(bufs[i])->size : 0;
	sfr__log(loop->settings.log.level, SFR_LOG_WARN,
		 "sfr_buffers_register: %" PRIu64 " bytes cannot be locked in memory (raise "
		 "RLIMIT_MEMLOCK by as much)",
		 size);
}

int sfr_buffers_register(sfr_loop *loop, sfr_buf **bufs, unsigned n)
{
	int r = sfr__loop_check(loop, "buffers were registered");
	unsigned i;

	if (r < 0)
		return r;
	if (!bufs || n == 0 || n > CALLERS_MAX)
		return -EINVAL;
	if (loop->fixed.list)
		return -EBUSY;
	if (table_state(loop) == SFR__FIXED_OFF)
		return -SFR_EUNSUPPORTED;
	loop->fixed.list = calloc(n, sizeof(*loop->fixed.list));
	if (!loop->fixed.list)
		return -ENOMEM;
	for (i = 0; r == 0 && i < n; i++)
		r = buf_add(loop, bufs[i]);
	if (r == -ENOMEM)
		bufs_refused(loop, bufs, n);
	if (r < 0)
		bufs_remove(loop);
	return r;
}

static bool one_is_given(const sfr_loop *loop)
{
	size_t i;

	for (i = 0; i < loop->pool->made; i++) {
		const struct sfr__buf *b = sfr__array_at(&loop->pool->descriptors, i);

		if (sfr__buf_state_of(b) == SFR__BUF_GIVEN && b->kind != SFR__BUF_SLAB &&
		    b->payload && b->payload->fixed)
			return true;
	}
	return false;
}

/* A descriptor that was released may be another buffer's by now. */
static bool is_held(const struct sfr__fixed_buf *fixed)
{
	return sfr_buf_is_owned(fixed->buf) && sfr__buf(fixed->buf)->payload == fixed->payload;
}

int sfr_buffers_unregister(sfr_loop *loop, sfr_buf **out)
{
	int r = sfr__loop_check(loop, "buffers were unregistered");
	unsigned i;

	if (r < 0)
		return r;
	if (!loop->fixed.list)
		return -SFR_ENOTREGISTERED;
	sfr__pool_collect(loop->pool);
	if (one_is_given(loop))
		return -SFR_EOPSINFLIGHT;
	for (i = 0; out && i < loop->fixed.count; i++)
		out[i] = is_held(&loop->fixed.list[i]) ? loop->fixed.list[i].buf : NULL;
	bufs_remove(loop);
	return 0;
}

void sfr__fixed_bufs_fini(sfr_loop *loop)
{
	bufs_remove(loop);
}

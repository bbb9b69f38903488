#include "fixed.h"
#include "log.h"
#include "machine.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <inttypes.h>

/* One registered buffer may be as large as this, and blocks are aligned, so none is in two of them. */
#define PIECE_SHIFT 30
#define PIECES_MAX 1024

/* 0 or -errno. */
static int slab_register(sfr_loop *loop)
{
	const struct sfr__slab *slab = &loop->pool->slab;
	uint64_t size = (uint64_t)slab->count << slab->shift, at;
	struct iovec pieces[PIECES_MAX];
	struct sfr__machine machine;
	unsigned count = 0;

	sfr__machine_look(&machine);
	if (machine.lockable && size > machine.lockable / 2)
		return -ENOMEM;
	for (at = 0; at < size; at += UINT64_C(1) << PIECE_SHIFT) {
		uint64_t left = size - at, piece = UINT64_C(1) << PIECE_SHIFT;

		if (count == PIECES_MAX)
			return -E2BIG;
		pieces[count++] = (struct iovec){slab->base + at, left < piece ? left : piece};
	}
	return loop->engine->calls->buffers_add(loop->engine, pieces, count);
}

static bool is_registered(sfr_loop *loop)
{
	int r;

	if (loop->fixed != SFR__FIXED_UNTRIED)
		return loop->fixed == SFR__FIXED_ON;
	loop->fixed = SFR__FIXED_OFF;
	if (!sfr__has(loop->engine->features, SFR__FEATURE_FIXED_BUFFERS))
		return false;
	r = slab_register(loop);
	if (r == 0)
		loop->fixed = SFR__FIXED_ON;
	else
		sfr__log((enum sfr_log_level)loop->settings.log.level, SFR_LOG_INFO,
			 "features.fixed_buffers: off: the buffers cannot be locked in memory: %s "
			 "(twice buffers.size x buffers.count in RLIMIT_MEMLOCK would do)",
			 sfr_errname(r));
	return r == 0;
}

void sfr__fixed_apply(sfr_loop *loop, struct io_uring_sqe *sqe, const sfr_buf *buf)
{
	if (sfr__buf(buf)->kind != SFR__BUF_SLAB || sfr__buf(buf)->pool != loop->pool ||
	    !is_registered(loop))
		return;
	sqe->opcode = sqe->opcode == IORING_OP_READ ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
	sqe->buf_index = (uint16_t)((size_t)(sfr__buf_data(buf) - loop->pool->slab.base) >>
				    PIECE_SHIFT);
}

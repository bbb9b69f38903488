/* SPDX-License-Identifier: MIT */
/*
 * Arrival: what is copied when it is delivered, and into what.
 */
#include "op/arrival.h"
#include <string.h>

/* The block that a buffer is a window on. */
static uint32_t block_of(const struct sfr__buf *b)
{
	return sfr__arena_owner(&b->pool->arena, b->base)->block_size;
}

sfr_buf *sfr__arrival_fit(sfr_loop *loop, sfr_buf *buf)
{
	const struct sfr__buf *b = sfr__buf(buf);
	struct sfr__pool *pool = loop->pool;
	/* A datagram has who sent it in front of its data. */
	uint32_t before = (uint32_t)(buf->data - b->base), size = before + buf->len;
	uint32_t block = sfr__buf_memory(b), most = pool->small_max;
	sfr_buf *copy;

	if (sfr__unlikely(loop->pressure.on)) {
		block = block_of(b); /* which it may be the last to keep */
		most = block / 8 > most ? block / 8 : most;
	}
	copy = size <= most ? sfr__pool_get_below(pool, size, block) : NULL;
	if (!copy)
		return buf;
	memcpy(copy->data, b->base, size);
	copy->data += before;
	copy->len = buf->len;
	sfr__buf(copy)->datagram = b->datagram;
	loop->stats.copied += size;
	sfr__buf_drop(buf);
	return copy;
}

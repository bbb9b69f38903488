/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of a pool: made when they are needed, within what was reserved, and never given back to the system.
 */
#include "buffer/descriptor.h"

int sfr__descriptors_reserve(struct sfr__pool *pool, size_t bufs)
{
	int r = sfr__array_grow(&pool->descriptors, bufs);

	if (r == 0)
		r = sfr__array_grow(&pool->notes, bufs);
	return r == 0 && pool->reserve ? pool->reserve(pool->above, bufs) : r;
}

struct sfr__buf *sfr__descriptor_new(struct sfr__pool *pool)
{
	size_t index = atomic_fetch_add_explicit(&pool->made, 1, memory_order_relaxed);
	struct sfr__buf *b;

	sfr__invariant(index < pool->descriptors.ready);
	b = sfr__array_at(&pool->descriptors, index);
	b->pool = pool;
	return b;
}

size_t sfr__descriptors_needed(const struct sfr__pool *pool)
{
	size_t parts = (size_t)pool->stream.count * sfr__parts_of_block(pool);

	return pool->blocks - pool->stream.count + (pool->parts > parts ? pool->parts : parts) +
	       pool->extras;
}

struct sfr__buf *sfr__descriptor_take_extra(struct sfr__pool *pool, size_t *count)
{
	sfr__pool_collect(pool); /* what others released must not make this one fail */
	++*count;
	if (sfr__descriptors_reserve(pool, sfr__descriptors_needed(pool)) < 0) {
		--*count;
		return NULL;
	}
	return sfr__descriptor_take(pool);
}

/* SPDX-License-Identifier: MIT */
/*
 * Pool: descriptors and blocks handed out, and counted against the budget.
 *
 * Whatever a buffer needs later (its descriptor, the cell of its op) is set aside before the buffer is
 * handed out, so giving one cannot fail for want of memory.
 */
#include "buffer/pool.h"
#include "base/log.h"
#include "buffer/descriptor.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#define CAP_MAX ((size_t)1 << 30)
#define RARE __attribute__((noinline)) /* or the usual way would save registers for it */
#define PAGE ((size_t)4096) /* what large buffers are aligned to, whatever the page is here */

/* A slab grows by a quarter, and at least by so many blocks and bytes, as far as the budget goes. */
#define GROWTH_BLOCKS 4U
#define GROWTH_BYTES 65536U

int sfr__pool_foreign(const struct sfr__pool *pool, const char *what)
{
	return sfr__misuse_strange(pool->abort, sfr__pool_is_forked(pool), what);
}

void sfr__pool_free(struct sfr__pool *pool)
{
	sfr__slab_fini(&pool->slab);
	sfr__slab_fini(&pool->small);
	sfr__slab_fini(&pool->large);
	sfr__slab_fini(&pool->stream);
	sfr__arena_fini(&pool->arena);
	sfr__array_fini(&pool->descriptors);
	sfr__array_fini(&pool->notes);
	free(pool);
}

struct sfr__pool *sfr__pool_new(const struct sfr__pool_spec *spec)
{
	struct sfr__pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	if (sfr__pool_lay_out(pool, spec) < 0) {
		sfr__pool_free(pool);
		return NULL;
	}
	pool->small_max = pool->small.block_size;
	pool->budget = spec->budget;
	pool->blocks = spec->count;
	pool->bytes_made = pool->bytes_max = (uint64_t)spec->size * spec->count;
	sfr__process_watch();
	pool->process = sfr__process_generation;
	atomic_init(&pool->thread, sfr__pool_maker());
	return pool;
}

void sfr__pool_take_over(struct sfr__pool *pool)
{
	atomic_store(&pool->thread, sfr__thread_self());
}

int sfr__pool_bind(struct sfr__pool *pool, void *above, int (*reserve)(void *above, size_t bufs),
		   void (*wake)(void *above))
{
	pool->above = above;
	pool->reserve = reserve;
	pool->wake = wake;
	return sfr__descriptors_reserve(pool, pool->blocks);
}

sfr_buf *sfr__pool_window(struct sfr__pool *pool, unsigned char *base, uint32_t size, uint32_t len)
{
	sfr_buf *buf = sfr__descriptor_fill(sfr__descriptor_take(pool), SFR__BUF_SLAB, base, size);

	buf->len = len;
	return buf;
}

/*
 * The budget.
 */

static void bytes_max_note(struct sfr__pool *pool)
{
	uint64_t taken = sfr__pool_taken(pool);

	if (taken > pool->bytes_max)
		pool->bytes_max = taken;
}

/* By how many blocks a slab may grow, and should. */
static uint32_t growth_of(const struct sfr__pool *pool, const struct sfr__slab *slab)
{
	uint64_t room = sfr__pool_room(pool), step = GROWTH_BYTES >> slab->shift;

	if (slab == &pool->stream) /* nothing else could be made of large blocks */
		room = room > pool->budget / 4 ? room - pool->budget / 4 : 0;
	room >>= slab->shift;
	if (step < GROWTH_BLOCKS)
		step = slab == &pool->stream ? 1 : GROWTH_BLOCKS;
	if (step < slab->count / 4)
		step = slab->count / 4;
	if (step > room)
		step = room;
	if (step > slab->count_max - slab->count)
		step = slab->count_max - slab->count;
	return (uint32_t)(step < SFR__BLOCKS_MAX - pool->blocks ? step
								: SFR__BLOCKS_MAX - pool->blocks);
}

/* Whoever holds a block can describe it and build an op with it: room for that comes first. */
static int slab_extend(struct sfr__pool *pool, struct sfr__slab *slab)
{
	uint32_t more = growth_of(pool, slab);
	int r;

	if (!more)
		return -SFR_EPOOLEMPTY;
	r = sfr__descriptors_reserve(
		pool,
		sfr__descriptors_needed(pool) +
			(size_t)more * (slab == &pool->stream ? sfr__parts_of_block(pool) : 1));
	if (r == 0)
		r = sfr__slab_grow(slab, more);
	if (r < 0)
		return r;
	pool->blocks += more;
	pool->bytes_made += (uint64_t)more << slab->shift;
	bytes_max_note(pool);
	return 0;
}

int sfr__pool_refill(struct sfr__pool *pool, struct sfr__slab *slab)
{
	sfr__pool_collect(pool);
	return slab->free_count ? 0 : slab_extend(pool, slab);
}

/*
 * Blocks for streams.
 */

/* Below this, blocks of the main slab do as well. */
#define STREAM_MIN 4U

int sfr__pool_stream_open(struct sfr__pool *pool, unsigned count)
{
	const uint64_t room = sfr__pool_room(pool);
	uint32_t size = pool->stream_max;

	while ((uint64_t)count * size > room / 4)
		size /= 2;
	if (size < STREAM_MIN * pool->slab.block_size)
		return -SFR_EPOOLEMPTY;
	return sfr__slab_init(&pool->stream, &pool->arena, size, (uint32_t)(room / size));
}

sfr_buf *sfr__pool_part(struct sfr__pool *pool, unsigned char *base, uint32_t size)
{
	struct sfr__buf *b;

	if (sfr__likely(pool->parts < (size_t)pool->stream.count * sfr__parts_of_block(pool))) {
		pool->parts++;
		b = sfr__descriptor_take(pool);
	} else {
		b = sfr__descriptor_take_extra(pool, &pool->parts);
		if (!b)
			return NULL;
	}
	sfr__slab_share(&pool->stream, base);
	sfr__descriptor_fill(b, SFR__BUF_SLAB, base, size);
	b->view.len = size;
	pool->parts_memory += sfr__buf_memory(b);
	return &b->view;
}

/*
 * Getting.
 */

/* How a payload and so many bytes of memory behind it are laid out: from a page on, on pages. */
static size_t payload_align(size_t behind)
{
	return behind < PAGE ? alignof(struct sfr__payload) : PAGE;
}

/* A payload, with room for so many bytes behind it, and its descriptor. NULL and errno. */
static sfr_buf *payload_new(struct sfr__pool *pool, enum sfr__buf_kind kind, size_t behind,
			    size_t cap)
{
	const size_t align = payload_align(behind);
	unsigned char *block = aligned_alloc(align, (align + behind + align - 1) & ~(align - 1));
	struct sfr__buf *b = block ? sfr__descriptor_take_extra(pool, &pool->extras) : NULL;
	struct sfr__payload *payload;

	if (!b) {
		free(block);
		errno = ENOMEM;
		return NULL;
	}
	payload = (struct sfr__payload *)(void *)(block + align) - 1;
	*payload = (struct sfr__payload){
		.refs = 1, .size = behind, .block = block, .mem = payload + 1};
	atomic_fetch_add_explicit(&pool->bytes_heap, behind, memory_order_relaxed);
	bytes_max_note(pool);
	pool->heap_allocs++;
	b->payload = payload;
	return sfr__descriptor_fill(b, kind, payload->mem, cap);
}

static sfr_buf *get_from_heap(struct sfr__pool *pool, size_t cap)
{
	if (cap > CAP_MAX) {
		errno = EMSGSIZE;
		return NULL;
	}
	sfr__pool_collect(pool); /* what others released must not make this one fail */
	if (pool->budget && cap > sfr__pool_room(pool)) {
		errno = SFR_EPOOLEMPTY;
		return NULL;
	}
	return payload_new(pool, SFR__BUF_HEAP, cap, cap);
}

/* Of the smallest size that fits; where that has none, of the next one; what fits in none is the heap's. */
static RARE sfr_buf *get_by_size(struct sfr__pool *pool, size_t min_cap)
{
	struct sfr__slab *const slabs[] = {&pool->small, &pool->slab, &pool->large};
	int refused = 0;
	size_t i;

	for (i = min_cap ? 0 : 1; i < 3; i++) {
		int r;

		if (!slabs[i]->block_size || slabs[i]->block_size < min_cap)
			continue;
		r = slabs[i]->free_count ? 0 : sfr__pool_refill(pool, slabs[i]);
		if (r == 0)
			return sfr__pool_window(pool, sfr__slab_take(slabs[i]),
						slabs[i]->block_size, 0);
		if (refused != -ENOMEM)
			refused = r;
	}
	if (refused == 0)
		return get_from_heap(pool, min_cap);
	errno = -refused;
	return NULL;
}

sfr_buf *sfr__pool_get(struct sfr__pool *pool, size_t min_cap)
{
	const uint32_t size = pool->slab.block_size;

	if (sfr__likely(pool->slab.free_count && pool->free && min_cap <= size &&
			(min_cap > pool->small_max || !min_cap)))
		return sfr__pool_window(pool, sfr__slab_take(&pool->slab), size, 0);
	return get_by_size(pool, min_cap);
}

sfr_buf *sfr__pool_get_below(struct sfr__pool *pool, uint32_t size, uint32_t below)
{
	struct sfr__slab *const slabs[] = {&pool->small, &pool->slab, &pool->large};
	size_t i;

	for (i = 0; i < 3; i++) {
		struct sfr__slab *slab = slabs[i];

		if (slab->block_size < size || slab->block_size >= below)
			continue;
		if (sfr__likely(slab->free_count) || sfr__pool_refill(pool, slab) == 0)
			return sfr__pool_window(pool, sfr__slab_take(slab), slab->block_size, 0);
	}
	return NULL;
}

sfr_buf *sfr__pool_wrap(struct sfr__pool *pool, void *mem, size_t cap,
			void (*on_release)(void *mem, void *arg), void *arg)
{
	struct sfr__buf *b;
	sfr_buf *buf;

	if (!mem || cap == 0 || cap > CAP_MAX) {
		errno = EINVAL;
		return NULL;
	}
	buf = payload_new(pool, SFR__BUF_WRAP, 0, cap);
	if (!buf)
		return NULL;
	b = sfr__buf(buf);
	b->payload->mem = b->base = buf->data = mem;
	b->payload->on_release = on_release;
	b->payload->arg = arg;
	return buf;
}

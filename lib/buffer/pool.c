/* SPDX-License-Identifier: MIT */
/*
 * Pool: descriptors and blocks handed out, counted against the budget, and taken back.
 *
 * Whatever a buffer needs later (its descriptor, the cell of its op) is set aside before the buffer is
 * handed out, so giving one cannot fail for want of memory.
 */
#include "buffer/pool.h"
#include "base/log.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MAX ((size_t)1 << 30)
#define POISON 0xDF
#define RARE __attribute__((noinline)) /* or the usual way would save registers for it */
#define PAGE ((size_t)4096) /* what large buffers are aligned to, whatever the page is here */

/* Stands in `returned` once the loop is gone. */
static sfr_buf closed;
#define CLOSED (&closed)

/* A slab grows by a quarter, and at least by so many blocks and bytes, as far as the budget goes. */
#define GROWTH_BLOCKS 4U
#define GROWTH_BYTES 65536U

/* Who made the pool, until somebody runs it: no thread's own number. */
static uintptr_t maker_self(void)
{
	return sfr__thread_self() | 1;
}

int sfr__pool_foreign(const struct sfr__pool *pool, const char *what)
{
	bool forked = sfr__pool_is_forked(pool);

	return sfr__misuse(pool->abort, forked ? -SFR_EFORKED : -SFR_ETHREAD, "%s %s", what,
			   forked ? "in a forked child" : "by a thread that is not the loop's");
}

static void pool_free(struct sfr__pool *pool)
{
	sfr__slab_fini(&pool->slab);
	sfr__slab_fini(&pool->small);
	sfr__slab_fini(&pool->large);
	sfr__slab_fini(&pool->stream);
	sfr__arena_fini(&pool->arena);
	sfr__array_fini(&pool->descriptors);
	free(pool);
}

struct sfr__pool *sfr__pool_new(const struct sfr__pool_spec *spec)
{
	struct sfr__pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	if (sfr__pool_lay_out(pool, spec) < 0) {
		pool_free(pool);
		return NULL;
	}
	pool->small_max = pool->small.block_size;
	pool->budget = spec->budget;
	pool->blocks = spec->count;
	pool->bytes_made = pool->bytes_max = (uint64_t)spec->size * spec->count;
	sfr__process_watch();
	pool->process = sfr__process_generation;
	atomic_init(&pool->thread, maker_self());
	return pool;
}

void sfr__pool_take_over(struct sfr__pool *pool)
{
	atomic_store(&pool->thread, sfr__thread_self());
}

void sfr__pool_close(struct sfr__pool *pool)
{
	sfr_buf *late;

	/* While `left` is still one too high nobody else can free the pool. */
	sfr__pool_collect(pool);
	atomic_store(&pool->left, pool->out + 1);
	atomic_store(&pool->thread, SFR__THREAD_NONE);
	for (late = atomic_exchange(&pool->returned, CLOSED); late;) {
		sfr_buf *next = late->next;

		sfr__pool_give(sfr__buf(late));
		late = next;
	}
	while (atomic_load(&pool->visitors))
		sfr__relax();
	if (atomic_fetch_sub(&pool->left, 1) == 1)
		pool_free(pool);
}

/* Descriptors for this many buffers, and a cell for an op with each. 0 or -ENOMEM. */
static int descriptors_reserve(struct sfr__pool *pool, size_t bufs)
{
	int r = sfr__array_grow(&pool->descriptors, bufs);

	return r == 0 && pool->reserve ? pool->reserve(pool->above, bufs) : r;
}

int sfr__pool_bind(struct sfr__pool *pool, void *above, int (*reserve)(void *above, size_t bufs),
		   void (*wake)(void *above))
{
	pool->above = above;
	pool->reserve = reserve;
	pool->wake = wake;
	return descriptors_reserve(pool, pool->blocks);
}

/* One that was never used. */
static RARE struct sfr__buf *descriptor_new(struct sfr__pool *pool)
{
	size_t index = atomic_fetch_add_explicit(&pool->made, 1, memory_order_relaxed);
	struct sfr__buf *b;

	sfr__invariant(index < pool->descriptors.ready);
	b = sfr__array_at(&pool->descriptors, index);
	b->pool = pool;
	return b;
}

static struct sfr__buf *descriptor_take(struct sfr__pool *pool)
{
	struct sfr__buf *b = pool->free;

	if (sfr__likely(b != NULL))
		pool->free = sfr__buf(b->view.next);
	else
		b = descriptor_new(pool);
	pool->out++;
	return b;
}

/* Windows that are set aside for a block for streams. */
static uint32_t parts_of_block(const struct sfr__pool *pool)
{
	return pool->stream_parts ? pool->stream.block_size / pool->part_min : 1;
}

/* How many descriptors there must be: for each block, for the parts of blocks, and for all else. */
static size_t descriptors_needed(const struct sfr__pool *pool)
{
	size_t parts = (size_t)pool->stream.count * parts_of_block(pool);

	return pool->blocks - pool->stream.count + (pool->parts > parts ? pool->parts : parts) +
	       pool->extras;
}

/* A descriptor for what has none set aside, which is counted there. NULL without memory. */
static struct sfr__buf *descriptor_take_extra(struct sfr__pool *pool, size_t *count)
{
	sfr__pool_collect(pool); /* what others released must not make this one fail */
	++*count;
	if (descriptors_reserve(pool, descriptors_needed(pool)) < 0) {
		--*count;
		return NULL;
	}
	return descriptor_take(pool);
}

static sfr_buf *descriptor_fill(struct sfr__buf *b, enum sfr__buf_kind kind, void *base,
				size_t size)
{
	b->view = (sfr_buf){.data = base, .cap = (uint32_t)size};
	b->base = base;
	b->size = (uint32_t)size;
	b->kind = (uint8_t)kind;
	b->was_shared = SFR__UNSHARED;
	b->datagram = 0;
	sfr__buf_set_state(b, SFR__BUF_OWNED);
	return &b->view;
}

sfr_buf *sfr__pool_window(struct sfr__pool *pool, unsigned char *base, uint32_t size, uint32_t len)
{
	sfr_buf *buf = descriptor_fill(descriptor_take(pool), SFR__BUF_SLAB, base, size);

	buf->len = len;
	return buf;
}

/*
 * The budget.
 */

static uint64_t bytes_taken(const struct sfr__pool *pool)
{
	return pool->bytes_made + atomic_load_explicit(&pool->bytes_heap, memory_order_relaxed);
}

/* Bytes that may be taken still. */
static uint64_t budget_room(const struct sfr__pool *pool)
{
	uint64_t taken = bytes_taken(pool);

	return taken < pool->budget ? pool->budget - taken : 0;
}

static void bytes_max_note(struct sfr__pool *pool)
{
	uint64_t taken = bytes_taken(pool);

	if (taken > pool->bytes_max)
		pool->bytes_max = taken;
}

/* By how many blocks a slab may grow, and should. */
static uint32_t growth_of(const struct sfr__pool *pool, const struct sfr__slab *slab)
{
	uint64_t room = budget_room(pool) >> slab->shift, step = GROWTH_BYTES >> slab->shift;

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
	r = descriptors_reserve(
		pool, descriptors_needed(pool) +
			      (size_t)more * (slab == &pool->stream ? parts_of_block(pool) : 1));
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

int sfr__pool_stream_open(struct sfr__pool *pool, uint32_t block_max, uint64_t total, bool parts)
{
	const uint64_t room = budget_room(pool);
	uint32_t size = block_max < pool->stream_max ? block_max : pool->stream_max;

	while (size && total / block_max * size > room / 4)
		size /= 2;
	if (size < STREAM_MIN * pool->slab.block_size)
		return -SFR_EPOOLEMPTY;
	pool->stream_parts = parts;
	return sfr__slab_init(&pool->stream, &pool->arena, size, (uint32_t)(room / size));
}

sfr_buf *sfr__pool_part(struct sfr__pool *pool, unsigned char *base, uint32_t size)
{
	struct sfr__buf *b;

	if (sfr__likely(pool->parts < (size_t)pool->stream.count * parts_of_block(pool))) {
		pool->parts++;
		b = descriptor_take(pool);
	} else {
		b = descriptor_take_extra(pool, &pool->parts);
		if (!b)
			return NULL;
	}
	sfr__slab_share(&pool->stream, base);
	descriptor_fill(b, SFR__BUF_SLAB, base, size);
	b->view.len = size;
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
	struct sfr__buf *b = block ? descriptor_take_extra(pool, &pool->extras) : NULL;
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
	return descriptor_fill(b, kind, payload->mem, cap);
}

sfr_buf *sfr__pool_get_heap(struct sfr__pool *pool, size_t cap)
{
	if (cap > CAP_MAX) {
		errno = EMSGSIZE;
		return NULL;
	}
	return payload_new(pool, SFR__BUF_HEAP, cap, cap);
}

/* The same within the budget. */
static sfr_buf *get_heap_within(struct sfr__pool *pool, size_t cap)
{
	sfr__pool_collect(pool); /* what others released must not make this one fail */
	if (pool->budget && cap <= CAP_MAX && cap > budget_room(pool)) {
		errno = SFR_EPOOLEMPTY;
		return NULL;
	}
	return sfr__pool_get_heap(pool, cap);
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
		return get_heap_within(pool, min_cap);
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

/*
 * Sharing.
 */

/* The slab that a block is of. */
static inline struct sfr__slab *slab_of(struct sfr__pool *pool, const unsigned char *at)
{
	return sfr__arena_owner(&pool->arena, at);
}

/* Where a descriptor is counted whose window is not the last on a block. A share of a part is an extra one: it must
 * not take what is set aside for parts. */
static inline size_t *count_of(const struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;

	return slab_of(pool, b->base) == &pool->stream && b->was_shared != SFR__SHARE
		       ? &pool->parts
		       : &pool->extras;
}

static void lock_alone(const struct sfr__pool *pool)
{
	if (sfr__pool_is_alone(pool))
		(void)pthread_mutex_lock(pool->lock);
}

static void unlock_alone(const struct sfr__pool *pool)
{
	if (sfr__pool_is_alone(pool))
		(void)pthread_mutex_unlock(pool->lock);
}

/* The descriptor that counts who sees the window of one that was shared. */
static inline struct sfr__buf *origin_of(struct sfr__buf *b)
{
	return b->was_shared == SFR__SHARE ? b->origin : b;
}

bool sfr__pool_looks_shared(struct sfr__buf *b)
{
	if (b->kind == SFR__BUF_SLAB)
		return origin_of(b)->shares > 1;
	return b->payload && /* on_release looks: it was the last */
	       atomic_load(&b->payload->refs) > 1U + (b->payload->fixed != 0);
}

bool sfr__pool_is_shared(struct sfr__buf *b)
{
	bool shared;

	lock_alone(b->pool);
	shared = sfr__pool_looks_shared(b);
	if (shared) { /* but for what others released meanwhile */
		sfr__pool_collect(b->pool);
		shared = sfr__pool_looks_shared(b);
	}
	unlock_alone(b->pool);
	return shared;
}

/* Another descriptor sees the window of one. */
static void slab_share(struct sfr__buf *b, struct sfr__buf *other)
{
	sfr__slab_share(slab_of(b->pool, b->base), b->base);
	if (!b->was_shared) {
		b->was_shared = SFR__SHARED;
		b->shares = 1;
	}
	other->origin = origin_of(b);
	other->origin->shares++;
}

static sfr_buf *share(struct sfr__buf *b)
{
	struct sfr__buf *other = descriptor_take_extra(b->pool, &b->pool->extras);

	if (!other) {
		errno = ENOMEM;
		return NULL;
	}
	descriptor_fill(other, (enum sfr__buf_kind)b->kind, b->base, b->size);
	if (b->kind == SFR__BUF_SLAB) {
		slab_share(b, other);
	} else {
		atomic_fetch_add(&b->payload->refs, 1);
		other->payload = b->payload;
		b->was_shared = SFR__SHARED;
	}
	other->was_shared = SFR__SHARE;
	other->datagram = b->datagram;
	return &other->view;
}

sfr_buf *sfr__pool_share(struct sfr__buf *b)
{
	sfr_buf *other;

	if (!sfr__pool_is_alone(b->pool) && !sfr__pool_is_open(b->pool)) {
		errno = -sfr__pool_foreign(b->pool, "a buffer was shared");
		return NULL;
	}
	lock_alone(b->pool);
	other = share(b);
	unlock_alone(b->pool);
	return other;
}

static void buf_poison(struct sfr__buf *b)
{
	if (b->pool->poison && b->kind == SFR__BUF_SLAB)
		memset(b->base, POISON, b->size);
}

void sfr__pool_payload_give(struct sfr__pool *pool, struct sfr__payload *payload)
{
	if (atomic_fetch_sub(&payload->refs, 1) > 1)
		return;
	if (payload->on_release)
		payload->on_release(payload->mem, payload->arg);
	atomic_fetch_sub_explicit(&pool->bytes_heap, payload->size, memory_order_relaxed);
	free(payload->block);
}

static void payload_release(struct sfr__buf *b)
{
	struct sfr__payload *payload = b->kind == SFR__BUF_SLAB ? NULL : b->payload;

	if (payload)
		b->payload = NULL;
	if (payload)
		sfr__pool_payload_give(b->pool, payload);
}

/* Nobody owns a descriptor any more; it may still count. */
static inline void descriptor_retire(struct sfr__pool *pool, struct sfr__buf *b)
{
	sfr__buf_set_state(b, SFR__BUF_FREE);
	b->view.data = NULL;
	pool->out--;
}

static inline void descriptor_put(struct sfr__pool *pool, struct sfr__buf *b)
{
	b->view.next = pool->free ? &pool->free->view : NULL;
	pool->free = b;
}

static inline void descriptor_give(struct sfr__pool *pool, struct sfr__buf *b)
{
	descriptor_retire(pool, b);
	descriptor_put(pool, b);
}

/* Close the window of a descriptor. Of those on a block the last has the descriptor that the block itself has;
 * the others have extra ones, but for parts, which have a count of their own. */
static inline void window_close(struct sfr__pool *pool, const struct sfr__buf *b)
{
	struct sfr__slab *slab = slab_of(pool, b->base);
	bool is_last = sfr__slab_give(slab, b->base);

	if (sfr__likely(slab != &pool->stream))
		pool->extras -= !is_last;
	else
		--*count_of(b);
}

/* One of those that see a window goes. The descriptor that counts them goes with the last, and is an extra one once
 * its own window is closed. */
static void shared_free(struct sfr__pool *pool, struct sfr__buf *b)
{
	struct sfr__buf *origin = origin_of(b);
	bool is_last = --origin->shares == 0;

	if (is_last)
		buf_poison(b);
	window_close(pool, b);
	descriptor_retire(pool, b);
	if (b != origin)
		descriptor_put(pool, b);
	else if (!is_last)
		++*count_of(b);
	if (!is_last)
		return;
	*count_of(origin) -= b != origin;
	descriptor_put(pool, origin);
}

/* On the owner's thread. */
static RARE void buf_free(struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;

	if (b->kind == SFR__BUF_SLAB && b->was_shared) {
		shared_free(pool, b);
		return;
	}
	if (b->kind == SFR__BUF_SLAB) {
		window_close(pool, b);
	} else {
		payload_release(b); /* may release others, by way of on_release */
		pool->extras--;
	}
	descriptor_give(pool, b);
}

/* The loop is gone: memory of the slab goes with the pool, the rest at once. */
static void buf_free_orphaned(struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;

	payload_release(b);
	if (atomic_fetch_sub(&pool->left, 1) == 1)
		pool_free(pool);
}

static void buf_free_remote(struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;
	sfr_buf *head;

	atomic_fetch_add(&pool->visitors, 1);
	head = atomic_load(&pool->returned);
	do {
		if (head == CLOSED) {
			atomic_fetch_sub(&pool->visitors, 1);
			buf_free_orphaned(b);
			return;
		}
		b->view.next = head;
	} while (!atomic_compare_exchange_weak(&pool->returned, &head, &b->view));
	if (atomic_load(&pool->starving))
		pool->wake(pool->above);
	atomic_fetch_sub(&pool->visitors, 1);
}

void sfr__pool_collect(struct sfr__pool *pool)
{
	sfr_buf *buf;

	if (sfr__likely(!atomic_load(&pool->returned)))
		return;
	for (buf = atomic_exchange(&pool->returned, NULL); buf;) {
		sfr_buf *next = buf->next;

		buf_free(sfr__buf(buf));
		buf = next;
	}
}

/* Before the first turn its maker gives memory back at once, but leaves the pool to the runner, who may be
 * taking it over right now. */
static RARE void give_from_elsewhere(struct sfr__buf *b)
{
	if (atomic_load(&b->pool->thread) == maker_self())
		payload_release(b);
	sfr__buf_set_state(b, SFR__BUF_FREE);
	b->view.data = NULL;
	buf_free_remote(b);
}

static RARE void give_specially(struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;

	if (!b->was_shared)
		buf_poison(b);
	if (!sfr__pool_is_mine(pool)) {
		give_from_elsewhere(b);
		return;
	}
	buf_free(b);
	if (pool->watched)
		pool->wake(pool->above);
}

/* One of a slab that nothing is special about. */
static inline bool is_usual(const struct sfr__pool *pool, const struct sfr__buf *b)
{
	return b->kind == SFR__BUF_SLAB && !b->was_shared && sfr__pool_is_mine(pool) &&
	       !pool->careful; /* the owner's, and nobody else looks at it */
}

void sfr__pool_give(struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;

	if (sfr__likely(is_usual(pool, b))) {
		window_close(pool, b);
		descriptor_give(pool, b);
	} else {
		give_specially(b);
	}
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

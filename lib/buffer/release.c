/* SPDX-License-Identifier: MIT */
/*
 * What comes back to a pool: shares are counted, windows closed, blocks and descriptors free again.
 *
 * Any thread may release. Only the owner's frees at once; what others release waits in a list that the owner empties,
 * and once the loop is gone the last buffer frees the pool.
 */
#include "buffer/descriptor.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POISON 0xDF
#define RARE __attribute__((noinline)) /* or the usual way would save registers for it */

/* Stands in `returned` once the loop is gone. */
static sfr_buf closed;
#define CLOSED (&closed)

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

static void share_count(struct sfr__pool *pool)
{
	if (++pool->shares > pool->shares_max)
		pool->shares_max = pool->shares;
}

static sfr_buf *share(struct sfr__buf *b)
{
	struct sfr__buf *other = sfr__descriptor_take_extra(b->pool, &b->pool->extras);

	if (!other) {
		errno = ENOMEM;
		return NULL;
	}
	sfr__descriptor_fill(other, (enum sfr__buf_kind)b->kind, b->base, b->size);
	if (b->kind == SFR__BUF_SLAB) {
		slab_share(b, other);
	} else {
		atomic_fetch_add(&b->payload->refs, 1);
		other->payload = b->payload;
		b->was_shared = SFR__SHARED;
	}
	other->was_shared = SFR__SHARE;
	share_count(b->pool);
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

	if (sfr__likely(slab != &pool->stream)) {
		pool->extras -= !is_last;
		return;
	}
	--*count_of(b);
	if (!b->was_shared)
		pool->parts_memory -= sfr__buf_memory(b);
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
	pool->shares -= b != origin;
	if (b != origin)
		descriptor_put(pool, b);
	else if (!is_last)
		++*count_of(b);
	if (!is_last)
		return;
	*count_of(origin) -= b != origin;
	if (slab_of(pool, origin->base) == &pool->stream)
		pool->parts_memory -= sfr__buf_memory(origin);
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
		pool->shares -= b->was_shared == SFR__SHARE;
	}
	descriptor_give(pool, b);
}

/* The loop is gone: memory of the slab goes with the pool, the rest at once. */
static void buf_free_orphaned(struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;

	payload_release(b);
	if (atomic_fetch_sub(&pool->left, 1) == 1)
		sfr__pool_free(pool);
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
	if (atomic_load(&b->pool->thread) == sfr__pool_maker())
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
		sfr__pool_free(pool);
}

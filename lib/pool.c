#include "pool.h"
#include "log.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MAX ((size_t)1 << 30)
#define POISON 0xDF

_Thread_local uintptr_t sfr__thread_number;

uintptr_t sfr__thread_number_new(void)
{
	static atomic_uintptr_t last;

	return sfr__thread_number = atomic_fetch_add(&last, 2) + 2;
}

/* Stands in `returned` once the loop is gone. */
static sfr_buf closed;
#define CLOSED (&closed)

/* Memory of the caller's, and how to give it back. */
struct wrapping {
	void *mem;
	void (*on_release)(void *mem, void *arg);
	void *arg;
};

/* Who made the pool, until somebody runs it: no thread's own number. */
static uintptr_t maker_self(void)
{
	return sfr__thread_self() | 1;
}

static void buf_set_state(struct sfr__buf *b, enum sfr__buf_state state)
{
	b->state = (uint8_t)state;
}

static void pool_free(struct sfr__pool *pool)
{
	sfr__slab_fini(&pool->slab);
	sfr__region_fini(&pool->descriptors);
	free(pool);
}

struct sfr__pool *sfr__pool_new(uint32_t block_size, uint32_t count, uint32_t extra_max, bool huge)
{
	struct sfr__pool *pool = calloc(1, sizeof(*pool));
	size_t descriptors = (size_t)count + extra_max;

	if (!pool)
		return NULL;
	if (sfr__slab_init(&pool->slab, block_size, count, huge) < 0 ||
	    sfr__region_init(&pool->descriptors, descriptors * sizeof(struct sfr__buf)) < 0) {
		pool_free(pool);
		return NULL;
	}
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
	atomic_store(&pool->thread, 0);
	for (late = atomic_exchange(&pool->returned, CLOSED); late;) {
		sfr_buf *next = late->next;

		sfr__buf_drop(late);
		late = next;
	}
	while (atomic_load(&pool->visitors))
		sfr__relax();
	if (atomic_fetch_sub(&pool->left, 1) == 1)
		pool_free(pool);
}

/* Descriptors for this many buffers, and a slot for an op with each. 0 or -ENOMEM. */
static int descriptors_reserve(struct sfr__pool *pool, size_t bufs)
{
	int r = sfr__region_grow(&pool->descriptors, bufs * sizeof(struct sfr__buf));

	return r == 0 ? pool->reserve(pool->above, bufs) : r;
}

int sfr__pool_bind(struct sfr__pool *pool, void *above, int (*reserve)(void *above, size_t bufs),
		   void (*wake)(void *above))
{
	pool->above = above;
	pool->reserve = reserve;
	pool->wake = wake;
	return descriptors_reserve(pool, pool->slab.count);
}

static struct sfr__buf *descriptor_take(struct sfr__pool *pool)
{
	struct sfr__buf *b = pool->free;

	if (sfr__likely(b != NULL)) {
		pool->free = sfr__buf(b->view.next);
	} else {
		b = (struct sfr__buf *)(void *)pool->descriptors.base + pool->made++;
		sfr__invariant((unsigned char *)(b + 1) <=
			       pool->descriptors.base + pool->descriptors.usable);
		b->pool = pool;
	}
	pool->out++;
	return b;
}

/* A descriptor for memory that is not the slab's; one per block of the slab stays set aside. */
static struct sfr__buf *descriptor_take_extra(struct sfr__pool *pool)
{
	sfr__pool_collect(pool); /* what others released must not make this one fail */
	if (descriptors_reserve(pool, pool->slab.count + pool->extras + 1) < 0)
		return NULL;
	pool->extras++;
	return descriptor_take(pool);
}

static sfr_buf *descriptor_fill(struct sfr__buf *b, enum sfr__buf_kind kind, void *base,
				size_t size)
{
	b->view = (sfr_buf){.data = base, .cap = (uint32_t)size};
	b->base = base;
	b->size = (uint32_t)size;
	b->kind = (uint8_t)kind;
	buf_set_state(b, SFR__BUF_OWNED);
	return &b->view;
}

sfr_buf *sfr__pool_window(struct sfr__pool *pool, unsigned char *base, uint32_t size, uint32_t len)
{
	sfr_buf *buf = descriptor_fill(descriptor_take(pool), SFR__BUF_SLAB, base, size);

	buf->len = len;
	return buf;
}

sfr_buf *sfr__pool_get_heap(struct sfr__pool *pool, size_t cap)
{
	struct sfr__buf *b;
	void *mem;

	if (cap > CAP_MAX) {
		errno = EMSGSIZE;
		return NULL;
	}
	mem = malloc(cap ? cap : 1);
	b = mem ? descriptor_take_extra(pool) : NULL;
	if (!b) {
		free(mem);
		errno = ENOMEM;
		return NULL;
	}
	pool->heap_allocs++;
	b->origin = mem;
	return descriptor_fill(b, SFR__BUF_HEAP, mem, cap);
}

sfr_buf *sfr__pool_get(struct sfr__pool *pool, size_t min_cap)
{
	unsigned char *block;

	if (min_cap > pool->slab.block_size)
		return sfr__pool_get_heap(pool, min_cap);
	if (!pool->slab.free_count)
		sfr__pool_collect(pool);
	block = sfr__slab_take(&pool->slab);
	if (!block) {
		errno = SFR_EPOOLEMPTY;
		return NULL;
	}
	return sfr__pool_window(pool, block, pool->slab.block_size, 0);
}

/* Give back what the descriptor stands for. */
static void origin_release(struct sfr__buf *b)
{
	struct wrapping *wrapping = b->origin;

	switch ((enum sfr__buf_kind)b->kind) {
	case SFR__BUF_SLAB:
		(void)sfr__slab_give(&b->pool->slab, b->base);
		break;
	case SFR__BUF_HEAP:
		free(b->origin);
		break;
	case SFR__BUF_WRAP:
		if (wrapping && wrapping->on_release)
			wrapping->on_release(wrapping->mem, wrapping->arg);
		free(wrapping);
		break;
	}
	b->origin = NULL;
}

/* On the owner's thread. */
static void buf_free(struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;

	pool->extras -= b->kind != SFR__BUF_SLAB;
	origin_release(b);
	buf_set_state(b, SFR__BUF_FREE);
	b->view.data = NULL;
	b->view.next = pool->free ? &pool->free->view : NULL;
	pool->free = b;
	pool->out--;
}

/* The loop is gone: memory of the slab goes with the pool, the rest at once. */
static void buf_free_orphaned(struct sfr__buf *b)
{
	struct sfr__pool *pool = b->pool;

	if (b->kind != SFR__BUF_SLAB)
		origin_release(b);
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

void sfr__buf_drop(sfr_buf *buf)
{
	struct sfr__buf *b = sfr__buf(buf);
	struct sfr__pool *pool = b->pool;

	if (sfr__unlikely(pool->poison) && b->kind == SFR__BUF_SLAB)
		memset(b->base, POISON, b->size);
	if (sfr__likely(sfr__pool_is_mine(pool))) {
		buf_free(b);
		return;
	}
	/* Before the first turn its maker gives memory back at once, but leaves the pool to the runner, who
	 * may be taking it over right now. */
	if (b->kind != SFR__BUF_SLAB && atomic_load(&pool->thread) == maker_self())
		origin_release(b);
	buf_set_state(b, SFR__BUF_GIVEN);
	buf_free_remote(b);
}

/* Whether the window that the caller left is inside the buffer; then it is what is given. */
static bool window_read(struct sfr__buf *b)
{
	uintptr_t at = (uintptr_t)b->view.data, base = (uintptr_t)b->base, end = base + b->size;

	if (sfr__unlikely(at < base || at > end || b->view.len > end - at)) {
		b->given_at = b->given_len = 0;
		return false;
	}
	b->given_at = (uint32_t)(at - base);
	b->given_len = b->view.len;
	return true;
}

int sfr__buf_give(struct sfr__pool *pool, sfr_buf *buf)
{
	struct sfr__buf *b = sfr__buf(buf);
	bool inside;

	if (sfr__unlikely(b->state != SFR__BUF_OWNED))
		return sfr__misuse(pool->abort, -SFR_EINFLIGHT, "a buffer was given that is %s",
				   b->state == SFR__BUF_FREE ? "released" : "in flight already");
	buf_set_state(b, SFR__BUF_GIVEN);
	inside = window_read(b);
	buf->data = NULL;
	if (sfr__unlikely(!inside))
		return sfr__misuse(pool->abort, -EINVAL, "a buffer was given whose data left it");
	if (sfr__unlikely(b->pool != pool))
		return sfr__misuse(pool->abort, -EINVAL, "a buffer was given to another loop");
	return 0;
}

void sfr__buf_return(sfr_buf *buf, uint32_t len)
{
	struct sfr__buf *b = sfr__buf(buf);

	sfr__invariant(b->state == SFR__BUF_GIVEN);
	buf_set_state(b, SFR__BUF_OWNED);
	buf->data = sfr__buf_data(buf);
	buf->len = len;
	buf->next = NULL;
}

/*
 * The public calls that do not need the loop.
 */

void *sfr_buf_access(sfr_buf *buf)
{
	return sfr_buf_is_owned(buf) ? buf->data : NULL;
}

bool sfr_buf_is_owned(const sfr_buf *buf)
{
	return buf && sfr__buf(buf)->state == SFR__BUF_OWNED;
}

void sfr_buf_release(sfr_buf *buf)
{
	struct sfr__buf *b = sfr__buf(buf);

	if (!buf)
		return;
	if (sfr__unlikely(b->state != SFR__BUF_OWNED)) {
		(void)sfr__misuse(b->pool->abort, -SFR_EINFLIGHT,
				  "a buffer was released that is %s",
				  b->state == SFR__BUF_FREE ? "released already" : "in flight");
		return;
	}
	sfr__buf_drop(buf);
}

sfr_buf *sfr__pool_wrap(struct sfr__pool *pool, void *mem, size_t cap,
			void (*on_release)(void *mem, void *arg), void *arg)
{
	struct wrapping *wrapping;
	struct sfr__buf *b;

	if (!mem || cap == 0 || cap > CAP_MAX) {
		errno = EINVAL;
		return NULL;
	}
	wrapping = malloc(sizeof(*wrapping));
	b = wrapping ? descriptor_take_extra(pool) : NULL;
	if (!b) {
		free(wrapping);
		errno = ENOMEM;
		return NULL;
	}
	*wrapping = (struct wrapping){mem, on_release, arg};
	pool->heap_allocs++;
	b->origin = wrapping;
	return descriptor_fill(b, SFR__BUF_WRAP, mem, cap);
}

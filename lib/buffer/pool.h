/* SPDX-License-Identifier: MIT */
/*
 * Pool: slabs, the descriptors of buffers, and the way back from other threads.
 *
 * Buffers come in up to three sizes, each from a slab of its own; what is larger comes from the heap. What streams
 * receive into are the blocks of a fourth slab, each seen through many windows. The
 * slabs grow by themselves when they are empty, as long as all of them and the heap stay within one
 * budget; they share addresses for as much as that, which are reserved from the first. Room to describe a
 * block and to build an op with it is set aside before it is made.
 *
 * One thread owns the pool and takes from it; any thread may give back. What comes from elsewhere goes
 * through a lock-free list that the owner empties once a turn; so does all that comes before the first
 * turn, when the owner is not known yet. A pool outlives its loop for as long as
 * somebody holds a buffer of it: the last release frees it. A stand-alone pool has no owner: who takes
 * from it holds its lock, and everybody gives back as from elsewhere.
 *
 * Three orders matter, all of them sequentially consistent:
 *
 *	waking   A releaser pushes, then reads `starving`; the owner sets `starving`, then looks at the
 *	         list. One of them sees the other, so no receiver waits for a buffer that is there.
 *	leaving  A releaser counts itself among the `visitors` before it pushes, while its buffer still
 *	         keeps the pool alive, and leaves after it woke the loop; closing waits for visitors.
 *	closing  The owner sets `left`, then puts CLOSED into the list. Who finds CLOSED counts `left`
 *	         down, and who reaches 0 frees the pool.
 */
#ifndef SFR_LIB_BUFFER_POOL_H
#define SFR_LIB_BUFFER_POOL_H

#include "base/array.h"
#include "base/process.h"
#include "base/thread.h"
#include "buffer/buf.h"
#include "buffer/slab.h"
#include <safer_ring/buffer.h>
#include <pthread.h>
#include <stdatomic.h>

/* The owner where there is none: no thread's number, nor one that a maker has, nor that of a thread without
 * one, so that who compares need not give it one. */
#define SFR__THREAD_NONE UINTPTR_MAX

struct sfr__pool {
	/* What each get and each release reads. */
	struct sfr__slab slab; /* the main one: receives draw from it, and who asks for any */
	uint32_t small_max;    /* requests up to this are for the small one */
	atomic_bool starving;  /* a release from elsewhere must wake the owner */
	bool poison;           /* safety.poison */
	bool watched;          /* a release by the owner must wake him, too: he sleeps elsewhere */
	bool careful;          /* one of these */
	bool abort;            /* safety.abort */
	struct sfr__buf *free; /* descriptors that were used before, through view.next */
	size_t out;            /* descriptors that are not free */
	size_t extras;         /* of these, not for a block of their own, nor for a part of one */
	atomic_uintptr_t thread;     /* the owner; odd: its maker, nobody runs it yet; or NONE */
	_Atomic(sfr_buf *) returned; /* released by other threads; CLOSED when the loop is gone */

	struct sfr__arena arena; /* of all slabs */
	struct sfr__slab small;  /* perhaps there is none */
	struct sfr__slab large;  /* the same */
	struct sfr__slab
		stream;      /* blocks that streams are received into: none until it is asked for */
	uint32_t stream_max; /* the largest that one of these may be; 0: there may be none */
	uint32_t part_min; /* a block of these is seen through as many windows as have this size */
	size_t parts;      /* windows on them */
	uint64_t parts_memory;    /* what these count for; shares count once */
	size_t shares;            /* descriptors of what others see as well */
	size_t shares_max;        /* the most that there ever were */
	size_t blocks;            /* in all slabs */
	uint64_t bytes_made;      /* the same in bytes */
	uint64_t bytes_max;       /* the most that these and the heap's ever took */
	uint64_t budget;          /* for both; 0: slabs do not grow, and the heap is not limited */
	atomic_size_t bytes_heap; /* buffers of the heap that are out */
	uint64_t heap_allocs;
	atomic_size_t made;    /* descriptors made so far */
	atomic_size_t left;    /* once CLOSED: buffers still out */
	atomic_uint visitors;  /* threads that are in the middle of a release */
	unsigned process;      /* sfr__process_generation of its maker */
	pthread_mutex_t *lock; /* of a stand-alone pool; else NULL */

	int (*reserve)(void *above, size_t bufs);
	void (*wake)(void *above);
	void *above;
	struct sfr__array descriptors;
	struct sfr__array notes; /* one beside each descriptor: see buffer/note.h */
};

/* What a pool is to be. Sizes are powers of two. */
struct sfr__pool_spec {
	uint32_t size, count; /* of the main slab: blocks that there are from the first */
	uint32_t small, large;
	uint32_t stream; /* at most, if the budget has some of them to spare */
	uint64_t budget;
	uint32_t extra_max; /* descriptors besides those for blocks */
	bool huge;
};

/* More blocks than there will be memory for. Cells of ops, which are as many, have indexes of 32 bits. */
#define SFR__BLOCKS_MAX ((uint64_t)1 << 30)

/* How many blocks there may ever be. */
size_t sfr__pool_blocks_max(const struct sfr__pool_spec *spec);

/* How many bytes of addresses it takes from the first. */
uint64_t sfr__pool_addresses(const struct sfr__pool_spec *spec);

/* Reserve and make what a pool of zeros is to have from the first. 0 or -ENOMEM. */
int sfr__pool_lay_out(struct sfr__pool *pool, const struct sfr__pool_spec *spec);

struct sfr__pool *sfr__pool_new(const struct sfr__pool_spec *spec);

/*
 * Tell the pool what is above it: `reserve` makes room for an op per buffer, 0 or -ENOMEM; `wake` gets
 * the owner out of its sleep, from any thread. 0 or -ENOMEM.
 */
int sfr__pool_bind(struct sfr__pool *pool, void *above, int (*reserve)(void *above, size_t bufs),
		   void (*wake)(void *above));

/* The calling thread owns the pool from now on. */
void sfr__pool_take_over(struct sfr__pool *pool);

/* The owner goes: freed now, or with the last buffer. */
void sfr__pool_close(struct sfr__pool *pool);

/* Nobody has anything of it any more. */
void sfr__pool_free(struct sfr__pool *pool);

/* A window on a block that the caller took from the slab. There is always a descriptor for it. */
sfr_buf *sfr__pool_window(struct sfr__pool *pool, unsigned char *base, uint32_t size, uint32_t len);

sfr_buf *sfr__pool_get(struct sfr__pool *pool, size_t min_cap);

/* The smallest buffer with room for so many bytes, if it takes fewer than `below` of them; NULL if there is none to be
 * had. */
sfr_buf *sfr__pool_get_below(struct sfr__pool *pool, uint32_t size, uint32_t below);

/* Have a slab that is empty collect what other threads released, or else grow. 0, or why it is empty. */
int sfr__pool_refill(struct sfr__pool *pool, struct sfr__slab *slab);

/* A block of a slab; NULL if there is none to be had. */
static inline unsigned char *sfr__pool_take_of(struct sfr__pool *pool, struct sfr__slab *slab)
{
	if (sfr__unlikely(!slab->free_count) && sfr__pool_refill(pool, slab) < 0)
		return NULL;
	return sfr__slab_take(slab);
}

static inline unsigned char *sfr__pool_take(struct sfr__pool *pool)
{
	return sfr__pool_take_of(pool, &pool->slab);
}

/*
 * Have blocks for streams, seen through many windows, as large as may be while so many of them are no more than a quarter
 * of what the budget has left. 0; -SFR_EPOOLEMPTY if they would be too small to be of use; -ENOMEM.
 */
int sfr__pool_stream_open(struct sfr__pool *pool, unsigned count);

/* A window on a part of a block for streams, besides those that there are. NULL if there is no memory to describe it:
 * never for less windows than the block was made for. */
sfr_buf *sfr__pool_part(struct sfr__pool *pool, unsigned char *base, uint32_t size);

/* What a buffer counts for where memory is limited: the same for as long as it lives. A part of a block counts as a
 * buffer of its own would: how many share the block changes all the time. */
static inline uint32_t sfr__buf_memory(const struct sfr__buf *b)
{
	const struct sfr__pool *pool = b->pool;

	if (sfr__likely(b->size >= pool->slab.block_size || b->kind != SFR__BUF_SLAB ||
			sfr__arena_owner(&pool->arena, b->base) != &pool->stream))
		return b->size;
	return pool->slab.block_size;
}

/* Another descriptor of the same memory. NULL and errno. */
sfr_buf *sfr__pool_share(struct sfr__buf *b);

/* Whether more than one descriptor refers to the memory of one that was shared. */
bool sfr__pool_is_shared(struct sfr__buf *b);

/* The same without collecting what other threads released, which would run on_release: what they released counts
 * still. For who may take from the pool. */
bool sfr__pool_looks_shared(struct sfr__buf *b);

/* One reference less to memory that is not of a slab. */
void sfr__pool_payload_give(struct sfr__pool *pool, struct sfr__payload *payload);

/* Nobody uses a descriptor any more. Any thread. */
void sfr__pool_give(struct sfr__buf *b);

/* The caller's memory. NULL and errno. */
sfr_buf *sfr__pool_wrap(struct sfr__pool *pool, void *mem, size_t cap,
			void (*on_release)(void *mem, void *arg), void *arg);

/* The owner falls asleep in somebody else's care, while receivers wait for buffers; and is back. */
static inline void sfr__pool_watch(struct sfr__pool *pool, bool watched)
{
	pool->watched = watched;
	pool->careful = watched || pool->poison;
}

/* Empty the list of what other threads released. Cheap when it is empty. */
void sfr__pool_collect(struct sfr__pool *pool);

/* Whether this address is that of a descriptor. */
static inline bool sfr__pool_has(const struct sfr__pool *pool, const struct sfr__buf *b)
{
	return sfr__array_index(&pool->descriptors, b,
				atomic_load_explicit(&pool->made, memory_order_relaxed)) !=
	       SFR__ARRAY_NONE;
}

/* Whether it belongs to no loop. */
static inline bool sfr__pool_is_alone(const struct sfr__pool *pool)
{
	return pool->lock != NULL;
}

/* Blocks of all sizes that are free. */
static inline size_t sfr__pool_free_count(const struct sfr__pool *pool)
{
	return (size_t)pool->slab.free_count + pool->small.free_count + pool->large.free_count +
	       pool->stream.free_count;
}

/* Who made the pool, until somebody runs it: no thread's own number. */
static inline uintptr_t sfr__pool_maker(void)
{
	return sfr__thread_self() | 1;
}

/* Bytes of blocks and of the heap that are taken, whether they are used or not. */
static inline uint64_t sfr__pool_taken(const struct sfr__pool *pool)
{
	return pool->bytes_made + atomic_load_explicit(&pool->bytes_heap, memory_order_relaxed);
}

static inline uint64_t sfr__slab_free_bytes(const struct sfr__slab *slab)
{
	return (uint64_t)slab->free_count << slab->shift;
}

static inline uint64_t sfr__slab_bytes(const struct sfr__slab *slab)
{
	return (uint64_t)slab->count << slab->shift;
}

/*
 * Descriptors of shares are memory, too: a byte that waits for a thousand is mostly these. What they ever took stays
 * taken, as blocks do, so together they may have as much as the budget. An eighth besides is for them alone, or there
 * would be none where blocks have taken all.
 */
static inline uint64_t sfr__pool_shares_bytes(size_t shares)
{
	return (uint64_t)shares * sizeof(struct sfr__buf);
}

/* Bytes of blocks and of the heap that may be taken still. */
static inline uint64_t sfr__pool_room(const struct sfr__pool *pool)
{
	uint64_t taken = sfr__pool_taken(pool) + sfr__pool_shares_bytes(pool->shares_max);

	return taken < pool->budget ? pool->budget - taken : 0;
}

/* Of the budget, as large a part as more shares may be made, of all that may be. */
static inline uint64_t sfr__pool_shares_left(const struct sfr__pool *pool)
{
	const uint64_t used = sfr__pool_shares_bytes(pool->shares), taken = sfr__pool_taken(pool);
	uint64_t may = pool->budget / 8;

	if (sfr__likely(!used || !pool->budget))
		return UINT64_MAX;
	if (taken < pool->budget)
		may += pool->budget - taken;
	return used < may ? (uint64_t)((double)pool->budget * (double)(may - used) / (double)may)
			  : 0;
}

/* Bytes for what arrives that the slabs have or may have, but for those in rings: those that are free; and all. */
static inline uint64_t sfr__pool_left(const struct sfr__pool *pool)
{
	return sfr__slab_free_bytes(&pool->slab) + sfr__slab_free_bytes(&pool->stream) +
	       sfr__pool_room(pool);
}

static inline uint64_t sfr__pool_arrivals_max(const struct sfr__pool *pool)
{
	return sfr__slab_bytes(&pool->slab) + sfr__slab_bytes(&pool->stream) + sfr__pool_room(pool);
}

/* Bytes that there may be: the budget, or where there is none the first blocks. */
static inline uint64_t sfr__pool_limit(const struct sfr__pool *pool)
{
	return pool->budget ? pool->budget : pool->bytes_made;
}

/* Bytes of those that are limited which are neither free nor to be made: somebody has them. Of blocks for streams, what
 * their windows count for; and the descriptors of shares. */
static inline uint64_t sfr__pool_in_use(const struct sfr__pool *pool)
{
	return (pool->budget ? sfr__pool_taken(pool) : pool->bytes_made) -
	       sfr__slab_free_bytes(&pool->slab) - sfr__slab_free_bytes(&pool->small) -
	       sfr__slab_free_bytes(&pool->large) - sfr__slab_bytes(&pool->stream) +
	       pool->parts_memory + sfr__pool_shares_bytes(pool->shares);
}

/* Whether the caller may take from it: on the owner's thread, before the first turn on its maker's. In a
 * forked child every thread has a number of its own, so nobody may. */
static inline bool sfr__pool_is_open(const struct sfr__pool *pool)
{
	uintptr_t thread = atomic_load_explicit(&pool->thread, memory_order_relaxed);

	return (thread & ~(uintptr_t)1) == sfr__thread_number;
}

/* Whether this is a child of fork, and the pool its parent's. */
static inline bool sfr__pool_is_forked(const struct sfr__pool *pool)
{
	return pool->process != sfr__process_generation;
}

/* Somebody did `what` who may not: report it. -SFR_ETHREAD or -SFR_EFORKED. */
int sfr__pool_foreign(const struct sfr__pool *pool, const char *what);

/* Whether the caller is on the owner's thread. */
static inline bool sfr__pool_is_mine(const struct sfr__pool *pool)
{
	return atomic_load_explicit(&pool->thread, memory_order_relaxed) == sfr__thread_number;
}

#endif

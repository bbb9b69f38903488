/*
 * Pool: a slab, the descriptors of buffers, and the way back from other threads.
 *
 * One thread owns the pool and takes from it; any thread may give back. What comes from elsewhere goes
 * through a lock-free list that the owner empties once a turn; so does all that comes before the first
 * turn, when the owner is not known yet. A pool outlives its loop for as long as
 * somebody holds a buffer of it: the last release frees it.
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
#ifndef SFR_LIB_POOL_H
#define SFR_LIB_POOL_H

#include "region.h"
#include "slab.h"
#include "thread.h"
#include <safer_ring/buffer.h>
#include <stdatomic.h>

enum sfr__buf_state { SFR__BUF_FREE, SFR__BUF_OWNED, SFR__BUF_GIVEN };
enum sfr__buf_kind { SFR__BUF_SLAB, SFR__BUF_HEAP, SFR__BUF_WRAP };

/* A buffer as the library sees it. Callers can write to `view`: what counts is read once, when it is
 * given. */
struct sfr__buf {
	sfr_buf view;
	unsigned char *base; /* where the window begins */
	struct sfr__pool *pool;
	void *origin;       /* heap: what to free; wrap: its struct wrapping; slab: NULL */
	uint32_t size;      /* bytes of the window */
	uint32_t given_at;  /* where its contents begin, from base */
	uint32_t given_len; /* and how many there are */
	uint8_t state;      /* enum sfr__buf_state; its one writer is buf_set_state in pool.c */
	uint8_t kind;       /* enum sfr__buf_kind */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct sfr__buf) == 64, "a descriptor is one cache line");

struct sfr__pool {
	struct sfr__slab slab;
	struct sfr__region descriptors;
	struct sfr__buf *free;       /* descriptors that were used before, through view.next */
	size_t made;                 /* descriptors made so far */
	size_t out;                  /* descriptors that are not free */
	size_t extras;               /* of these, not for memory of the slab */
	atomic_uintptr_t thread;     /* the owner; odd: its maker, nobody runs it yet; 0: gone */
	_Atomic(sfr_buf *) returned; /* released by other threads; CLOSED when the loop is gone */
	atomic_bool starving;        /* a release from elsewhere must wake the owner */
	atomic_size_t left;          /* once CLOSED: buffers still out */
	atomic_uint visitors;        /* threads that are in the middle of a release */
	uint64_t heap_allocs;
	bool poison; /* safety.poison */
	bool abort;  /* safety.abort */

	int (*reserve)(void *above, size_t bufs);
	void (*wake)(void *above);
	void *above;
};

struct sfr__pool *sfr__pool_new(uint32_t block_size, uint32_t count, uint32_t extra_max, bool huge);

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

/* A window on a block that the caller took from the slab. There is always a descriptor for it. */
sfr_buf *sfr__pool_window(struct sfr__pool *pool, unsigned char *base, uint32_t size, uint32_t len);

sfr_buf *sfr__pool_get(struct sfr__pool *pool, size_t min_cap);

/* Memory from the heap, whatever the slab has. NULL and errno. */
sfr_buf *sfr__pool_get_heap(struct sfr__pool *pool, size_t cap);

/* The caller's memory. NULL and errno. */
sfr_buf *sfr__pool_wrap(struct sfr__pool *pool, void *mem, size_t cap,
			void (*on_release)(void *mem, void *arg), void *arg);

/* Empty the list of what other threads released. Cheap when it is empty. */
void sfr__pool_collect(struct sfr__pool *pool);

/* Whether the caller is on the owner's thread. */
static inline bool sfr__pool_is_mine(const struct sfr__pool *pool)
{
	return atomic_load_explicit(&pool->thread, memory_order_relaxed) == sfr__thread_self();
}

static inline struct sfr__buf *sfr__buf(const sfr_buf *buf)
{
	return (struct sfr__buf *)(uintptr_t)buf;
}

/*
 * The owner gives a buffer to the library: 0, and data is NULL. -SFR_EINFLIGHT: it was not the caller's
 * to give. -EINVAL: its window left the buffer, or it is of another pool; it is taken all the same.
 */
int sfr__buf_give(struct sfr__pool *pool, sfr_buf *buf);

/* And gets it back, with len bytes of contents. */
void sfr__buf_return(sfr_buf *buf, uint32_t len);

/* The library lets go of a buffer that it was given. */
void sfr__buf_drop(sfr_buf *buf);

/* The contents of a given buffer. */
static inline unsigned char *sfr__buf_data(const sfr_buf *buf)
{
	return sfr__buf(buf)->base + sfr__buf(buf)->given_at;
}

static inline uint32_t sfr__buf_len(const sfr_buf *buf)
{
	return sfr__buf(buf)->given_len;
}

/* Some bytes at the front are dealt with. */
static inline void sfr__buf_advance(sfr_buf *buf, uint32_t count)
{
	sfr__buf(buf)->given_at += count;
	sfr__buf(buf)->given_len -= count;
}

/* Bytes from where data stood when it was given to the end of the buffer. */
static inline uint32_t sfr__buf_room(const sfr_buf *buf)
{
	uint32_t room = sfr__buf(buf)->size - sfr__buf(buf)->given_at;

	return buf->cap < room ? buf->cap : room;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Pool: buffers of one size for all threads, without a loop.
 *
 * Its buffers are used as those of a loop are, in the operations of any loop. Every call may come from any
 * thread. A child of fork has a copy, of which it should use nothing: a lock of it may be held for ever.
 */
#ifndef SAFER_RING_POOL_H
#define SAFER_RING_POOL_H

#include <safer_ring/buffer.h>

SFR_BEGIN_DECLS

/** A pool of buffers that belongs to no loop. */
typedef struct sfr_pool sfr_pool;

/**
 * Make a pool.
 *
 * @param count    How many buffers, at least 1. It does not grow.
 * @param buf_size Their size in bytes, at least 1 and at most 1 GiB. A buffer has just this room, and
 *                 takes the next power of two of addresses, at least a cache line; of memory, the pages
 *                 that were touched.
 * @return The pool, yours until sfr_pool_free(); NULL with errno ENOMEM or EINVAL.
 * @since 0.1
 */
SFR_API sfr_pool *sfr_pool_new(size_t count, size_t buf_size);

/**
 * Take a buffer.
 *
 * @return The buffer, yours until sfr_buf_release(), with len 0. In an operation it behaves as one of the
 *         loop's, but without memory for the operation the builder gives NULL, and the buffer goes back
 *         to its pool; a connection that cannot send it for that reason is closed with -ENOMEM. It may
 *         be shared and released by any thread. NULL with errno SFR_EPOOLEMPTY when all are out.
 * @since 0.1
 */
SFR_API sfr_buf *sfr_pool_get(sfr_pool *pool);

/** What a pool looks like at a moment. Fields are only ever added, at the end. */
typedef struct sfr_pool_info {
	size_t count;    /**< Buffers in all. */
	size_t free;     /**< Of these, to be had. */
	size_t out;      /**< Of these, with callers, loops or the kernel. */
	size_t out_max;  /**< The most that were out at once. */
	size_t buf_size; /**< Bytes of each. */
	uint64_t gets;   /**< Buffers taken since the pool was made. */
	uint64_t empty;  /**< Times there was none. */
} sfr_pool_info;

/** Look at a pool. @since 0.1 */
SFR_API void sfr_pool_stats(const sfr_pool *pool, sfr_pool_info *out);

/**
 * Free a pool.
 *
 * @param pool Taken if the result is 0. NULL is nothing.
 * @return 0; -SFR_EINFLIGHT, and nothing freed, while a buffer of it is out. Nobody may use the pool any
 *         more when it is 0.
 * @since 0.1
 */
SFR_API int sfr_pool_free(sfr_pool *pool);

SFR_END_DECLS

#endif

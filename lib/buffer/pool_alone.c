/* SPDX-License-Identifier: MIT */
/*
 * The stand-alone pool: a pool without a loop, and a lock in place of its owner.
 *
 * Whoever takes or looks holds the lock, and first collects what was released, so what it sees is exact.
 * Releasing takes no lock: it goes the way of a release from another thread.
 */
#include "buffer/pool.h"
#include <safer_ring/error.h>
#include <safer_ring/pool.h>
#include <errno.h>
#include <stdlib.h>

#define BUF_MIN 64U /* a cache line */
#define BUF_MAX ((size_t)1 << 30)
#define COUNT_MAX ((size_t)1 << 30)
#define SHARES_MAX ((uint32_t)1 << 20)

struct sfr_pool {
	struct sfr__pool *pool;
	pthread_mutex_t lock;
	sfr_pool_info info; /* without free and out, which the slab knows */
};

/* Blocks are a power of two in size. */
static uint32_t block_size(size_t buf_size)
{
	uint32_t size = BUF_MIN;

	while (size < buf_size)
		size *= 2;
	return size;
}

static struct sfr__pool *alone_new(size_t count, size_t buf_size, pthread_mutex_t *lock)
{
	const struct sfr__pool_spec spec = {
		.size = block_size(buf_size), .count = (uint32_t)count, .extra_max = SHARES_MAX};
	struct sfr__pool *pool = sfr__pool_new(&spec);

	if (!pool)
		return NULL;
	atomic_store(&pool->thread, SFR__THREAD_NONE);
	pool->lock = lock;
	if (sfr__pool_bind(pool, NULL, NULL, NULL) < 0) {
		sfr__pool_close(pool);
		return NULL;
	}
	return pool;
}

sfr_pool *sfr_pool_new(size_t count, size_t buf_size)
{
	sfr_pool *alone;

	if (count == 0 || count > COUNT_MAX || buf_size == 0 || buf_size > BUF_MAX) {
		errno = EINVAL;
		return NULL;
	}
	alone = calloc(1, sizeof(*alone));
	if (!alone)
		return NULL;
	alone->pool = alone_new(count, buf_size, &alone->lock);
	if (!alone->pool) {
		free(alone);
		errno = ENOMEM;
		return NULL;
	}
	(void)pthread_mutex_init(&alone->lock, NULL); /* of the default kind: it cannot fail */
	alone->info.count = count;
	alone->info.buf_size = buf_size;
	return alone;
}

/* What it looks like now. With the lock held. */
static sfr_pool_info info_of(sfr_pool *alone)
{
	sfr_pool_info info = alone->info;

	sfr__pool_collect(alone->pool);
	info.free = alone->pool->slab.free_count;
	info.out = info.count - info.free;
	return info;
}

static sfr_buf *buf_take(sfr_pool *alone)
{
	size_t out = info_of(alone).out;
	unsigned char *block = sfr__slab_take(&alone->pool->slab);

	if (!block) {
		alone->info.empty++;
		return NULL;
	}
	alone->info.gets++;
	if (++out > alone->info.out_max)
		alone->info.out_max = out;
	return sfr__pool_window(alone->pool, block, (uint32_t)alone->info.buf_size, 0);
}

sfr_buf *sfr_pool_get(sfr_pool *alone)
{
	sfr_buf *buf;

	(void)pthread_mutex_lock(&alone->lock);
	buf = buf_take(alone);
	(void)pthread_mutex_unlock(&alone->lock);
	if (!buf)
		errno = SFR_EPOOLEMPTY;
	return buf;
}

void sfr_pool_stats(const sfr_pool *pool, sfr_pool_info *out)
{
	sfr_pool *alone = (sfr_pool *)(uintptr_t)pool; /* nothing changes but where buffers are */

	(void)pthread_mutex_lock(&alone->lock);
	*out = info_of(alone);
	(void)pthread_mutex_unlock(&alone->lock);
}

int sfr_pool_free(sfr_pool *alone)
{
	bool out;

	if (!alone)
		return 0;
	(void)pthread_mutex_lock(&alone->lock);
	sfr__pool_collect(alone->pool);
	out = alone->pool->out > 0;
	(void)pthread_mutex_unlock(&alone->lock);
	if (out)
		return -SFR_EINFLIGHT;
	sfr__pool_close(alone->pool);
	(void)pthread_mutex_destroy(&alone->lock);
	free(alone);
	return 0;
}

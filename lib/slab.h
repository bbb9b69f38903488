/*
 * Slab: one mapping cut into equal blocks.
 *
 * Memory is mapped when the slab is made and never moves, so an address given to the kernel stays valid
 * until the slab is gone. The free list and the counts live in side arrays: a late write through a
 * stale pointer cannot corrupt the allocator. A block may be seen through several windows and is free
 * again when the last of them is closed. Who owns what is buffer.c's concern.
 */
#ifndef SFR_LIB_SLAB_H
#define SFR_LIB_SLAB_H

#include "invariant.h"
#include "region.h"
#include <stdbool.h>
#include <stdint.h>

struct sfr__slab {
	unsigned char *base;
	uint32_t *free;    /* a stack: the block used last is the one still in the cache */
	uint32_t *windows; /* per block; 0 is free */
	uint32_t free_count;
	uint32_t count;
	uint32_t block_size; /* a power of two */
	uint32_t shift;
	struct sfr__region region;
};

/* In huge pages if asked for, and if there are any. 0 or -ENOMEM. A slab of zeros may be passed to fini. */
int sfr__slab_init(struct sfr__slab *slab, uint32_t block_size, uint32_t count, bool huge);
void sfr__slab_fini(struct sfr__slab *slab);

/* A free block, with one window on it; NULL if there is none. */
static inline unsigned char *sfr__slab_take(struct sfr__slab *slab)
{
	uint32_t index;

	if (sfr__unlikely(!slab->free_count))
		return NULL;
	index = slab->free[--slab->free_count];
	slab->windows[index] = 1;
	return slab->base + ((size_t)index << slab->shift);
}

/* Close a window on the block that holds `at`. True if it was the last: the block is free. */
static inline bool sfr__slab_give(struct sfr__slab *slab, const unsigned char *at)
{
	size_t index = (size_t)(at - slab->base) >> slab->shift;

	sfr__invariant(index < slab->count && slab->windows[index] > 0);
	if (--slab->windows[index])
		return false;
	slab->free[slab->free_count++] = (uint32_t)index;
	return true;
}

#endif

/*
 * Slab: one mapping cut into equal blocks.
 *
 * Addresses are reserved once, for as many blocks as there may ever be, and blocks never move: an address
 * given to the kernel stays valid until the slab is gone. Growing makes more of them usable; nothing is
 * given back to the system before the end. The free list and the counts live in a side array: a late
 * write through a stale pointer cannot corrupt the allocator. A block may be seen through several windows
 * and is free again when the last of them is closed. Who owns what is buf.c's concern.
 */
#ifndef SFR_LIB_SLAB_H
#define SFR_LIB_SLAB_H

#include "invariant.h"
#include "region.h"
#include <stdbool.h>
#include <stdint.h>

struct sfr__slab_entry {
	uint32_t free;    /* a stack: the block used last is the one still in the cache */
	uint32_t windows; /* on the block of this index; 0 is free */
};

struct sfr__slab {
	unsigned char *base;
	struct sfr__slab_entry *entries;
	uint32_t free_count;
	uint32_t count;      /* blocks there are */
	uint32_t count_max;  /* and may be */
	uint32_t block_size; /* a power of two; 0: there is no such slab */
	uint32_t shift;
	uint32_t fixed; /* how many, from the first, are registered with the engine */
	struct sfr__region region;
	struct sfr__region side;
};

/*
 * `count` blocks, of count_max that there may be: at least 1. In huge pages if asked for, and if there are
 * any. 0 or -ENOMEM. A slab of zeros may be passed to fini.
 */
int sfr__slab_init(struct sfr__slab *slab, uint32_t block_size, uint32_t count, uint32_t count_max,
		   bool huge);
void sfr__slab_fini(struct sfr__slab *slab);

/* So many more blocks, as there may be. 0, or -ENOMEM and nothing changed. */
int sfr__slab_grow(struct sfr__slab *slab, uint32_t more);

/* A free block, with one window on it; NULL if there is none. */
static inline unsigned char *sfr__slab_take(struct sfr__slab *slab)
{
	uint32_t index;

	if (sfr__unlikely(!slab->free_count))
		return NULL;
	index = slab->entries[--slab->free_count].free;
	slab->entries[index].windows = 1;
	return slab->base + ((size_t)index << slab->shift);
}

/* Whether an address is one of this slab. */
static inline bool sfr__slab_has(const struct sfr__slab *slab, const unsigned char *at)
{
	return (uintptr_t)at - (uintptr_t)slab->base < slab->region.usable;
}

/* Whether the block at an address was there when the engine was told of the slab. */
static inline bool sfr__slab_is_fixed(const struct sfr__slab *slab, const unsigned char *at)
{
	return ((uintptr_t)at - (uintptr_t)slab->base) >> slab->shift < slab->fixed;
}

static inline size_t sfr__slab_index(const struct sfr__slab *slab, const unsigned char *at)
{
	size_t index = (size_t)(at - slab->base) >> slab->shift;

	sfr__invariant(index < slab->count && slab->entries[index].windows > 0);
	return index;
}

/* How many windows there are on the block that holds `at`. */
static inline uint32_t sfr__slab_windows(const struct sfr__slab *slab, const unsigned char *at)
{
	return slab->entries[sfr__slab_index(slab, at)].windows;
}

/* Open another window on it. */
static inline void sfr__slab_share(struct sfr__slab *slab, const unsigned char *at)
{
	slab->entries[sfr__slab_index(slab, at)].windows++;
}

/* Close a window on the block that holds `at`. True if it was the last: the block is free. */
static inline bool sfr__slab_give(struct sfr__slab *slab, const unsigned char *at)
{
	size_t index = sfr__slab_index(slab, at);

	if (--slab->entries[index].windows)
		return false;
	slab->entries[slab->free_count++].free = (uint32_t)index;
	return true;
}

#endif

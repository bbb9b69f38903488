/* SPDX-License-Identifier: MIT */
/*
 * Slab: the blocks of one size.
 *
 * Blocks are cut from pieces of an arena, and never move: an address given to the kernel stays valid until
 * the pool is gone. Growing makes more of them; nothing is given back to the system before the end. The
 * index of a block is its distance from the beginning of the arena in blocks, so a slab that shares the
 * arena has indexes that are no block of its own. The free list and the counts live in a side array: a
 * late write through a stale pointer cannot corrupt the allocator. A block may be seen through several
 * windows and is free again when the last of them is closed. Who owns what is buffer/buf.c's concern.
 */
#ifndef SFR_LIB_BUFFER_SLAB_H
#define SFR_LIB_BUFFER_SLAB_H

#include "base/invariant.h"
#include "buffer/arena.h"
#include <stdbool.h>

struct sfr__slab_entry {
	uint32_t free;    /* a stack: the block used last is the one still in the cache */
	uint32_t windows; /* on the block of this index; 0 is free, or no block */
};

struct sfr__slab {
	unsigned char *base; /* of the arena */
	struct sfr__slab_entry *entries;
	uint32_t free_count;
	uint32_t count;      /* blocks there are */
	uint32_t count_max;  /* and may be */
	uint32_t block_size; /* a power of two; 0: there is no such slab */
	uint32_t shift;
	uint32_t next;  /* index of the next block to be made, up to */
	uint32_t end;   /* that of the end of the last piece */
	uint32_t front; /* so many blocks lie at the beginning of the arena, one behind the other */
	uint32_t fixed; /* how many of these are registered with the engine */
	struct sfr__arena *arena;
	struct sfr__region side;
};

/* A slab of as yet no blocks, of count_max that there may be. 0 or -ENOMEM. A slab of zeros may be passed to
 * fini. */
int sfr__slab_init(struct sfr__slab *slab, struct sfr__arena *arena, uint32_t block_size,
		   uint32_t count_max);
void sfr__slab_fini(struct sfr__slab *slab);

/* How many bytes of addresses the side array of a slab takes that has this much of an arena. */
uint64_t sfr__slab_addresses(uint64_t arena_size, uint32_t block_size);

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

/* Whether a block of the slab's arena was there when the engine was told of the slab. */
static inline bool sfr__slab_is_fixed(const struct sfr__slab *slab, const unsigned char *at)
{
	return ((uintptr_t)at - (uintptr_t)slab->base) >> slab->shift < slab->fixed;
}

static inline size_t sfr__slab_index(const struct sfr__slab *slab, const unsigned char *at)
{
	size_t index = (size_t)(at - slab->base) >> slab->shift;

	sfr__invariant(index < slab->next && slab->entries[index].windows > 0);
	return index;
}

/* How many windows there are on the block that holds `at`. */
static inline uint32_t sfr__slab_windows(const struct sfr__slab *slab, const unsigned char *at)
{
	return slab->entries[sfr__slab_index(slab, at)].windows;
}

/* Open another window on the block that holds `at`. */
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

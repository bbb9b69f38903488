/* SPDX-License-Identifier: MIT */
/*
 * Slab: a stack of free indexes, in the side array that also holds the counts of windows.
 *
 * The block given back last is taken first, as it is in the cache. Blocks of one growth lie in one
 * stretch, lowest address first, so the first ones can be registered with the engine as a whole.
 */
#include "buffer/slab.h"
#include <errno.h>

static uint32_t slab_shift(uint32_t block_size)
{
	return (uint32_t)__builtin_ctz(block_size);
}

uint64_t sfr__slab_addresses(uint64_t arena_size, uint32_t block_size)
{
	uint64_t indexes = arena_size >> slab_shift(block_size);

	if (indexes > UINT32_MAX)
		indexes = UINT32_MAX; /* what lies behind is for larger blocks */
	return indexes * sizeof(struct sfr__slab_entry);
}

int sfr__slab_init(struct sfr__slab *slab, struct sfr__arena *arena, uint32_t block_size,
		   uint32_t count_max)
{
	int r;

	*slab = (struct sfr__slab){.base = arena->base,
				   .count_max = count_max,
				   .block_size = block_size,
				   .shift = slab_shift(block_size),
				   .arena = arena};
	r = sfr__region_init(&slab->side, (size_t)sfr__slab_addresses(arena->size, block_size));
	slab->entries = (struct sfr__slab_entry *)(void *)slab->side.base;
	if (r < 0)
		sfr__slab_fini(slab);
	return r;
}

void sfr__slab_fini(struct sfr__slab *slab)
{
	sfr__region_fini(&slab->side);
	*slab = (struct sfr__slab){0};
}

/* The next so many blocks, of one stretch. The first to be taken is the one of lowest address. */
static void blocks_make(struct sfr__slab *slab, uint32_t count)
{
	uint32_t i;

	for (i = count; i > 0; i--)
		slab->entries[slab->free_count++].free = slab->next + i - 1;
	slab->next += count;
	slab->count += count;
}

int sfr__slab_grow(struct sfr__slab *slab, uint32_t more)
{
	struct sfr__arena *arena = slab->arena;
	const size_t first = arena->taken >> slab->shift;
	const uint32_t left = slab->end - slab->next;
	size_t size;
	int r;

	if (more <= left) {
		blocks_make(slab, more);
		return 0;
	}
	size = (size_t)(more - left) << slab->shift;
	r = sfr__region_grow(&slab->side, (first + (sfr__arena_round(arena, size) >> slab->shift)) *
						  sizeof(*slab->entries));
	if (r == 0)
		r = sfr__arena_take(arena, slab, size);
	if (r < 0)
		return r;
	blocks_make(slab, left);
	slab->next = (uint32_t)first;
	slab->end = (uint32_t)(arena->taken >> slab->shift);
	blocks_make(slab, more - left);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Arena: two regions, one of memory, and beside it a table of the slab that each piece belongs to.
 *
 * The table is grown before the memory. If the memory cannot be had, a longer table is all that is
 * left behind.
 */
#include "buffer/arena.h"
#include <errno.h>

static uint64_t piece_size(uint32_t block_max)
{
	return block_max > SFR__PIECE_MIN ? block_max : SFR__PIECE_MIN;
}

/* Blocks of each size fill whole pieces, but for the last one that they have. */
uint64_t sfr__arena_size(uint64_t size, uint32_t block_max, unsigned sizes)
{
	const uint64_t piece = piece_size(block_max);

	return ((size + piece - 1) / piece + sizes - 1) * piece;
}

uint64_t sfr__arena_addresses(uint64_t size, uint32_t block_max)
{
	return size + size / piece_size(block_max) * sizeof(struct sfr__slab *);
}

int sfr__arena_init(struct sfr__arena *arena, uint64_t size, uint32_t block_max, size_t front)
{
	int r;

	*arena = (struct sfr__arena){0};
	if (size > PTRDIFF_MAX) /* more than there are addresses */
		return -ENOMEM;
	arena->size = (size_t)size;
	arena->shift = (uint32_t)__builtin_ctzll(piece_size(block_max));
	r = sfr__region_init(&arena->side, (arena->size >> arena->shift) * sizeof(*arena->owners));
	if (r == 0)
		r = front ? sfr__region_init_huge(&arena->region, front, arena->size)
			  : sfr__region_init(&arena->region, arena->size);
	arena->base = arena->region.base;
	arena->owners = (struct sfr__slab **)(void *)arena->side.base;
	if (r < 0)
		sfr__arena_fini(arena);
	return r;
}

void sfr__arena_fini(struct sfr__arena *arena)
{
	sfr__region_fini(&arena->region);
	sfr__region_fini(&arena->side);
	*arena = (struct sfr__arena){0};
}

int sfr__arena_take(struct sfr__arena *arena, struct sfr__slab *slab, size_t size)
{
	size_t end = arena->taken + sfr__arena_round(arena, size);
	size_t piece = arena->taken >> arena->shift, pieces = end >> arena->shift;
	int r;

	if (end > arena->size)
		return -ENOMEM;
	r = sfr__region_grow(&arena->side, pieces * sizeof(*arena->owners));
	if (r == 0)
		r = sfr__region_grow(&arena->region, end);
	if (r < 0)
		return r;
	for (; piece < pieces; piece++)
		arena->owners[piece] = slab;
	arena->taken = end;
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What a spec comes to: how many blocks and descriptors there may be, and the addresses that are reserved
 * for them.
 */
#include "buffer/note.h"
#include "buffer/pool.h"

/* What the budget leaves beside the blocks that there are from the first. */
static uint64_t spec_room(const struct sfr__pool_spec *spec)
{
	uint64_t size = (uint64_t)spec->size * spec->count;

	return spec->budget > size ? spec->budget - size : 0;
}

/* How many blocks of a size fit in there. */
static uint32_t spec_more(const struct sfr__pool_spec *spec, uint32_t size)
{
	uint64_t count = size ? spec_room(spec) / size : 0;

	return (uint32_t)(count < SFR__BLOCKS_MAX - spec->count ? count
								: SFR__BLOCKS_MAX - spec->count);
}

size_t sfr__pool_blocks_max(const struct sfr__pool_spec *spec)
{
	return spec->count + spec_more(spec, spec->small ? spec->small : spec->size);
}

/* The largest that a block for streams may be. */
static uint32_t spec_stream(const struct sfr__pool_spec *spec)
{
	return spec_more(spec, spec->stream) ? spec->stream : 0;
}

static uint32_t block_max(const struct sfr__pool_spec *spec)
{
	uint32_t max = spec->large > spec->size ? spec->large : spec->size;

	return spec_stream(spec) > max ? spec_stream(spec) : max;
}

/* A region in huge pages has whole ones. */
#define HUGE_PAGE ((uint64_t)2 * 1024 * 1024)

static uint64_t arena_size(const struct sfr__pool_spec *spec)
{
	unsigned sizes = 1U + (spec->small > 0) + (spec->large > 0) + (spec_stream(spec) > 0);
	uint64_t size = sfr__arena_size((uint64_t)spec->size * spec->count + spec_room(spec),
					block_max(spec), sizes);

	return spec->huge ? (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1) : size;
}

/* Blocks of another size, made when somebody asks for one. 0 or -ENOMEM. */
static int class_init(struct sfr__pool *pool, struct sfr__slab *slab,
		      const struct sfr__pool_spec *spec, uint32_t size)
{
	uint32_t count_max = spec_more(spec, size);

	return count_max ? sfr__slab_init(slab, &pool->arena, size, count_max) : 0;
}

int sfr__pool_lay_out(struct sfr__pool *pool, const struct sfr__pool_spec *spec)
{
	size_t front = (size_t)spec->size * spec->count;
	size_t bufs_max = sfr__pool_blocks_max(spec) + spec->extra_max;
	int r = sfr__arena_init(&pool->arena, arena_size(spec), block_max(spec),
				spec->huge ? front : 0);

	sfr__array_init(&pool->descriptors, sizeof(struct sfr__buf), bufs_max);
	sfr__array_init(&pool->notes, sizeof(struct sfr__note), bufs_max);
	if (r == 0)
		r = sfr__slab_init(&pool->slab, &pool->arena, spec->size,
				   spec->count + spec_more(spec, spec->size));
	if (r == 0)
		r = sfr__slab_grow(&pool->slab, spec->count);
	if (r == 0)
		r = class_init(pool, &pool->small, spec, spec->small);
	if (r == 0)
		r = class_init(pool, &pool->large, spec, spec->large);
	pool->slab.front = spec->count;
	pool->stream_max = spec_stream(spec);
	pool->part_min = spec->small ? spec->small : spec->size;
	return r;
}

uint64_t sfr__pool_addresses(const struct sfr__pool_spec *spec)
{
	const uint64_t size = arena_size(spec);
	const uint32_t sizes[] = {spec->size, spec->small, spec->large, spec_stream(spec)};
	uint64_t sides = 0;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		sides += sizes[i] ? sfr__slab_addresses(size, sizes[i]) : 0;
	return sfr__arena_addresses(size, block_max(spec)) + sides +
	       sfr__array_addresses(sizeof(struct sfr__buf), spec->count) +
	       sfr__array_addresses(sizeof(struct sfr__note), spec->count);
}

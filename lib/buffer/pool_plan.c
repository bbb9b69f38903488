/* SPDX-License-Identifier: MIT */
/*
 * What a plan comes to: how many blocks and descriptors there may be, and the addresses that are reserved
 * for them.
 */
#include "buffer/pool.h"

/* What the budget leaves beside the blocks that there are from the first. */
static uint64_t plan_room(const struct sfr__pool_plan *plan)
{
	uint64_t size = (uint64_t)plan->size * plan->count;

	return plan->budget > size ? plan->budget - size : 0;
}

/* How many blocks of a size fit in there. */
static uint32_t plan_more(const struct sfr__pool_plan *plan, uint32_t size)
{
	uint64_t count = size ? plan_room(plan) / size : 0;

	return (uint32_t)(count < SFR__BLOCKS_MAX - plan->count ? count
								: SFR__BLOCKS_MAX - plan->count);
}

size_t sfr__pool_blocks_max(const struct sfr__pool_plan *plan)
{
	return plan->count + plan_more(plan, plan->small ? plan->small : plan->size);
}

static uint32_t block_max(const struct sfr__pool_plan *plan)
{
	return plan->large > plan->size ? plan->large : plan->size;
}

static uint64_t arena_size(const struct sfr__pool_plan *plan)
{
	return sfr__arena_size((uint64_t)plan->size * plan->count + plan_room(plan),
			       block_max(plan), 1U + (plan->small > 0) + (plan->large > 0));
}

/* Blocks of another size, made when somebody asks for one. 0 or -ENOMEM. */
static int class_init(struct sfr__pool *pool, struct sfr__slab *slab,
		      const struct sfr__pool_plan *plan, uint32_t size)
{
	uint32_t count_max = plan_more(plan, size);

	return count_max ? sfr__slab_init(slab, &pool->arena, size, count_max) : 0;
}

int sfr__pool_lay_out(struct sfr__pool *pool, const struct sfr__pool_plan *plan)
{
	size_t front = (size_t)plan->size * plan->count;
	int r = sfr__arena_init(&pool->arena, arena_size(plan), block_max(plan),
				plan->huge ? front : 0);

	sfr__array_init(&pool->descriptors, sizeof(struct sfr__buf),
			sfr__pool_blocks_max(plan) + plan->extra_max);
	if (r == 0)
		r = sfr__slab_init(&pool->slab, &pool->arena, plan->size,
				   plan->count + plan_more(plan, plan->size));
	if (r == 0)
		r = sfr__slab_grow(&pool->slab, plan->count);
	if (r == 0)
		r = class_init(pool, &pool->small, plan, plan->small);
	if (r == 0)
		r = class_init(pool, &pool->large, plan, plan->large);
	pool->slab.front = plan->count;
	return r;
}

uint64_t sfr__pool_addresses(const struct sfr__pool_plan *plan)
{
	const uint64_t size = arena_size(plan);
	const uint32_t sizes[] = {plan->size, plan->small, plan->large};
	uint64_t sides = 0;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		sides += sizes[i] ? sfr__slab_addresses(size, sizes[i]) : 0;
	return sfr__arena_addresses(size, block_max(plan)) + sides +
	       sfr__array_addresses(sizeof(struct sfr__buf), plan->count);
}

/* SPDX-License-Identifier: MIT */
/*
 * The edges of a batch: an array that grows while the batch is built, and never closes a cycle.
 */
#include "batch/batch.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>

bool sfr__batch_array_grow(void **array, size_t size, int32_t room)
{
	void *larger = realloc(*array, size * (size_t)room);

	if (larger)
		*array = larger;
	return larger != NULL;
}

static int edges_reserve(struct sfr__batch *batch)
{
	int32_t room = batch->edge_room ? 2 * batch->edge_room : 8;

	if (batch->plan.edge_count < batch->edge_room)
		return 0;
	if (!sfr__batch_array_grow((void **)&batch->plan.edges, sizeof(struct sfr__plan_edge),
				   room))
		return -ENOMEM;
	batch->edge_room = room;
	return 0;
}

/* The search goes through the whole graph, so first what rules it out in nearly all cases. */
static bool closes_cycle(struct sfr__batch *batch, int32_t from, int32_t to)
{
	return batch->backward && batch->nodes[from].waits && batch->nodes[to].awaited &&
	       sfr__plan_closes_cycle(&batch->plan, from, to);
}

int sfr__batch_edge_add(struct sfr__batch *batch, int32_t from, int32_t to,
			enum sfr__edge_kind kind)
{
	int r = edges_reserve(batch);

	if (r < 0)
		return r;
	batch->backward |= from > to;
	if (from == to || closes_cycle(batch, from, to))
		return -SFR_ECYCLE;
	batch->plan.edges[batch->plan.edge_count++] = (struct sfr__plan_edge){
		.from = from, .to = to, .kind = (uint8_t)kind, .must = kind != SFR__EDGE_ANY};
	batch->nodes[to].waits++;
	batch->nodes[from].awaited = true;
	sfr__batch_step(batch, SFR__BATCH_CHANGE);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "model.h"
#include <safer_ring/error.h>

static uint64_t bit(int n)
{
	return (uint64_t)1 << n;
}

bool model_edge_add(struct model *model, int from, int to, enum need need)
{
	int i;

	if (from == to || (model->before[from] & bit(to)) || model->edge_count == EDGES_MAX)
		return false;
	model->edges[model->edge_count++] = (struct model_edge){from, to, need};
	for (i = 0; i < NODES_MAX; i++)
		if (i == to || (model->before[i] & bit(to)))
			model->before[i] |= model->before[from] | bit(from);
	return true;
}

bool model_succeeded(const struct model *model, int n, const int *results)
{
	const struct model_node *node = &model->nodes[n];
	int whole = node->passes ? results[node->previous] : node->whole;

	return results[n] >= 0 && (whole < 0 || results[n] == whole);
}

bool model_may_run(const struct model *model, int n, const int *results)
{
	const struct model_edge *edge = model->edges, *end = edge + model->edge_count;
	bool may = true;

	for (; edge < end; edge++) {
		if (edge->to != n || edge->need == NEED_END)
			continue;
		may &= edge->need == NEED_SUCCESS ? model_succeeded(model, edge->from, results)
						  : results[edge->from] >= 0;
	}
	return may;
}

int model_outcome(const struct model *model, int n, const int *results)
{
	const struct model_node *node = &model->nodes[n];

	return node->passes && node->own >= 0 ? results[node->previous] : node->own;
}

void model_run(const struct model *model, int *results)
{
	uint64_t decided = 0,
		 all = model->node_count == 64 ? ~(uint64_t)0 : bit(model->node_count) - 1;
	int n;

	while (decided != all)
		for (n = 0; n < model->node_count; n++) {
			if ((decided & bit(n)) || (model->before[n] & ~decided))
				continue;
			results[n] = model_may_run(model, n, results)
					     ? model_outcome(model, n, results)
					     : -SFR_EDEPFAILED;
			decided |= bit(n);
		}
}

bool model_same(const struct model *model, int n, int expected, int result)
{
	return expected == result || (model->nodes[n].wins && expected >= 0 && result >= 0);
}

void model_order(const struct model *model, uint64_t ran, uint64_t *earlier)
{
	int round, i;

	for (i = 0; i < NODES_MAX; i++)
		earlier[i] = 0;
	for (round = 0; round < model->node_count; round++)
		for (i = 0; i < model->edge_count; i++) {
			const struct model_edge *edge = &model->edges[i];

			if ((ran & bit(edge->from)) && (ran & bit(edge->to)))
				earlier[edge->to] |= earlier[edge->from] | bit(edge->from);
		}
}

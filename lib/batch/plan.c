/* SPDX-License-Identifier: MIT */
/*
 * Three passes over the graph, each linear in nodes and edges, but for searching among the edges out of a
 * node. First an order in which nobody comes before what it waits for. Then, from its end: each node gets one
 * of those that wait for it alone linked behind it. Then, from its beginning: a node that waits for several
 * is linked behind the last of them, if the others turned out to be in that row or to be over before it
 * starts. The last pass only ever adds links.
 *
 * It may add them one by one: in that order a row has its first node for good when anything is linked to
 * its end. Nodes further down were linked by the pass before, wait for nothing but the node before them, and
 * so do not care how their row begins.
 */
#include "batch/plan.h"
#include <safer_ring/error.h>
#include <stdio.h>
#include <string.h>

enum { NO_EDGE = -1 };

static void plan_lists(struct sfr__plan *plan)
{
	int32_t i;

	for (i = 0; i < plan->node_count; i++)
		plan->nodes[i] = (struct sfr__plan_node){.next = SFR__PLAN_NO_NODE,
							 .prev = SFR__PLAN_NO_NODE,
							 .link = SFR__LINK_NONE,
							 .out = NO_EDGE,
							 .in = NO_EDGE};
	for (i = plan->edge_count - 1; i >= 0; i--) { /* so the lists begin with the first */
		struct sfr__plan_edge *edge = &plan->edges[i];

		edge->next_out = plan->nodes[edge->from].out;
		plan->nodes[edge->from].out = i;
		edge->next_in = plan->nodes[edge->to].in;
		plan->nodes[edge->to].in = i;
		plan->nodes[edge->to].waits++;
	}
}

/* False if there is no order, because of a cycle. */
static bool plan_sort(struct sfr__plan *plan)
{
	struct sfr__plan_node *nodes = plan->nodes;
	int32_t queued = 0, done, i, e;

	for (i = 0; i < plan->node_count; i++)
		if (!nodes[i].waits)
			nodes[queued++].order = i;
	for (done = 0; done < queued; done++) {
		nodes[nodes[done].order].place = done;
		for (e = nodes[nodes[done].order].out; e != NO_EDGE; e = plan->edges[e].next_out)
			if (--nodes[plan->edges[e].to].waits == 0)
				nodes[queued++].order = plan->edges[e].to;
	}
	return queued == plan->node_count;
}

/* How many nodes are ahead of each, itself included, on the longest way from it. The most of all. */
static int32_t plan_measure(struct sfr__plan *plan)
{
	struct sfr__plan_node *nodes = plan->nodes;
	int32_t longest = 0, k, e;

	for (k = plan->node_count - 1; k >= 0; k--) {
		struct sfr__plan_node *node = &nodes[nodes[k].order];

		node->ahead++;
		if (node->ahead > longest)
			longest = node->ahead;
		for (e = node->in; e != NO_EDGE; e = plan->edges[e].next_in)
			if (nodes[plan->edges[e].from].ahead < node->ahead)
				nodes[plan->edges[e].from].ahead = node->ahead;
	}
	return longest;
}

static bool edge_can_link(const struct sfr__plan_edge *edge)
{
	return edge->must ? edge->can == SFR__LINK_SOFT : edge->can != SFR__LINK_NONE;
}

/* The only node that another one waits for, if nothing speaks against linking the edges between them; else
 * SFR__PLAN_NO_NODE. */
static int32_t node_only(const struct sfr__plan *plan, const struct sfr__plan_node *node)
{
	int32_t only = SFR__PLAN_NO_NODE, e;

	for (e = node->in; e != NO_EDGE; e = plan->edges[e].next_in) {
		const struct sfr__plan_edge *edge = &plan->edges[e];

		if (!edge_can_link(edge) || (only != SFR__PLAN_NO_NODE && edge->from != only))
			return SFR__PLAN_NO_NODE;
		only = edge->from;
	}
	return only;
}

/* The last in order of those that a node waits for; SFR__PLAN_NO_NODE if there are none. */
static int32_t node_last(const struct sfr__plan *plan, const struct sfr__plan_node *node)
{
	int32_t last = SFR__PLAN_NO_NODE, e;

	for (e = node->in; e != NO_EDGE; e = plan->edges[e].next_in)
		if (last == SFR__PLAN_NO_NODE ||
		    plan->nodes[plan->edges[e].from].place > plan->nodes[last].place)
			last = plan->edges[e].from;
	return last;
}

static void plan_link(struct sfr__plan *plan, int32_t from, int32_t to)
{
	int32_t e;

	plan->nodes[from].next = to;
	plan->nodes[to].prev = from;
	plan->nodes[from].link = SFR__LINK_HARD;
	for (e = plan->nodes[to].in; e != NO_EDGE; e = plan->edges[e].next_in)
		if (plan->edges[e].from == from && plan->edges[e].must)
			plan->nodes[from].link = SFR__LINK_SOFT;
}

/*
 * Link behind each node one of those that wait for it alone. Where no way through the graph is longer than
 * a row may be, any of them will do: the one with the most ahead of it, so that the longest way takes the
 * fewest turns.
 *
 * Else the one with the shortest row, and that makes as many links as can be made: a shorter row at a
 * node is worth at most one link more above it, where a longer one would be full, and a link given up below
 * to shorten it costs one. So it is best to link at each node, and then to have the shortest row.
 */
static void plan_link_only(struct sfr__plan *plan, int32_t row_max)
{
	bool roomy = plan_measure(plan) <= row_max;
	struct sfr__plan_node *nodes = plan->nodes;
	int32_t k;

	for (k = plan->node_count - 1; k >= 0; k--) {
		int32_t i = nodes[k].order, before, rival;

		nodes[i].length = 1;
		if (nodes[i].next != SFR__PLAN_NO_NODE) { /* the best of the offers made below */
			plan_link(plan, i, nodes[i].next);
			nodes[i].length += nodes[nodes[i].next].length;
		}
		before = node_only(plan, &nodes[i]);
		if (before == SFR__PLAN_NO_NODE || nodes[i].length >= row_max)
			continue;
		rival = nodes[before].next;
		if (rival == SFR__PLAN_NO_NODE || (roomy ? nodes[i].ahead >= nodes[rival].ahead
							 : nodes[i].length <= nodes[rival].length))
			nodes[before].next = i;
	}
}

/* For each node, in order, the places to which edges lead from it. */
static void plan_sort_out(struct sfr__plan *plan)
{
	struct sfr__plan_node *nodes = plan->nodes;
	int32_t first = 0, k, e;

	for (k = 0; k < plan->node_count; k++) {
		nodes[k].outs = nodes[k].outs_end = first;
		for (e = nodes[k].out; e != NO_EDGE; e = plan->edges[e].next_out)
			first++;
	}
	for (k = 0; k < plan->node_count; k++)
		for (e = nodes[nodes[k].order].in; e != NO_EDGE; e = plan->edges[e].next_in)
			plan->edges[nodes[plan->edges[e].from].outs_end++].out_place = k;
}

static bool plan_has_edge(const struct sfr__plan *plan, int32_t from, int32_t to)
{
	int32_t low = plan->nodes[from].outs, high = plan->nodes[from].outs_end;

	while (low < high) {
		int32_t middle = low + (high - low) / 2, place = plan->edges[middle].out_place;

		if (place == plan->nodes[to].place)
			return true;
		if (place < plan->nodes[to].place)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/*
 * Whether a node can be linked behind the last one of those that it waits for. What it waits for is on that
 * row, with a soft link behind it if it must have succeeded; or over before the row starts, as the first
 * node waits for it, too.
 */
static bool node_joins(const struct sfr__plan *plan, const struct sfr__plan_node *node,
		       int32_t last)
{
	int32_t e, head = plan->nodes[last].row;

	for (e = node->in; e != NO_EDGE; e = plan->edges[e].next_in) {
		const struct sfr__plan_edge *edge = &plan->edges[e];
		const struct sfr__plan_node *from = &plan->nodes[edge->from];

		if (from->row != head) {
			if (!plan_has_edge(plan, edge->from, head))
				return false;
			continue;
		}
		if (!edge_can_link(edge) ||
		    (edge->from != last && edge->must && from->link != SFR__LINK_SOFT))
			return false;
	}
	return true;
}

static void plan_link_joins(struct sfr__plan *plan, int32_t row_max)
{
	struct sfr__plan_node *nodes = plan->nodes;
	int32_t k, last;

	plan_sort_out(plan);
	for (k = 0; k < plan->node_count; k++) {
		struct sfr__plan_node *node = &nodes[nodes[k].order];

		if (node->prev == SFR__PLAN_NO_NODE) {
			last = node_last(plan, node);
			if (last != SFR__PLAN_NO_NODE && nodes[last].next == SFR__PLAN_NO_NODE &&
			    nodes[last].rank + node->length <= row_max &&
			    node_joins(plan, node, last))
				plan_link(plan, last, nodes[k].order);
		}
		node->row = nodes[k].order;
		node->rank = 1;
		if (node->prev != SFR__PLAN_NO_NODE) {
			node->row = nodes[node->prev].row;
			node->rank += nodes[node->prev].rank;
		}
	}
}

int sfr__plan_make(struct sfr__plan *plan, int32_t row_max)
{
	plan_lists(plan);
	if (!plan_sort(plan))
		return -SFR_ECYCLE;
	plan_link_only(plan, row_max);
	plan_link_joins(plan, row_max);
	return 0;
}

int32_t sfr__plan_waits_on_row(const struct sfr__plan *plan, int32_t node, int32_t start)
{
	const struct sfr__plan_node *nodes = plan->nodes;
	int32_t count = 0, e;

	for (e = nodes[node].in; e != NO_EDGE; e = plan->edges[e].next_in) {
		const struct sfr__plan_node *from = &nodes[plan->edges[e].from];

		count += from->row == nodes[start].row && from->rank >= nodes[start].rank;
	}
	return count;
}

bool sfr__plan_closes_cycle(struct sfr__plan *plan, int32_t from, int32_t to)
{
	struct sfr__plan_node *nodes = plan->nodes;
	int32_t found = 0, done, e;

	plan_lists(plan);
	nodes[to].rank = 1; /* found */
	nodes[found++].order = to;
	for (done = 0; done < found; done++) {
		int32_t i = nodes[done].order;

		if (i == from)
			return true;
		for (e = nodes[i].out; e != NO_EDGE; e = plan->edges[e].next_out) {
			int32_t next = plan->edges[e].to;

			if (nodes[next].rank)
				continue;
			nodes[next].rank = 1;
			nodes[found++].order = next;
		}
	}
	return false;
}

/*
 * The text: nodes, and what stands before each. Room for the words that say it was cut off is always kept.
 */

static const char cut_off[] = " ...";

struct text {
	char *at;
	size_t room;
	bool cut;
};

static void text_add(struct text *text, const char *before, int32_t node)
{
	char words[32];
	size_t size = (size_t)snprintf(words, sizeof(words), "%s%d", before, (int)node);

	if (text->cut)
		return;
	text->cut = size + sizeof(cut_off) > text->room;
	if (text->cut) {
		memcpy(text->at, cut_off, sizeof(cut_off));
		return;
	}
	memcpy(text->at, words, size + 1);
	text->at += size;
	text->room -= size;
}

/* The lowest above `above` of those that a node waits for. */
static int32_t node_next_wait(const struct sfr__plan *plan, int32_t node, int32_t above)
{
	int32_t lowest = SFR__PLAN_NO_NODE, e;

	for (e = plan->nodes[node].in; e != NO_EDGE; e = plan->edges[e].next_in) {
		int32_t from = plan->edges[e].from;

		if (from > above && (lowest == SFR__PLAN_NO_NODE || from < lowest))
			lowest = from;
	}
	return lowest;
}

/* A row, and what its first node waits for: what else the others wait for is among that. */
static void text_add_row(struct text *text, const struct sfr__plan *plan, const char *before,
			 int32_t head)
{
	const struct sfr__plan_node *nodes = plan->nodes;
	int32_t waits_for = node_next_wait(plan, head, SFR__PLAN_NO_NODE), i;

	text_add(text, before, head);
	for (i = head; nodes[i].next != SFR__PLAN_NO_NODE; i = nodes[i].next)
		text_add(text, nodes[i].link == SFR__LINK_SOFT ? " =link=> " : " =hard=> ",
			 nodes[i].next);
	if (waits_for == SFR__PLAN_NO_NODE)
		return;
	if (i != head)
		text_add(text, "; ", head);
	text_add(text, " waits for ", waits_for);
	while (!text->cut &&
	       (waits_for = node_next_wait(plan, head, waits_for)) != SFR__PLAN_NO_NODE)
		text_add(text, ", ", waits_for);
}

void sfr__plan_describe(const struct sfr__plan *plan, sfr_batch_plan_info *info)
{
	struct text text = {.at = info->text, .room = sizeof(info->text)};
	const struct sfr__plan_node *nodes = plan->nodes;
	int32_t i;

	*info = (sfr_batch_plan_info){.ops = (unsigned)plan->node_count,
				      .edges = (unsigned)plan->edge_count};
	for (i = 0; i < plan->node_count; i++) {
		info->links += nodes[i].link != SFR__LINK_NONE;
		info->hard_links += nodes[i].link == SFR__LINK_HARD;
		info->chains += nodes[i].next != SFR__PLAN_NO_NODE &&
				nodes[i].prev == SFR__PLAN_NO_NODE;
	}
	for (i = 0; i < plan->edge_count; i++)
		info->released += nodes[plan->edges[i].from].row != nodes[plan->edges[i].to].row;
	for (i = 0; i < plan->node_count && !text.cut; i++)
		if (nodes[i].prev == SFR__PLAN_NO_NODE)
			text_add_row(&text, plan, text.at == info->text ? "" : "; ", i);
}

/* SPDX-License-Identifier: MIT */
/*
 * The graph is in arrays that are filled with rubbish before each test, so a planner that reads
 * what it did not write is noticed. What a plan may link is checked from its edges alone, not by
 * planning a second time.
 */
#include "plan_graph.h"
#include <stdlib.h>
#include <string.h>

struct sfr__plan_node nodes[NODES_MAX];
struct sfr__plan_edge edges[EDGES_MAX];
struct sfr__plan plan;
sfr_batch_plan_info info;
static unsigned state;

void random_from(unsigned seed)
{
	state = seed;
}

int any(int below)
{
	return rand_r(&state) % below;
}

void graph(int node_count)
{
	memset(nodes, 0xa5, (size_t)node_count * sizeof(nodes[0]));
	plan = (struct sfr__plan){.nodes = nodes, .edges = edges, .node_count = node_count};
}

void edge(int from, int to, bool must, enum sfr__plan_link can)
{
	edges[plan.edge_count++] = (struct sfr__plan_edge){
		.from = from, .to = to, .must = must, .can = (uint8_t)can};
}

void after(int to, int from)
{
	edge(from, to, true, SFR__LINK_SOFT);
}

void after_any(int to, int from)
{
	edge(from, to, false, SFR__LINK_HARD);
}

void path(int node_count)
{
	int i;

	graph(node_count);
	for (i = 1; i < node_count; i++)
		after(i, i - 1);
}

const char *described(void)
{
	memset(&info, 0xa5, sizeof(info));
	sfr__plan_describe(&plan, &info);
	return info.text;
}

const char *planned(int row_max)
{
	ck_assert_int_eq(sfr__plan_make(&plan, row_max), 0);
	return described();
}

int link_count(void)
{
	int count = 0, i;

	for (i = 0; i < plan.node_count; i++)
		count += nodes[i].next != SFR__PLAN_NO_NODE;
	return count;
}

bool waits_for(int node, int other)
{
	int e;

	for (e = nodes[node].in; e != -1; e = edges[e].next_in)
		if (edges[e].from == other)
			return true;
	return false;
}

bool is_ahead_in_row(int node, int other, int *head_out)
{
	bool found = false;

	for (*head_out = other; nodes[*head_out].prev >= 0; found |= *head_out == node)
		*head_out = nodes[*head_out].prev;
	return found;
}

/* One into a node that is linked: it keeps nobody from that. */
static void check_edge(const struct sfr__plan_edge *edge)
{
	int head;

	if (is_ahead_in_row(edge->from, edge->to, &head)) {
		if (edge->can == SFR__LINK_NONE)
			ck_abort_msg("node %d is linked, and an edge of it cannot be", edge->to);
		if (edge->must && nodes[edge->from].link != SFR__LINK_SOFT)
			ck_abort_msg("node %d is linked, whether or not %d succeeds", edge->to,
				     edge->from);
	} else if (!waits_for(head, edge->from)) {
		ck_abort_msg("node %d is linked, and %d need not be over", edge->to, edge->from);
	}
}

void check_links(int row_max)
{
	int i, e, length;

	for (i = 0; i < plan.node_count; i++) {
		int next = nodes[i].next, prev = nodes[i].prev;
		bool linked = next != SFR__PLAN_NO_NODE;

		if (linked != (nodes[i].link != SFR__LINK_NONE) ||
		    (linked && nodes[next].prev != i) ||
		    (prev != SFR__PLAN_NO_NODE && nodes[prev].next != i))
			ck_abort_msg("the links of node %d do not fit together", i);
		if (prev != SFR__PLAN_NO_NODE)
			continue;
		for (length = 1, next = i; nodes[next].next != SFR__PLAN_NO_NODE; length++)
			next = nodes[next].next;
		if (length > row_max)
			ck_abort_msg("a row of %d", length);
	}
	for (i = 0; i < plan.node_count; i++) {
		bool edges_between = false, must = false;

		for (e = nodes[i].in; e != -1; e = edges[e].next_in) {
			if (nodes[i].prev != SFR__PLAN_NO_NODE)
				check_edge(&edges[e]);
			edges_between |= edges[e].from == nodes[i].prev;
			must |= edges[e].from == nodes[i].prev && edges[e].must;
		}
		if (nodes[i].prev == SFR__PLAN_NO_NODE)
			continue;
		if (!edges_between)
			ck_abort_msg("node %d is linked behind what it does not wait for", i);
		if (nodes[nodes[i].prev].link != (must ? SFR__LINK_SOFT : SFR__LINK_HARD))
			ck_abort_msg("the link to node %d is of the wrong kind", i);
	}
}

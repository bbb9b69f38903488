/*
 * Plan: which dependencies of a batch become kernel links, and which ones the loop looks after.
 *
 * Pure: no I/O, no ops, no memory but what it is handed. What it knows of an edge is by what kind of link
 * an engine could take it over, if at all.
 *
 * A chain is a path of nodes, each linked to the next. A soft link keeps what is behind it from being
 * started when the node before it did not succeed in full, and all the rest of the chain as well; a hard
 * link lets it start whatever the outcome. A node can be linked behind another one only if all else that it
 * waits for is on the same chain before that, with a soft link right behind whatever must have succeeded.
 *
 * Of paths and trees (no node waits for more than one other) as many edges become links as can, with chains
 * of at most chain_max nodes. Of other graphs at least one edge on every path does, where any can.
 */
#ifndef SFR_LIB_PLAN_H
#define SFR_LIB_PLAN_H

#include <safer_ring/batch.h>
#include <stdint.h>

enum sfr__plan_link {
	SFR__LINK_NONE, /* the loop must look after it */
	SFR__LINK_SOFT,
	SFR__LINK_HARD,
};

enum { SFR__PLAN_NO_NODE = -1 };

struct sfr__plan_edge {
	int32_t from, to; /* `to` waits for `from` */
	bool must;        /* for its success, not just for its end */
	uint8_t can; /* enum sfr__plan_link: what could take it over, if `to` came right behind */
	/* The planner's: the next edge out of the same node, and into the same node; -1: none. */
	int32_t next_out, next_in;
};

struct sfr__plan_node {
	/* The result. */
	int32_t next, prev; /* on its chain; SFR__PLAN_NO_NODE at its ends */
	uint8_t link;       /* enum sfr__plan_link: to `next` */
	/* The planner's. */
	int32_t out, in; /* first edges */
	int32_t order;   /* the node at this place of a topological order */
	int32_t place;   /* of this node in that order */
	int32_t waits;   /* scratch */
	int32_t length;  /* scratch */
};

struct sfr__plan {
	struct sfr__plan_node *nodes;
	struct sfr__plan_edge *edges;
	int32_t node_count, edge_count;
};

/*
 * Make the plan, with chains of at most chain_max nodes (1: no links). 0, or -SFR_ECYCLE. Edges are between
 * nodes that exist, and no node waits for itself.
 */
int sfr__plan_make(struct sfr__plan *plan, int32_t chain_max);

/* Whether an edge from `from` to `to` would close a cycle; uses the nodes' fields, and sets up the lists of
 * edges anew. */
bool sfr__plan_closes_cycle(struct sfr__plan *plan, int32_t from, int32_t to);

/* Describe a plan that was made. */
void sfr__plan_describe(const struct sfr__plan *plan, sfr_batch_plan_info *info);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Plan: which dependencies of a batch become kernel links, and which ones the loop looks after.
 *
 * Pure: no I/O, no ops, no memory but what it is handed. What it knows of an edge is by what kind of link
 * an engine could take it over, if at all.
 *
 * A row is a path of nodes, each linked to the next. A soft link keeps what is behind it from being
 * started when the node before it did not succeed in full, and all the rest of the row as well, behind
 * hard links too; a hard link lets the next one start whatever the outcome. A node is linked behind another
 * one that it waits for, and only if each of the others that it waits for is
 *
 *	in the same row, before that, with a soft link right behind it if it must have succeeded; or
 *	over before the row starts, for the first node of the row waits for it, too. That edge need not be
 *	one that an engine could take over: by then it is known how it ended.
 *
 * Hence no node starts before all that it waits for has ended, and none for which something failed that must
 * have succeeded, if two keep to the plan: an engine that keeps to the links, and whoever starts a row. He
 * starts its first node when all that it waits for has ended, gives nodes to the engine only as far as
 * nothing has failed for them by then, and looks after the rest himself. So he does with what a broken row
 * left: an engine may well hold back a node that should run.
 *
 * A row may also be started further on, when what is before was not to run. Then it can be that something
 * is not over though the first node is, which was cancelled while it waited: ask
 * sfr__plan_waits_on_row().
 *
 * Of paths and trees (no node waits for more than one other) as many edges become links as can, with rows
 * of at most row_max nodes. In any graph a node has another one linked behind it if one waits for it
 * alone and can be linked, but for rows that are full. No such link is given up for one to a node that
 * waits for several.
 */
#ifndef SFR_LIB_BATCH_PLAN_H
#define SFR_LIB_BATCH_PLAN_H

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
	uint8_t kind;     /* the caller's own */
	uint8_t can; /* enum sfr__plan_link: what could take it over, if `to` came right behind */
	/* The planner's: the next edge out of the same node, and into the same node; -1: none. */
	int32_t next_out, next_in;
	int32_t out_place; /* not of this edge: see outs */
};

struct sfr__plan_node {
	/* The result. */
	int32_t next, prev; /* in its row; SFR__PLAN_NO_NODE at its ends */
	uint8_t link;       /* enum sfr__plan_link: to `next` */
	/* The planner's. */
	int32_t out, in; /* first edges */
	int32_t order;   /* the node at this place of a topological order */
	int32_t place;   /* of this node in that order */
	int32_t waits;   /* edges into it from nodes that are not in that order yet */
	int32_t ahead;   /* nodes on the longest way from it, with itself */
	int32_t length;  /* of its row from here on, before joins */
	int32_t row;     /* its first node */
	int32_t rank;    /* in that row; 1: the first */
	int32_t outs; /* first of the edges that keep, in order, to which places edges from it lead */
	int32_t outs_end; /* behind the last of them */
};

struct sfr__plan {
	struct sfr__plan_node *nodes;
	struct sfr__plan_edge *edges;
	int32_t node_count, edge_count;
};

/*
 * Make the plan, with rows of at most row_max nodes (1: no links). 0, or -SFR_ECYCLE. Edges are between
 * nodes that exist.
 */
int sfr__plan_make(struct sfr__plan *plan, int32_t row_max);

/*
 * How many edges lead to a node from its own row, of those that begin at `start` or behind it. A row that
 * starts there can be linked as far as each node has no other edges from what has not ended.
 */
int32_t sfr__plan_waits_on_row(const struct sfr__plan *plan, int32_t node, int32_t start);

/*
 * Whether an edge from `from` to `to` would close a cycle; from a node to itself does. Forgets a plan that
 * was made. It looks at every edge there is: while all of them lead from a lower to a higher index, and this
 * one too, there is no need to ask.
 */
bool sfr__plan_closes_cycle(struct sfr__plan *plan, int32_t from, int32_t to);

/*
 * Describe a plan that was made. Rows and single nodes come in the order of their first node, each with
 * what that one waits for: what else the others wait for is in the row, or among that.
 *
 * An edge counts as released, by whoever starts rows, unless both its nodes are in one row: so do those
 * into the middle of a row from what is over before it starts.
 */
void sfr__plan_describe(const struct sfr__plan *plan, sfr_batch_plan_info *info);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Graphs for the suites of the planner: one at a time, of edges as a batch declares them.
 */
#ifndef SFR_TESTS_PLAN_GRAPH_H
#define SFR_TESTS_PLAN_GRAPH_H

#include "cases.h"
#include "batch/plan.h"

enum { NODES_MAX = 32768, EDGES_MAX = 100000 };

extern struct sfr__plan_node nodes[NODES_MAX];
extern struct sfr__plan_edge edges[EDGES_MAX];
extern struct sfr__plan plan;
extern sfr_batch_plan_info info; /* of the plan described last */

/* Begin a graph without edges. */
void graph(int node_count);

void edge(int from, int to, bool must, enum sfr__plan_link can);

/* Those of a kernel that breaks and keeps rows just as declared. */
void after(int to, int from);
void after_any(int to, int from);

/* A graph in which each node but the first comes after the one before it. */
void path(int node_count);

/* Make the plan and describe it, or describe the one that was made; returns the text. */
const char *planned(int row_max);
const char *described(void);

int link_count(void);

/* Whether there is an edge from `other` to `node`. */
bool waits_for(int node, int other);

/* Whether `node` is in the row of `other`, before it. Where that row starts. */
bool is_ahead_in_row(int node, int other, int *head_out);

/* A plan is made of links along edges, each is of the kind that its edges ask for, and what else a node that
 * is linked waits for is in the row as well, or over before it starts. */
void check_links(int row_max);

/* A random number, at least 0 and below `below`; the same ones after the same random_from(). */
int any(int below);
void random_from(unsigned seed);

#endif

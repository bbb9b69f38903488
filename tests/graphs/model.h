/* SPDX-License-Identifier: MIT */
/*
 * The reference model: what becomes of each operation of a batch, by the words of batch/batch.h.
 *
 * It knows of each operation what comes of it if it runs, and of each dependency what it asks for; nothing
 * of rows, turns or engines.
 */
#ifndef SFR_TESTS_GRAPHS_MODEL_H
#define SFR_TESTS_GRAPHS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum { NODES_MAX = 64, EDGES_MAX = 1024 };

enum need {
	NEED_SUCCESS,    /* sfr_batch_after() */
	NEED_END,        /* sfr_batch_after_any() */
	NEED_BUFFER,     /* sfr_batch_then() of one without a buffer */
	NEED_DESCRIPTOR, /* sfr_batch_fd() */
};

struct model_edge {
	int from, to;
	enum need need;
};

struct model_node {
	int own;      /* its result if it runs */
	int whole;    /* how many bytes it is to transfer; -1: it transfers none */
	int previous; /* whose buffer it inherits; -1 */
	bool passes;  /* transfers what it inherited, if `own` is no error */
	bool wins;    /* its result is a descriptor, whichever, if `own` is no error */
};

struct model {
	int node_count, edge_count;
	struct model_node nodes[NODES_MAX];
	struct model_edge edges[EDGES_MAX];
	uint64_t before[NODES_MAX]; /* those that it waits for, directly or through others */
};

/* False, and nothing is changed, if it would close a cycle or there are too many. */
bool model_edge_add(struct model *model, int from, int to, enum need need);

/* Whether it succeeded in full. */
bool model_succeeded(const struct model *model, int n, const int *results);

/* Whether what it waits for allows it to run, and what it then says, after these results. */
bool model_may_run(const struct model *model, int n, const int *results);
int model_outcome(const struct model *model, int n, const int *results);

/* The results of all of them. */
void model_run(const struct model *model, int *results);

/* Whether a result is as it should be. */
bool model_same(const struct model *model, int n, int expected, int result);

/*
 * Those which had ended, for sure, before each started: `ran` tells which did run. One that did not may have
 * ended before those that it waits for.
 */
void model_order(const struct model *model, uint64_t ran, uint64_t *earlier);

#endif

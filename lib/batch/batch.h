/* SPDX-License-Identifier: MIT */
/*
 * Batch: operations, and what they wait for, as the files that make up batches share it.
 *
 *	batch/batch.c  built, asked for results, emptied
 *	batch/edges.c  who waits for whom, without cycles
 *	batch/life.c   what may happen to a batch and to a node of it
 *	batch/fds.c    descriptors that its own ops will win
 *	batch/links.c  which edges an engine could take over; batch/plan.c decides
 *	batch/run.c    from the first op that starts to the callback after the last
 */
#ifndef SFR_LIB_BATCH_BATCH_H
#define SFR_LIB_BATCH_BATCH_H

#include "batch/life.h"
#include "batch/plan.h"
#include "loop/loop.h"

enum sfr__edge_kind {
	SFR__EDGE_AFTER, /* declared */
	SFR__EDGE_ANY,   /* declared: for its end only */
	SFR__EDGE_DATA,  /* an op that inherits: how much is not asked */
	SFR__EDGE_FD,    /* an op that uses a descriptor */
};

/* What is left of an op when it has ended, and what must be known of it before. */
struct sfr__node {
	struct sfr__batch *batch;
	sfr_op *op;              /* NULL from ENDED on */
	sfr_buf *buf;            /* after that, until somebody takes it */
	int result;              /* after that */
	const sfr_buf *expected; /* another's, that it will inherit if its link holds */
	uint32_t whole;          /* bytes it is to transfer; known when it starts */
	int32_t waits;           /* for so many that have not ended */
	int32_t ended;           /* the next that has ended and is to be dealt with */
	int32_t source;          /* whose buffer it inherits; SFR__PLAN_NO_NODE */
	int32_t heir;            /* the first that inherits its own; SFR__PLAN_NO_NODE */
	int32_t closes;          /* whose descriptor it closes; SFR__PLAN_NO_NODE */
	int name;                /* of the registered file that it fills, if `fills_place` */
	uint8_t kind;            /* enum sfr__op_kind */
	uint8_t state;           /* enum sfr__node_state; its one writer is sfr__node_step */
	/* As the batch was built; none of these changes while it runs. */
	bool heirs;       /* others inherit its buffer, beside `heir` */
	bool lent;        /* others may have shares of what it inherits */
	bool awaited;     /* others wait for it */
	bool unnamed;     /* it uses descriptors that are not known before it starts */
	bool fills_place; /* it fills a place of the registered files */
	/* What became of what it left. */
	bool claimed; /* somebody has the descriptor that it won */
	bool gone;    /* somebody has the buffer: see sfr__node_take */
};

struct sfr__batch_waiter {
	bool done;
	int failed;
};

struct sfr__batch {
	struct sfr__object object;
	sfr_loop *loop;
	struct sfr__node *nodes;
	struct sfr__plan plan;
	int32_t node_room, edge_room;
	int32_t left;    /* ops that are not settled */
	int32_t failed;  /* ops that ended with an error */
	int32_t ended;   /* the first to be dealt with */
	int error;       /* why it cannot be submitted */
	uint8_t state;   /* enum sfr__batch_state; its one writer is sfr__batch_step */
	bool backward;   /* as it was built: an op waits for a later one, so there may be cycles */
	uint16_t serial; /* in names of descriptors */
	struct sfr__timer timer;
	uint64_t within_ns; /* 0: it has no deadline */
	sfr_batch_done *done;
	void *arg;
	struct sfr__batch_waiter *waiter;
};

/* What callers have of it. */
static inline sfr_batch *sfr__batch_handle(const struct sfr__batch *batch)
{
	return (sfr_batch *)batch->object.handle;
}

/* And back. NULL: there is none, it is stale, or the caller is not on the thread of its loop. */
static inline struct sfr__batch *sfr__batch_of(const sfr_batch *handle)
{
	return sfr__object_find(handle, SFR__HANDLE_BATCH);
}

/* Of a handle for which that was NULL: what the caller is answered. */
__attribute__((cold)) int sfr__batch_refuse(const sfr_batch *handle);

/* 0 if the caller may use it. And if it is being built. */
static inline int sfr__batch_check(const sfr_batch *handle, const struct sfr__batch *batch)
{
	return sfr__likely(batch != NULL) ? 0 : sfr__batch_refuse(handle);
}
int sfr__batch_check_building(const sfr_batch *handle, const struct sfr__batch *batch);

static inline bool sfr__batch_has(const struct sfr__batch *batch, int index)
{
	return index >= 0 && index < batch->plan.node_count;
}

static inline int32_t sfr__node_index(const struct sfr__node *node)
{
	return (int32_t)(node - node->batch->nodes);
}

static inline bool sfr__batch_is_building(const struct sfr__batch *batch)
{
	return batch->state == SFR__BATCH_BUILDING || batch->state == SFR__BATCH_PLANNED;
}

static inline bool sfr__batch_is_done(const struct sfr__batch *batch)
{
	return batch->state == SFR__BATCH_DONE || batch->state == SFR__BATCH_CANCELLED;
}

/* Submitted, and not done. */
static inline bool sfr__batch_runs(const struct sfr__batch *batch)
{
	return !sfr__batch_is_building(batch) && !sfr__batch_is_done(batch);
}

static inline bool sfr__node_has_ended(const struct sfr__node *node)
{
	return node->state >= SFR__NODE_ENDED;
}

/* What an op left, for somebody who has it from now on. */
static inline sfr_buf *sfr__node_take(struct sfr__node *node)
{
	sfr_buf *buf = node->buf;

	node->buf = NULL;
	node->gone = true;
	return buf;
}

/* Give an array, of elements of a size, this much room. False without memory: the old array stays. */
bool sfr__batch_array_grow(void **array, size_t size, int32_t room);

/* 0; -SFR_ECYCLE; -ENOMEM. */
int sfr__batch_edge_add(struct sfr__batch *batch, int32_t from, int32_t to,
			enum sfr__edge_kind kind);

/* An op was added: what it says of descriptors of the batch becomes edges. 0 or an error. */
int sfr__batch_fds_adopt(struct sfr__batch *batch, int32_t index, sfr_op *op);

/* It is about to start, or to be linked: put descriptors for their names. False if one is not known yet. */
bool sfr__batch_fds_resolve(struct sfr__node *node);

/* Make the plan if that is not done. 0, or why it cannot be submitted. */
int sfr__batch_plan(struct sfr__batch *batch);

#endif

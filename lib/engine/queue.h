/* SPDX-License-Identifier: MIT */
/*
 * Queue: the language that everything above speaks. Submission queue entries in, completion queue
 * entries out, in memory laid out as the kernel's rings are, whichever engine executes them.
 */
#ifndef SFR_LIB_ENGINE_QUEUE_H
#define SFR_LIB_ENGINE_QUEUE_H

#include "base/invariant.h"
#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/* Added to the user_data of an entry that completes without having been started: it was linked behind one
 * that the engine took, and could not be taken together with it. Users of the queue leave the bit free. */
enum { SFR__CQE_UNSENT = 4 };

struct sfr__queue {
	/* Submission: entries [sq_head, sq_tail) are written and not yet the engine's. */
	struct io_uring_sqe *sqes;
	uint32_t sq_mask, sq_entries;
	uint32_t sq_head, sq_tail;
	/* Completion: entries [*cq_head, *cq_tail) are the engine's word, not yet reaped. */
	struct io_uring_cqe *cqes;
	uint32_t cq_mask;
	unsigned *cq_head, *cq_tail;
};

static inline uint32_t sfr__queue_written(const struct sfr__queue *queue)
{
	return queue->sq_tail - queue->sq_head;
}

/* The place of the next entry, for who writes all of it; NULL until the engine has taken some. */
static inline struct io_uring_sqe *sfr__queue_place(struct sfr__queue *queue)
{
	if (sfr__unlikely(sfr__queue_written(queue) == queue->sq_entries))
		return NULL;
	return &queue->sqes[queue->sq_tail++ & queue->sq_mask];
}

/* The next entry, empty: liburing's helpers set what they have a use for, and leave the rest as it was. */
static inline struct io_uring_sqe *sfr__queue_sqe(struct sfr__queue *queue)
{
	struct io_uring_sqe *sqe = sfr__queue_place(queue);

	if (sfr__likely(sqe != NULL))
		*sqe = (struct io_uring_sqe){0};
	return sqe;
}

/* The oldest completion; NULL if there is none. Read it, then pop: popping frees the entry. */
static inline const struct io_uring_cqe *sfr__queue_cqe(const struct sfr__queue *queue)
{
	uint32_t head = *queue->cq_head;

	if (head == io_uring_smp_load_acquire(queue->cq_tail))
		return NULL;
	return &queue->cqes[head & queue->cq_mask];
}

static inline uint32_t sfr__queue_ready(const struct sfr__queue *queue)
{
	return io_uring_smp_load_acquire(queue->cq_tail) - *queue->cq_head;
}

static inline void sfr__queue_pop(struct sfr__queue *queue)
{
	io_uring_smp_store_release(queue->cq_head, *queue->cq_head + 1);
}

#endif

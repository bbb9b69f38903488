/* SPDX-License-Identifier: MIT */
/*
 * Completion: entries of the completion queue, as an interpreter writes them.
 */
#ifndef SFR_LIB_ENGINE_INTERPRETER_COMPLETION_H
#define SFR_LIB_ENGINE_INTERPRETER_COMPLETION_H

#include "engine/interpreter/interpreter.h"

static inline bool sfr__cq_has_room(const struct sfr__interpreter *interpreter)
{
	return interpreter->cq_tail - interpreter->cq_head <= interpreter->engine.queue.cq_mask;
}

static inline void sfr__cq_write(struct sfr__interpreter *interpreter,
				 const struct sfr__flight *flight, int result, unsigned flags)
{
	struct sfr__queue *queue = &interpreter->engine.queue;

	queue->cqes[interpreter->cq_tail++ & queue->cq_mask] = (struct io_uring_cqe){
		.user_data = flight->request.sqe.user_data, .res = result, .flags = flags};
}

#endif

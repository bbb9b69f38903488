/* SPDX-License-Identifier: MIT */
/*
 * Ops on registered files (loop/files.h), and ops that fill or empty a place of their table.
 */
#ifndef SFR_LIB_OP_REGISTERED_H
#define SFR_LIB_OP_REGISTERED_H

#include "loop/loop.h"

/* Make the entry of an op that has a name for a descriptor one that the engine understands. */
void sfr__registered_write(const sfr_op *op, struct io_uring_sqe *sqe);

/* The other descriptor of a splice has its place in the entry from the first. And by which name it goes. */
void sfr__registered_splice(sfr_op *op);
int sfr__registered_splice_in(const sfr_op *op);

/* Whether an op has the name of a place that is not full. */
bool sfr__registered_is_missing(const sfr_op *op);

/* A worker of the loop was to do an op, and has no descriptor to do it with: why not. */
int sfr__registered_refuse(const sfr_op *op);

/* The name of the place that an op with SFR__OP_PLACE is to fill. */
int sfr__place_name(const sfr_op *op);

/* The number of the place that an op with SFR__OP_PLACE fills; SFR__NO_PLACE if it fills none. */
unsigned sfr__place_filled_by(const sfr_op *op);

/* An op with SFR__OP_PLACE starts, and the engine has it wait for the end of an op that fills the place
 * `ahead`, or of none (SFR__NO_PLACE); and it is done: what its result comes to. 0 or an error. */
int sfr__place_begin(const sfr_op *op, unsigned ahead);
int sfr__place_end(const sfr_op *op, int result);

/*
 * A place is its op's from when the op starts: before that others may fill and empty it. So the flag is put by
 * while the op is held, and back when it starts.
 */

static inline void sfr__place_unhold(sfr_op *op)
{
	if (op->flags & SFR__OP_PLACE_HELD)
		op->flags ^= SFR__OP_PLACE_HELD | SFR__OP_PLACE;
}

static inline void sfr__place_hold(sfr_op *op)
{
	if (op->flags & SFR__OP_PLACE)
		op->flags ^= SFR__OP_PLACE_HELD | SFR__OP_PLACE;
}

#endif

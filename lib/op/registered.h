/* SPDX-License-Identifier: MIT */
/*
 * Ops on registered files (loop/fixed_file.h), and ops that fill or empty a slot of their table.
 */
#ifndef SFR_LIB_OP_REGISTERED_H
#define SFR_LIB_OP_REGISTERED_H

#include "loop/loop.h"

/* Make the entry of an op that has a name for a descriptor one that the engine understands. */
void sfr__fixed_file_write(const sfr_op *op, struct io_uring_sqe *sqe);

/* The other descriptor of a splice has its slot in the entry from the first. And by which name it goes. */
void sfr__fixed_splice(sfr_op *op);
int sfr__fixed_splice_in(const sfr_op *op);

/* Whether an op has the name of a slot that is not full. */
bool sfr__fixed_file_is_missing(const sfr_op *op);

/* A worker of the loop was to do an op, and has no descriptor to do it with: why not. */
int sfr__fixed_file_refuse(const sfr_op *op);

/* The name of the slot that an op with SFR__OP_SLOT is to fill. */
int sfr__fixed_slot_name(const sfr_op *op);

/* The number of the slot that an op with SFR__OP_SLOT fills; SFR__NO_SLOT if it fills none. */
unsigned sfr__slot_filled_by(const sfr_op *op);

/* An op with SFR__OP_SLOT starts, and the engine has it wait for the end of an op that fills the slot
 * `ahead`, or of none (SFR__NO_SLOT); and it is done: what its result comes to. 0 or an error. */
int sfr__slot_begin(const sfr_op *op, unsigned ahead);
int sfr__slot_end(const sfr_op *op, int result);

/*
 * A slot is its op's from when the op starts: before that others may fill and empty it. So the flag is put by
 * while the op is held, and back when it starts.
 */

static inline void sfr__slot_unhold(sfr_op *op)
{
	if (op->flags & SFR__OP_SLOT_HELD)
		op->flags ^= SFR__OP_SLOT_HELD | SFR__OP_SLOT;
}

static inline void sfr__slot_hold(sfr_op *op)
{
	if (op->flags & SFR__OP_SLOT)
		op->flags ^= SFR__OP_SLOT_HELD | SFR__OP_SLOT;
}

#endif

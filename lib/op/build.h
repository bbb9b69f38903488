/* SPDX-License-Identifier: MIT */
/*
 * Builders: what each of them begins with.
 */
#ifndef SFR_LIB_OP_BUILD_H
#define SFR_LIB_OP_BUILD_H

#include "loop/loop.h"
#include "op/kind.h"

/* An op in state BUILDING; NULL without memory: never with a buffer. */
sfr_op *sfr__op_new(sfr_loop *loop, enum sfr__op_kind kind, bool with_buf);

/* One that takes the caller's buffer, with result < 0 if that was not his to give. */
sfr_op *sfr__op_new_with(sfr_loop *loop, enum sfr__op_kind kind, sfr_buf *buf);

/* The same for ops that fill it with that many bytes at least. */
sfr_op *sfr__op_new_into(sfr_loop *loop, enum sfr__op_kind kind, sfr_buf *buf, uint32_t room);

/* Whether it is there, and nothing is wrong with it so far. */
static inline bool sfr__op_sound(const sfr_op *op)
{
	return op && op->result == 0;
}

/* An op that sends a chain of buffers from a send queue, at most SFR__GATHER_MAX of them; its callback
 * gets the chain as it is. NULL without memory. */
sfr_op *sfr__op_send_chain(sfr_loop *loop, int fd, sfr_buf *chain);

#endif

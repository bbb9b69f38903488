/* SPDX-License-Identifier: MIT */
/*
 * Ops that were built without the buffer that they need, and that inherit one: only in batches. Anywhere else
 * such an op ends with -SFR_EPOOLEMPTY.
 */
#ifndef SFR_LIB_OP_INHERIT_H
#define SFR_LIB_OP_INHERIT_H

#include "loop/loop.h"
#include "op/kind.h"
#include <safer_ring/error.h>

/* What a builder gives when there is something wrong: an op for which only the buffer is missing keeps
 * what else it was told. */
sfr_op *sfr__op_hollow(sfr_op *op, int opcode, int fd, uint64_t off);

/* One that can inherit, and has not. */
static inline bool sfr__op_is_hollow(const sfr_op *op)
{
	return op && op->result == -SFR_EPOOLEMPTY && !op->buf && sfr__op_is(op, SFR__KIND_LENGTH);
}

/* Whether its entry was made. One that is held with an error of its own may have none. */
static inline bool sfr__op_has_entry(const sfr_op *op)
{
	return op->state != SFR__OP_QUEUED || op->result == 0 || sfr__op_is_hollow(op);
}

/* Whether a buffer that another op has could be this one's afterwards, and have the engine go on by itself. */
bool sfr__op_may_expect(const sfr_op *op, const sfr_buf *buf);

/* Point its entry at so many bytes there, which will be its own by the time it runs. */
void sfr__op_expect(sfr_op *op, const sfr_buf *buf, uint32_t len);

/* A buffer of its own: taken, whatever happens. It may be started already, on what it was to expect. */
void sfr__op_inherit(sfr_op *op, sfr_buf *buf);

#endif

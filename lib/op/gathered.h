/* SPDX-License-Identifier: MIT */
/*
 * Ops on chains: sent or written from all of their parts with one system call, or with as many as it
 * takes under sfr_all().
 */
#ifndef SFR_LIB_OP_GATHERED_H
#define SFR_LIB_OP_GATHERED_H

#include "base/list.h"
#include "loop/gather.h"
#include "loop/loop.h"

/* Have an op that carries a chain send or write all of it. */
void sfr__op_gather_send(sfr_op *op, int fd, unsigned flags);
void sfr__op_gather_write(sfr_op *op, int fd, uint64_t off);

/* Some bytes are done. True if others are left, and the entry is ready to go on with them. */
bool sfr__op_gather_advance(sfr_op *op, uint32_t count);

/* The flags of a send that a caller asked for. */
static inline unsigned sfr__send_flags(const sfr_loop *loop)
{
	return MSG_NOSIGNAL | loop->engine->send_flags;
}

/* The gather of an op with SFR__OP_GATHERED. */
static inline struct sfr__gather *sfr__op_gather_of(const sfr_op *op)
{
	void *at = (void *)(uintptr_t)op->sqe.addr;

	return op->sqe.opcode == IORING_OP_WRITEV ? sfr__container(at, struct sfr__gather, vectors)
						  : sfr__container(at, struct sfr__gather, msg);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Fixed buffers: memory that the engine keeps at hand, so that reads and writes need not look up its pages.
 *
 * One table has room for the buffers.count of the main slab that are there from the first, in pieces, and
 * behind them for the buffers that callers register. It is made when the first read or write is built, or the
 * first buffer is registered: servers that only receive and send never pay for it. What is registered is locked, and so are
 * the rings of all loops of a user: more than half of what may be locked is left to them.
 *
 * A registered buffer's memory has one reference more, which is the table's.
 */
#ifndef SFR_LIB_LOOP_FIXED_BUF_H
#define SFR_LIB_LOOP_FIXED_BUF_H

#include <safer_ring/buffer.h>

enum sfr__fixed_state {
	SFR__FIXED_UNTRIED,
	SFR__FIXED_OFF,     /* there is no table */
	SFR__FIXED_CALLERS, /* there is one, without the slab */
	SFR__FIXED_ALL,
};

/* What a caller registered. */
struct sfr__fixed_buf {
	sfr_buf *buf;
	struct sfr__payload *payload;
};

struct sfr__fixed_bufs {
	struct sfr__fixed_buf *list; /* NULL: none */
	uint16_t count;
	uint16_t pieces; /* of the slab */
	uint8_t state;   /* enum sfr__fixed_state */
};

struct io_uring_sqe;

/* Make an SQE that reads or writes a given buffer one of the fixed kind, if that is possible. */
void sfr__fixed_apply(sfr_loop *loop, struct io_uring_sqe *sqe, const sfr_buf *buf);

/* The engine is gone, and the pool is there. */
void sfr__fixed_bufs_fini(sfr_loop *loop);

#endif

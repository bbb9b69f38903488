/* SPDX-License-Identifier: MIT */
/*
 * Receive ring: the provided buffers that multishot receives draw from.
 *
 * The kernel picks a buffer when bytes arrive, so an idle connection holds none. The ring is filled from
 * the slab once a turn. Each entry carries a number that is free to be used again when the kernel has
 * named it in a completion; what we know of each is checked against what the kernel says.
 *
 * Running dry is normal. A receive that found no buffer is parked, in order; no more are armed again
 * than there are buffers for.
 */
#ifndef SFR_LIB_LOOP_RECV_RING_H
#define SFR_LIB_LOOP_RECV_RING_H

#include "buffer/pool.h"
#include "engine/engine.h"

struct sfr__recv_ring {
	struct io_uring_buf_ring *ring; /* NULL until the first receive */
	unsigned char **blocks;         /* by number; NULL while the kernel does not have it */
	uint16_t *numbers;              /* a stack of those that are free */
	uint32_t numbers_count;
	uint32_t entries;  /* a power of two */
	uint32_t capacity; /* how many buffers it should hold */
	uint32_t filled;   /* how many it holds */
	uint16_t tail;
};

#define SFR__RECV_GROUP 0

/* Make the ring, unless it is there. 0; -ENOMEM; -SFR_EUNSUPPORTED where the kernel has none. */
int sfr__recv_ring_open(struct sfr__recv_ring *recv, struct sfr__engine *engine, uint32_t capacity);
void sfr__recv_ring_fini(struct sfr__recv_ring *recv, struct sfr__pool *pool);

/* Fill it up as far as the slab allows. */
void sfr__recv_ring_fill(struct sfr__recv_ring *recv, struct sfr__pool *pool);

/* The kernel chose entry `number` for `len` bytes: a buffer with them, or NULL if len is 0. */
sfr_buf *sfr__recv_ring_take(struct sfr__recv_ring *recv, struct sfr__pool *pool, unsigned number,
			     uint32_t len);

#endif

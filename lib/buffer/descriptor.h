/* SPDX-License-Identifier: MIT */
/*
 * The descriptors of a pool: how many there must be, and how one is taken.
 *
 * Each block has one set aside, and a block for streams has one for each of its parts. All else takes extra ones, which
 * may fail.
 */
#ifndef SFR_LIB_BUFFER_DESCRIPTOR_H
#define SFR_LIB_BUFFER_DESCRIPTOR_H

#include "buffer/pool.h"

/* Descriptors for this many buffers, and with each a note and a cell for an op. 0 or -ENOMEM. */
int sfr__descriptors_reserve(struct sfr__pool *pool, size_t bufs);

/* How many there must be: for each block, for the parts of blocks, and for all else. */
size_t sfr__descriptors_needed(const struct sfr__pool *pool);

/* One that was never used. */
struct sfr__buf *sfr__descriptor_new(struct sfr__pool *pool);

/* One for what has none set aside, which is counted there. NULL without memory. */
struct sfr__buf *sfr__descriptor_take_extra(struct sfr__pool *pool, size_t *count);

/* Windows that are set aside for a block for streams. */
static inline uint32_t sfr__parts_of_block(const struct sfr__pool *pool)
{
	return pool->stream.block_size / pool->part_min;
}

/* One that is set aside. */
static inline struct sfr__buf *sfr__descriptor_take(struct sfr__pool *pool)
{
	struct sfr__buf *b = pool->free;

	if (sfr__likely(b != NULL))
		pool->free = sfr__buf(b->view.next);
	else
		b = sfr__descriptor_new(pool);
	pool->out++;
	return b;
}

/* It stands for this memory from now on, and is the caller's. */
static inline sfr_buf *sfr__descriptor_fill(struct sfr__buf *b, enum sfr__buf_kind kind, void *base,
					    size_t size)
{
	b->view = (sfr_buf){.data = base, .cap = (uint32_t)size};
	b->base = base;
	b->size = (uint32_t)size;
	b->kind = (uint8_t)kind & 15U;
	b->note = SFR__NOTE_NONE;
	b->was_shared = SFR__UNSHARED;
	b->datagram = 0;
	b->last = NULL;
	sfr__buf_set_state(b, SFR__BUF_OWNED);
	return &b->view;
}

#endif

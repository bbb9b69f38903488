/* SPDX-License-Identifier: MIT */
/*
 * Arena: the addresses of all the blocks of a pool.
 *
 * A pool has blocks of several sizes and one budget for all of them, so their slabs share as many
 * addresses as the budget, reserved once. An arena is cut into pieces of one length, a multiple of every
 * block; a slab that grows is given the next ones, and keeps them. So an address leads to its slab by a
 * shift, and to its block by another: the arena begins where a block of each size could.
 */
#ifndef SFR_LIB_BUFFER_ARENA_H
#define SFR_LIB_BUFFER_ARENA_H

#include "base/region.h"
#include <stdint.h>

#define SFR__PIECE_MIN ((uint32_t)64 * 1024)

struct sfr__slab;

struct sfr__arena {
	unsigned char *base;
	struct sfr__slab **owners; /* by piece */
	size_t taken;              /* bytes, from the front */
	size_t size;               /* bytes that may be taken */
	uint32_t shift;            /* a piece has 1 << shift bytes */
	struct sfr__region region;
	struct sfr__region side;
};

/* As many bytes of addresses are enough for `size` bytes of blocks of so many sizes, up to block_max. */
uint64_t sfr__arena_size(uint64_t size, uint32_t block_max, unsigned sizes);

/* And so many with the side array of such an arena. */
uint64_t sfr__arena_addresses(uint64_t size, uint32_t block_max);

/*
 * Reserve `size` bytes, as sfr__arena_size() says. The first `front` of them in huge pages if that is not
 * 0, and if there are any. 0 or -ENOMEM. An arena of zeros may be passed to fini.
 */
int sfr__arena_init(struct sfr__arena *arena, uint64_t size, uint32_t block_max, size_t front);
void sfr__arena_fini(struct sfr__arena *arena);

/* The next pieces become a slab's, as many as so many bytes need: all from `taken` on. 0, or -ENOMEM and
 * nothing changed. */
int sfr__arena_take(struct sfr__arena *arena, struct sfr__slab *slab, size_t size);

/* As many bytes in whole pieces. */
static inline size_t sfr__arena_round(const struct sfr__arena *arena, size_t size)
{
	const size_t piece = (size_t)1 << arena->shift;

	return (size + piece - 1) & ~(piece - 1);
}

/* The slab of an address that is in one. */
static inline struct sfr__slab *sfr__arena_owner(const struct sfr__arena *arena,
						 const unsigned char *at)
{
	return arena->owners[((uintptr_t)at - (uintptr_t)arena->base) >> arena->shift];
}

#endif

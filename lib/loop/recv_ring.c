/* SPDX-License-Identifier: MIT */
/*
 * Receive ring: which block of the slab has which number in the ring.
 *
 * A block belongs to the ring from the moment it is written there until a completion names its
 * number. The ring's tail moves after the entries are written: from then on the kernel may use
 * them.
 */
#include "loop/recv_ring.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t power_of_two_above(uint32_t n)
{
	return n <= 1 ? 1 : (uint32_t)1 << (32 - __builtin_clz(n - 1));
}

static int recv_ring_alloc(struct sfr__recv_ring *recv)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE),
	       size = recv->entries * sizeof(struct io_uring_buf);
	uint32_t i;

	/* The kernel wants whole pages. */
	recv->ring = aligned_alloc(page, (size + page - 1) & ~(page - 1));
	recv->blocks = calloc(recv->entries, sizeof(*recv->blocks));
	recv->numbers = calloc(recv->entries, sizeof(*recv->numbers));
	if (!recv->ring || !recv->blocks || !recv->numbers)
		return -ENOMEM;
	io_uring_buf_ring_init(recv->ring);
	for (i = 0; i < recv->entries; i++)
		recv->numbers[i] = (uint16_t)(recv->entries - 1 - i);
	recv->numbers_count = recv->entries;
	return 0;
}

static void recv_ring_free(struct sfr__recv_ring *recv)
{
	free(recv->ring);
	free(recv->blocks);
	free(recv->numbers);
	*recv = (struct sfr__recv_ring){0};
}

int sfr__recv_ring_open(struct sfr__recv_ring *recv, struct sfr__engine *engine, uint32_t capacity)
{
	int r;

	if (recv->ring)
		return 0;
	recv->capacity = capacity;
	recv->entries = power_of_two_above(capacity);
	r = recv_ring_alloc(recv);
	if (r == 0)
		r = engine->calls->buf_ring_add(engine, recv->ring, recv->entries, SFR__RECV_GROUP,
						0);
	if (r < 0)
		recv_ring_free(recv);
	return r == -EINVAL ? -SFR_EUNSUPPORTED : r;
}

void sfr__recv_ring_fini(struct sfr__recv_ring *recv, struct sfr__pool *pool)
{
	uint32_t i;

	for (i = 0; i < recv->entries; i++)
		if (recv->blocks[i])
			sfr__slab_give(&pool->slab, recv->blocks[i]);
	recv_ring_free(recv);
}

void sfr__recv_ring_fill(struct sfr__recv_ring *recv, struct sfr__pool *pool)
{
	unsigned char *block;
	uint32_t added = 0;

	while (recv->filled < recv->capacity && (block = sfr__pool_take(pool))) {
		uint16_t number = recv->numbers[--recv->numbers_count];
		struct io_uring_buf *entry =
			&recv->ring->bufs[(recv->tail + added) & (recv->entries - 1)];

		entry->addr = (uint64_t)(uintptr_t)block;
		entry->len = pool->slab.block_size;
		entry->bid = number;
		recv->blocks[number] = block;
		recv->filled++;
		added++;
	}
	if (added) {
		recv->tail = (uint16_t)(recv->tail + added);
		io_uring_smp_store_release(&recv->ring->tail, recv->tail);
	}
}

sfr_buf *sfr__recv_ring_take(struct sfr__recv_ring *recv, struct sfr__pool *pool, unsigned number,
			     uint32_t len)
{
	unsigned char *block;

	sfr__invariant(number < recv->entries && recv->blocks[number]);
	block = recv->blocks[number];
	recv->blocks[number] = NULL;
	recv->numbers[recv->numbers_count++] = (uint16_t)number;
	recv->filled--;
	if (len)
		return sfr__pool_window(pool, block, pool->slab.block_size, len);
	sfr__slab_give(&pool->slab, block);
	return NULL;
}

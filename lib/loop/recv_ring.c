/* SPDX-License-Identifier: MIT */
/*
 * Receive rings: which block has which number in a ring, and where the next arrival in it goes.
 *
 * A block belongs to the ring from the moment it is written there until a completion says that the kernel is done
 * with its number. The ring's tail moves after the entries are written: from then on the kernel may use them.
 */
#include "loop/recv_ring.h"
#include "machine/kernel.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t power_of_two_above(uint32_t n)
{
	return n <= 1 ? 1 : (uint32_t)1 << (32 - __builtin_clz(n - 1));
}

void sfr__recv_ring_init(struct sfr__recv_ring *recv)
{
	*recv = (struct sfr__recv_ring){0};
	sfr__list_init(&recv->parked);
	sfr__list_init(&recv->served);
}

static int recv_ring_alloc(struct sfr__recv_ring *recv)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE),
	       size = recv->entries * sizeof(struct io_uring_buf);
	uint32_t i;

	/* The kernel wants whole pages. */
	recv->ring = aligned_alloc(page, (size + page - 1) & ~(page - 1));
	recv->given = calloc(recv->entries, sizeof(*recv->given));
	recv->numbers = calloc(recv->entries, sizeof(*recv->numbers));
	if (!recv->ring || !recv->given || !recv->numbers)
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
	free(recv->given);
	free(recv->numbers);
	recv->ring = NULL;
	recv->given = NULL;
	recv->numbers = NULL;
	recv->entries = 0;
}

int sfr__recv_ring_open(struct sfr__recv_ring *recv, struct sfr__engine *engine,
			enum sfr__recv_group group, struct sfr__slab *slab, uint32_t capacity,
			bool incremental)
{
	int r;

	recv->slab = slab;
	recv->capacity = capacity;
	recv->incremental = incremental;
	recv->in_parts = group == SFR__RECV_STREAM;
	recv->entries = power_of_two_above(capacity);
	r = recv_ring_alloc(recv);
	if (r == 0)
		r = engine->calls->buf_ring_add(engine, recv->ring, recv->entries, group,
						incremental ? SFR__PBUF_RING_INC : 0);
	if (r < 0)
		recv_ring_free(recv);
	return r == -EINVAL ? -SFR_EUNSUPPORTED : r;
}

void sfr__recv_ring_fini(struct sfr__recv_ring *recv)
{
	uint32_t i;

	for (i = 0; i < recv->entries; i++)
		if (recv->given[i].at)
			sfr__slab_give(recv->slab, recv->given[i].at);
	recv_ring_free(recv);
}

/* Write an entry behind the others. The kernel may use it from the moment the tail is published. */
static void entry_write(struct sfr__recv_ring *recv, uint16_t number)
{
	struct io_uring_buf *entry = &recv->ring->bufs[recv->tail++ & (recv->entries - 1)];

	entry->addr = (uint64_t)(uintptr_t)recv->given[number].at;
	entry->len = recv->given[number].left;
	entry->bid = number;
}

static void entry_give(struct sfr__recv_ring *recv, unsigned char *block)
{
	uint16_t number = recv->numbers[--recv->numbers_count];

	recv->given[number] = (struct sfr__recv_entry){block, recv->slab->block_size};
	recv->filled++;
	recv->room += recv->slab->block_size;
	entry_write(recv, number);
}

/* How many blocks it is to hold. When half of the memory is taken, half of what is left: one peer that pours may empty the
 * ring in one turn, before anybody can see that it does. Without a block for streams the common ring has to do. */
static uint32_t ring_target(const struct sfr__recv_ring *recv, const struct sfr__pool *pool)
{
	const uint32_t least = recv->slab == &pool->slab;
	uint64_t left = sfr__pool_left(pool) + recv->room;
	uint64_t half = left / 2 >> recv->slab->shift;

	if (sfr__likely(left > sfr__pool_limit(pool) / 2) || half > recv->capacity)
		return recv->capacity;
	return half > least ? (uint32_t)half : least;
}

void sfr__recv_ring_fill(struct sfr__recv_ring *recv, struct sfr__pool *pool)
{
	const uint32_t target = ring_target(recv, pool);
	unsigned char *block;

	while (recv->filled < target && (block = sfr__pool_take_of(pool, recv->slab)))
		entry_give(recv, block);
	if (recv->tail != recv->ring->tail)
		io_uring_smp_store_release(&recv->ring->tail, recv->tail);
}

uint32_t sfr__recv_ring_idle(const struct sfr__recv_ring *recv)
{
	uint32_t idle = recv->filled, i;

	for (i = 0; recv->in_parts && i < recv->entries; i++)
		idle -= recv->given[i].at && sfr__slab_windows(recv->slab, recv->given[i].at) > 1;
	return idle;
}

/* The kernel is done with an entry. */
static void entry_end(struct sfr__recv_ring *recv, unsigned number)
{
	recv->room -= recv->given[number].left;
	recv->given[number].at = NULL;
	recv->numbers[recv->numbers_count++] = (uint16_t)number;
	recv->filled--;
}

/*
 * The kernel has used a part of a block, perhaps none. While the kernel goes on with the entry there is nothing else to
 * do. Where it takes an entry for each arrival, what is left of the block goes into the ring once more, if that is
 * enough for another large one. With the last part the kernel's own window is closed.
 */
static void part_end(struct sfr__recv_ring *recv, unsigned number, uint32_t len, bool more)
{
	struct sfr__recv_entry *entry = &recv->given[number];
	unsigned char *at = entry->at;

	sfr__invariant(len <= entry->left && more == (recv->incremental && len < entry->left));
	entry->at += len;
	entry->left -= len;
	recv->room -= len;
	if (more)
		return;
	if (entry->left >= recv->slab->block_size / 4) {
		entry_write(recv, (uint16_t)number);
		return;
	}
	entry_end(recv, number);
	(void)sfr__slab_give(recv->slab, at);
}

void sfr__recv_ring_lose(struct sfr__recv_ring *recv, unsigned number, uint32_t len, bool more)
{
	sfr__invariant(number < recv->entries && recv->given[number].at);
	part_end(recv, number, len, more);
}

int sfr__recv_ring_take(struct sfr__recv_ring *recv, struct sfr__pool *pool, unsigned number,
			uint32_t len, bool more, sfr_buf **buf_out)
{
	unsigned char *block;

	sfr__invariant(number < recv->entries && recv->given[number].at);
	*buf_out = NULL;
	block = recv->given[number].at;
	if (recv->in_parts) {
		if (sfr__likely(len > 0))
			*buf_out = sfr__pool_part(pool, block, len);
		if (sfr__unlikely(len && !*buf_out))
			return -ENOMEM;
		part_end(recv, number, len, more);
		return 0;
	}
	entry_end(recv, number);
	if (len)
		*buf_out = sfr__pool_window(pool, block, recv->slab->block_size, len);
	else
		sfr__slab_give(recv->slab, block);
	return 0;
}

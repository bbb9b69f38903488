/* SPDX-License-Identifier: MIT */
/*
 * Receive rings: the provided buffers that receives draw from, and who waits for them.
 *
 * The kernel picks memory when bytes arrive, so an idle connection holds none. There are two rings, each a group of
 * its own:
 *
 *	common   buffers of buffers.size, one an arrival: for datagrams, pipes, and whatever else there is
 *	stream   large blocks, for the bytes of streams. Arrivals lie one behind the other in a block, whosever they
 *	         are, and each is a window on it. Where the engine has incremental rings it goes on with an entry
 *	         until that is full; else an arrival takes an entry, and what is left of its block becomes another
 *
 * A ring is filled from its slab once a turn. Each entry carries a number that is free to be used again when the
 * kernel is done with the block; what we know of each is checked against what the kernel says. Of a block for streams
 * the kernel has a window of its own, until it is used up, and each arrival opens another.
 *
 * Running dry is normal. A receive that found nothing is parked at its ring, in order; no more are armed again than
 * the ring has room for. When several wait they are rationed: see op/receive.c.
 */
#ifndef SFR_LIB_LOOP_RECV_RING_H
#define SFR_LIB_LOOP_RECV_RING_H

#include "base/list.h"
#include "buffer/pool.h"
#include "engine/engine.h"

enum sfr__recv_group { SFR__RECV_COMMON, SFR__RECV_STREAM, SFR__RECV_GROUPS };

/* The largest that a block for streams may be. They are smaller where so many of them would take more than a quarter of
 * the memory that is left. */
#define SFR__RECV_BLOCK ((uint32_t)256 * 1024)
#define SFR__RECV_BLOCKS 8U

/* Bytes that an incremental ring holds. What a turn receives is then still in the processor's cache when it is sent, and
 * so are the blocks that come back. Running dry costs less than memory that is not. */
#define SFR__RECV_WARM ((uint32_t)512 * 1024)

/* What a receive that is armed counts for: it may take more, but most take less. */
#define SFR__RECV_SHARE ((uint32_t)64 * 1024)

/* An entry that the kernel has. */
struct sfr__recv_entry {
	unsigned char *at; /* where the next arrival goes; NULL: the kernel does not have it */
	uint32_t left;     /* room from there on */
};

struct sfr__recv_ring {
	struct io_uring_buf_ring *ring; /* NULL until the first receive */
	struct sfr__slab *slab;         /* what it is filled from */
	struct sfr__recv_entry *given;  /* by number */
	uint16_t *numbers;              /* a stack of those that are free */
	uint32_t numbers_count;
	uint32_t entries;  /* a power of two */
	uint32_t capacity; /* how many blocks it should hold */
	uint32_t filled;   /* how many it holds */
	uint64_t room;     /* bytes left in them */
	uint16_t tail;
	bool incremental;        /* the kernel goes on with an entry until it is full */
	bool in_parts;           /* a block is seen through many windows */
	bool refused;            /* the engine has none of this kind */
	uint8_t rationed;        /* for so many turns yet receives are armed for one arrival each */
	struct sfr__hook parked; /* ops QUEUED that wait for room in the ring, in order */
	struct sfr__hook
		served; /* the same, but they got some, and let those who got none go first */
};

void sfr__recv_ring_init(struct sfr__recv_ring *recv);

/* Make a ring of so many blocks of a slab. 0; -ENOMEM; -SFR_EUNSUPPORTED where the kernel has none. */
int sfr__recv_ring_open(struct sfr__recv_ring *recv, struct sfr__engine *engine,
			enum sfr__recv_group group, struct sfr__slab *slab, uint32_t capacity,
			bool incremental);
void sfr__recv_ring_fini(struct sfr__recv_ring *recv);

/* Fill it up as far as the slab allows. */
void sfr__recv_ring_fill(struct sfr__recv_ring *recv, struct sfr__pool *pool);

/* How many receives may be armed for what it holds. */
static inline size_t sfr__recv_ring_room(const struct sfr__recv_ring *recv)
{
	if (!recv->incremental || !recv->filled || recv->slab->block_size < SFR__RECV_SHARE)
		return recv->filled;
	return (size_t)(recv->room / SFR__RECV_SHARE) + (recv->room < SFR__RECV_SHARE);
}

/* Of the blocks that it holds: those in which nobody else has a window. */
uint32_t sfr__recv_ring_idle(const struct sfr__recv_ring *recv);

/*
 * The kernel put `len` bytes into entry `number`, and goes on with it if `more`: *buf_out has them, NULL if len is 0.
 * 0; or -ENOMEM, and nothing has happened: ask again later, and before any that came after it.
 */
int sfr__recv_ring_take(struct sfr__recv_ring *recv, struct sfr__pool *pool, unsigned number,
			uint32_t len, bool more, sfr_buf **buf_out);

/* The same of a ring of blocks for streams, but nobody gets the bytes. */
void sfr__recv_ring_lose(struct sfr__recv_ring *recv, unsigned number, uint32_t len, bool more);

#endif

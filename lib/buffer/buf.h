/* SPDX-License-Identifier: MIT */
/*
 * Buf: one buffer as the library sees it, and who owns it.
 *
 * At any moment a buffer is free, the caller's, or given to the library. Parts of a chain behind its
 * head go with it: while the head is the caller's they are LINKED, his to touch and nothing else.
 *
 * Callers can write to `view`, so what counts of it is read once, when the buffer is given.
 */
#ifndef SFR_LIB_BUFFER_BUF_H
#define SFR_LIB_BUFFER_BUF_H

#include "base/invariant.h"
#include <safer_ring/buffer.h>
#include <stdatomic.h>

struct sfr__pool;

enum sfr__buf_state { SFR__BUF_FREE, SFR__BUF_OWNED, SFR__BUF_PART, SFR__BUF_GIVEN };
enum sfr__buf_kind { SFR__BUF_SLAB, SFR__BUF_HEAP, SFR__BUF_WRAP };

/* GIVEN: whether somebody is told when the library is done with it, and gets it back: see buffer/note.h. */
enum sfr__buf_note {
	SFR__NOTE_NONE,
	SFR__NOTE_PART,  /* with the buffers behind it, up to the next one that is LAST */
	SFR__NOTE_LAST,  /* the end of such a chain, or all of it */
	SFR__NOTE_GHOST, /* the same, but there is no buffer to get back: it only carries the note */
	SFR__NOTE_FILE,  /* the same, and it stands for a file: see net/send_file.h */
};

/*
 * Several windows on one block need not overlap, so a window that is shared has a count of its own. It is in the
 * descriptor that was shared first, which is kept as long as there are others, though its owner may have released
 * it. Memory that is not of a slab is counted in its payload.
 */
enum sfr__buf_shared { SFR__UNSHARED, SFR__SHARED, SFR__SHARE };

/* Memory that is not of a slab, and how to give it back. */
struct sfr__payload {
	atomic_size_t refs; /* of descriptors, and of the table it is registered in */
	size_t size;        /* what it takes of the budget */
	void *block;        /* of the allocator: this is at its end, or in front of mem */
	void *mem;
	void (*on_release)(void *mem, void *arg);
	void *arg;
	uint32_t fixed; /* its place among the registered buffers, from 1; 0: it is none */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct sfr__payload) == 64, "it fits in the cache line in front of memory");

struct sfr__buf {
	sfr_buf view;
	unsigned char *base; /* where the window begins */
	struct sfr__pool *pool;
	union {
		struct sfr__payload *payload; /* of the heap, or the caller's */
		struct sfr__buf *origin;      /* of a slab, SFR__SHARE: whose window this is, too */
		size_t shares; /* SFR__SHARED: so many see its window, perhaps not it */
	};
	uint32_t size;      /* bytes of the window */
	atomic_uchar state; /* enum sfr__buf_state; see sfr__buf_state_of */
	uint8_t kind : 4;   /* enum sfr__buf_kind */
	uint8_t note : 4;   /* enum sfr__buf_note */
	uint8_t was_shared; /* enum sfr__buf_shared: others see its window, or did */
	uint8_t datagram;   /* it begins with the head of one: see op/datagram.h */
	union {
		struct {
			uint32_t given_at;  /* GIVEN: where its contents begin, from base, */
			uint32_t given_len; /* and how many there are */
		};
		struct sfr__buf *last; /* OWNED: the end of its chain; NULL: that is not known */
		struct sfr__buf
			*before; /* PART: the one in front of the last part, when it became that */
	};
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct sfr__buf) == 64, "a descriptor is one cache line");

static inline struct sfr__buf *sfr__buf(const sfr_buf *buf)
{
	return (struct sfr__buf *)(uintptr_t)buf;
}

/* Who looks for one among all buffers meets those that other threads are just releasing. */
static inline enum sfr__buf_state sfr__buf_state_of(const struct sfr__buf *b)
{
	return (enum sfr__buf_state)atomic_load_explicit(&b->state, memory_order_relaxed);
}

static inline void sfr__buf_set_state(struct sfr__buf *b, enum sfr__buf_state state)
{
	atomic_store_explicit(&b->state, (unsigned char)state, memory_order_relaxed);
}

/*
 * The owner gives a buffer, and all that is chained to it, to the library: 0, and data is NULL.
 * -SFR_EINFLIGHT: it was not the caller's to give. -EINVAL: its window left the buffer, its chain was
 * tampered with, or it is of another loop; it is taken all the same.
 */
int sfr__buf_give(struct sfr__pool *pool, sfr_buf *buf);

/* And gets it back: with len bytes of contents, or the whole chain as it was. */
void sfr__buf_return(sfr_buf *buf, uint32_t len);

/* The library lets go of a buffer that it was given: of one, or of a whole chain. */
void sfr__buf_drop(sfr_buf *buf);
void sfr__buf_drop_chain(sfr_buf *buf);

/* 0 if a given buffer may be filled with that many bytes at least; else what is wrong with it. */
int sfr__buf_check_fill(const sfr_buf *buf, uint32_t room);

/* Bytes of a chain of given buffers, and how many parts it has. */
uint64_t sfr__chain_measure(const sfr_buf *chain, size_t *parts_out);

/* The last part of one. */
static inline sfr_buf *sfr__chain_last(sfr_buf *chain)
{
	while (chain->next)
		chain = chain->next;
	return chain;
}

/* The contents of a given buffer. */
static inline unsigned char *sfr__buf_data(const sfr_buf *buf)
{
	return sfr__buf(buf)->base + sfr__buf(buf)->given_at;
}

static inline uint32_t sfr__buf_len(const sfr_buf *buf)
{
	return sfr__buf(buf)->given_len;
}

/* Some bytes at the front are dealt with. */
static inline void sfr__buf_advance(sfr_buf *buf, uint32_t count)
{
	sfr__buf(buf)->given_at += count;
	sfr__buf(buf)->given_len -= count;
}

/* Bytes from where data stood when it was given to the end of the buffer. */
static inline uint32_t sfr__buf_room(const sfr_buf *buf)
{
	uint32_t room = sfr__buf(buf)->size - sfr__buf(buf)->given_at;

	return buf->cap < room ? buf->cap : room;
}

#endif

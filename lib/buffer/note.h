/* SPDX-License-Identifier: MIT */
/*
 * Note: whom to tell when the library is done with a buffer that no op of its own carries, such as one of a send queue.
 *
 * A descriptor is full, and the cell that is set aside for an op with the buffer may be in use by the send that it
 * leads. So there is a note beside each descriptor, made with it: to take a buffer with a note cannot fail. Notes are
 * addresses only, and take memory where they are used.
 *
 * A chain has one note, its first buffer's. In those of the others is where that one is. All have their window, as what was
 * sent of a buffer is taken off its front. Parts are done with one by one, in order, and join again.
 */
#ifndef SFR_LIB_BUFFER_NOTE_H
#define SFR_LIB_BUFFER_NOTE_H

#include "buffer/buf.h"
#include <safer_ring/op.h>

struct sfr__note {
	sfr_done *done; /* NULL: of a part behind the first, which is `arg` */
	void *arg;
	int32_t result;
	uint32_t at, len; /* the window of a part as it was given */
};

_Static_assert(sizeof(struct sfr__note) <= 32, "two in a cache line");

/* The one beside a buffer. */
struct sfr__note *sfr__note_of(const struct sfr__buf *b);

/* A chain that was given gets a note: `result` is what there will be to tell if nothing goes wrong. */
void sfr__note_add(sfr_buf *chain, sfr_done *done, void *arg, int result);

/* A part is done with, behind those before it; err is 0 or what the whole chain has as its result now. Returns the chain
 * once that was its end, else NULL. Whoever had the part has no more to do with it. */
sfr_buf *sfr__note_join(sfr_buf *part, int err);

/* Of a chain of parts in order, followed by other buffers: take its note and return what is behind it. The windows are as
 * they were given, and nothing is behind the chain any more. */
sfr_buf *sfr__note_take(sfr_buf *chain, struct sfr__note *out);

/* Whether a buffer is the end of a chain with a note. */
static inline bool sfr__note_ends(const sfr_buf *buf)
{
	return sfr__buf(buf)->note >= SFR__NOTE_LAST;
}

#endif

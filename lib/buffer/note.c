/* SPDX-License-Identifier: MIT */
/*
 * Notes of buffers, found by the index of the descriptor.
 */
#include "buffer/note.h"
#include "buffer/pool.h"

struct sfr__note *sfr__note_of(const struct sfr__buf *b)
{
	const struct sfr__pool *pool = b->pool;
	size_t made = atomic_load_explicit(&pool->made, memory_order_relaxed);

	return sfr__array_at(&pool->notes, sfr__array_index(&pool->descriptors, b, made));
}

void sfr__note_add(sfr_buf *chain, sfr_done *done, void *arg, int result)
{
	sfr_buf *part;

	for (part = chain; part; part = part->next) {
		struct sfr__buf *b = sfr__buf(part);

		*sfr__note_of(b) = (struct sfr__note){
			.arg = chain, .result = result, .at = b->given_at, .len = b->given_len};
		b->note = part->next ? SFR__NOTE_PART : SFR__NOTE_LAST;
	}
	sfr__note_of(sfr__buf(chain))->done = done;
	sfr__note_of(sfr__buf(chain))->arg = arg;
}

/* The window is in the note: what is in its place in the descriptor leads from the first part to the last that joined. */
sfr_buf *sfr__note_join(sfr_buf *part, int err)
{
	struct sfr__note *note = sfr__note_of(sfr__buf(part));
	struct sfr__buf *b = sfr__buf(part), *head = note->done ? b : sfr__buf(note->arg);

	if (err < 0)
		sfr__note_of(head)->result = err;
	if (b != head)
		head->last->view.next = part;
	head->last = b;
	part->next = NULL;
	return sfr__note_ends(part) ? &head->view : NULL;
}

sfr_buf *sfr__note_take(sfr_buf *chain, struct sfr__note *out)
{
	sfr_buf *rest;
	bool ends;

	*out = *sfr__note_of(sfr__buf(chain));
	do {
		struct sfr__buf *b = sfr__buf(chain);
		const struct sfr__note *note = sfr__note_of(b);

		ends = sfr__note_ends(chain);
		b->given_at = note->at;
		b->given_len = note->len;
		b->note = SFR__NOTE_NONE;
		rest = chain->next;
		if (ends)
			chain->next = NULL;
		chain = rest;
	} while (!ends);
	return rest;
}

/* SPDX-License-Identifier: MIT */
/*
 * Telling the program of buffers that came back from connections.
 */
#include "net/sent.h"
#include "loop/loop.h"
#include <errno.h>

void sfr__sent_add(struct sfr__sent *sent, sfr_buf *head, sfr_buf *tail)
{
	if (sent->head)
		sent->tail->next = head;
	else
		sent->head = head;
	sent->tail = tail;
	sent->count++;
}

int sfr__sent_add_ghost(struct sfr__sent *sent, sfr_loop *loop, sfr_done *done, void *arg,
			int result)
{
	static char nothing;
	sfr_buf *ghost = sfr__pool_wrap(loop->pool, &nothing, 1, NULL, NULL);

	if (!ghost)
		return -ENOMEM;
	(void)sfr__buf_give(loop->pool, ghost);
	sfr__note_add(ghost, done, arg, result);
	sfr__buf(ghost)->note = SFR__NOTE_GHOST;
	sfr__sent_add(sent, ghost, ghost);
	return 0;
}

static void tell_first(struct sfr__sent *sent, sfr_loop *loop)
{
	sfr_buf *chain = sent->head;
	bool is_ghost = sfr__buf(chain)->note >= SFR__NOTE_GHOST;
	struct sfr__note note;

	sent->head = sfr__note_take(chain, &note);
	sent->count--;
	loop->called++;
	if (sfr__likely(!is_ghost)) {
		sfr__buf_return(chain, sfr__buf_len(chain));
		note.done(loop, note.result, chain, note.arg);
		return;
	}
	note.done(loop, note.result, NULL, note.arg);
	sfr__buf_drop(chain);
}

/* No more than there are now: those who are told may bring about others. They may also have the rest told meanwhile. */
void sfr__sent_tell(struct sfr__sent *sent, sfr_loop *loop)
{
	size_t count;

	for (count = sent->count; count && sent->head; count--)
		tell_first(sent, loop);
}

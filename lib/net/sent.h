/* SPDX-License-Identifier: MIT */
/*
 * Sent: buffers with a note (buffer/note.h) that connections are done with, until the program is told and has them back.
 *
 * The net has two such lists. One is filled and told by the completion of a send. The other is for what fails inside of
 * calls, where nobody may be told: it is told when the net is next flushed, and in any case before an on_close.
 */
#ifndef SFR_LIB_NET_SENT_H
#define SFR_LIB_NET_SENT_H

#include "buffer/note.h"
#include <safer_ring/loop.h>

struct sfr__sent {
	sfr_buf *head, *tail; /* whole chains, one behind the other; GIVEN */
	size_t count;         /* of chains */
};

/* A whole chain, from its head to its end. */
void sfr__sent_add(struct sfr__sent *sent, sfr_buf *head, sfr_buf *tail);

/* Something that has no buffer to get back: a note alone. 0; -ENOMEM, and nobody will be told. */
int sfr__sent_add_ghost(struct sfr__sent *sent, sfr_loop *loop, sfr_done *done, void *arg,
			int result);

/* Tell of all that are there now. Callbacks run. */
void sfr__sent_tell(struct sfr__sent *sent, sfr_loop *loop);

static inline bool sfr__sent_is_empty(const struct sfr__sent *sent)
{
	return sent->head == NULL;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Send queue: buffers given to a connection and not yet sent, in order.
 *
 * It counts two things: the bytes that wait, and the memory that is held for them, which for small
 * messages in large buffers is much more. Water marks look at memory, limits at bytes.
 */
#ifndef SFR_LIB_NET_SEND_QUEUE_H
#define SFR_LIB_NET_SEND_QUEUE_H

#include "net/sent.h"

struct sfr__send_queue {
	sfr_buf *head, *tail; /* those that wait; GIVEN */
	uint64_t bytes;       /* these and what is in flight */
	uint64_t memory;
	uint64_t pool_memory; /* the part of it that the loop has a limit for */
};

/* All parts of a chain; what is empty is dropped, but for chains with a note, which come back whole. */
void sfr__send_queue_push(struct sfr__send_queue *queue, sfr_buf *chain);

/* Memory of what waits, from a buffer on, that the loop has a limit for and nobody else keeps. */
uint64_t sfr__send_queue_own(const sfr_buf *from);

/* One buffer, in front of all others. */
void sfr__send_queue_push_front(struct sfr__send_queue *queue, sfr_buf *buf);

/* Take a chain of at most `max`, and up to the next file, off the front, to be sent. Its bytes still count. */
sfr_buf *sfr__send_queue_take(struct sfr__send_queue *queue, unsigned max);

/* Of a chain that was taken, `done` bytes are gone: drop those, put the rest back at the front. What has a note goes to
 * `sent`. */
void sfr__send_queue_sent(struct sfr__send_queue *queue, sfr_buf *chain, uint64_t done,
			  struct sfr__sent *sent);

/* The first one has ended: `err` is 0 or what became of it. */
void sfr__send_queue_end_first(struct sfr__send_queue *queue, int err, struct sfr__sent *sent);

/* What is empty at the front, and no file, is done with: there would be nothing to send. */
void sfr__send_queue_skip(struct sfr__send_queue *queue, struct sfr__sent *sent);

/* Drop all that waits. What has a note goes to `sent`, with an error. */
void sfr__send_queue_clear(struct sfr__send_queue *queue, int err, struct sfr__sent *sent);

/* The same, but what has a note stays: what is in flight is in front of it. */
void sfr__send_queue_thin(struct sfr__send_queue *queue);

#endif

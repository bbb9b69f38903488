/* SPDX-License-Identifier: MIT */
/*
 * Send queue: a chain of buffers and four counts, kept right wherever a buffer comes or goes.
 *
 * What is in flight was taken off the list and still counts, so what a peer has not got yet is
 * bounded as a whole.
 */
#include "net/send_queue.h"
#include "base/invariant.h"
#include "buffer/pool.h"

/* Bytes that the loop has back when it goes, or when others go as well. */
static uint32_t pool_memory(const struct sfr__buf *b)
{
	bool limited = b->kind == SFR__BUF_SLAB || (b->kind == SFR__BUF_HEAP && b->pool->budget);

	return limited && !sfr__pool_is_alone(b->pool) ? sfr__buf_memory(b) : 0;
}

uint64_t sfr__send_queue_own(const sfr_buf *from)
{
	uint64_t own = 0;

	for (; from; from = from->next)
		own += sfr__buf(from)->was_shared ? 0 : pool_memory(sfr__buf(from));
	return own;
}

static inline void count(struct sfr__send_queue *queue, const sfr_buf *buf)
{
	queue->bytes += sfr__buf_len(buf);
	queue->memory += sfr__buf_memory(sfr__buf(buf));
	queue->pool_memory += pool_memory(sfr__buf(buf));
}

static inline void push_one(struct sfr__send_queue *queue, sfr_buf *buf)
{
	buf->next = NULL;
	if (queue->head)
		queue->tail->next = buf;
	else
		queue->head = buf;
	queue->tail = buf;
	count(queue, buf);
}

void sfr__send_queue_push_front(struct sfr__send_queue *queue, sfr_buf *buf)
{
	buf->next = queue->head;
	if (!queue->head)
		queue->tail = buf;
	queue->head = buf;
	count(queue, buf);
}

static inline bool is_file(const sfr_buf *buf)
{
	return sfr__unlikely(sfr__buf(buf)->note == SFR__NOTE_FILE);
}

void sfr__send_queue_push(struct sfr__send_queue *queue, sfr_buf *chain)
{
	while (chain) {
		sfr_buf *next = chain->next;

		if (sfr__likely(sfr__buf_len(chain) > 0 || sfr__buf(chain)->note))
			push_one(queue, chain);
		else
			sfr__buf_drop(chain);
		chain = next;
	}
}

sfr_buf *sfr__send_queue_take(struct sfr__send_queue *queue, unsigned max)
{
	sfr_buf *chain = queue->head, *last = chain;

	while (--max && last->next && !is_file(last->next))
		last = last->next;
	queue->head = last->next;
	last->next = NULL;
	return chain;
}

static inline void uncount(struct sfr__send_queue *queue, const sfr_buf *buf)
{
	sfr__invariant(queue->bytes >= sfr__buf_len(buf));
	queue->bytes -= sfr__buf_len(buf);
	sfr__invariant(queue->memory >= sfr__buf_memory(sfr__buf(buf)));
	queue->memory -= sfr__buf_memory(sfr__buf(buf));
	sfr__invariant(queue->pool_memory >= pool_memory(sfr__buf(buf)));
	queue->pool_memory -= pool_memory(sfr__buf(buf));
}

static __attribute__((noinline)) void noted_pop(sfr_buf *buf, int err, struct sfr__sent *sent)
{
	sfr_buf *chain = sfr__note_join(buf, err);

	if (chain)
		sfr__sent_add(sent, chain, buf);
}

/* The first of a chain goes; returns the rest. */
static inline sfr_buf *chain_pop(struct sfr__send_queue *queue, sfr_buf *chain, int err,
				 struct sfr__sent *sent)
{
	sfr_buf *rest = chain->next;

	uncount(queue, chain);
	if (sfr__unlikely(sfr__buf(chain)->note))
		noted_pop(chain, err, sent);
	else
		sfr__buf_drop(chain);
	return rest;
}

void sfr__send_queue_sent(struct sfr__send_queue *queue, sfr_buf *chain, uint64_t done,
			  struct sfr__sent *sent)
{
	sfr_buf *last;

	while (chain && done >= sfr__buf_len(chain)) {
		done -= sfr__buf_len(chain);
		chain = chain_pop(queue, chain, 0, sent);
	}
	if (!chain)
		return;
	sfr__buf_advance(chain, (uint32_t)done);
	sfr__invariant(queue->bytes >= done);
	queue->bytes -= done;
	last = sfr__chain_last(chain);
	last->next = queue->head;
	if (!queue->head)
		queue->tail = last;
	queue->head = chain;
}

void sfr__send_queue_end_first(struct sfr__send_queue *queue, int err, struct sfr__sent *sent)
{
	queue->head = chain_pop(queue, queue->head, err, sent);
}

void sfr__send_queue_skip(struct sfr__send_queue *queue, struct sfr__sent *sent)
{
	while (queue->head && !sfr__buf_len(queue->head) && !is_file(queue->head))
		queue->head = chain_pop(queue, queue->head, 0, sent);
}

void sfr__send_queue_clear(struct sfr__send_queue *queue, int err, struct sfr__sent *sent)
{
	while (queue->head)
		queue->head = chain_pop(queue, queue->head, err, sent);
}

void sfr__send_queue_thin(struct sfr__send_queue *queue)
{
	sfr_buf *rest = queue->head;

	queue->head = NULL;
	while (rest) {
		sfr_buf *buf = rest;

		rest = buf->next;
		uncount(queue, buf);
		if (sfr__buf(buf)->note)
			push_one(queue, buf);
		else
			sfr__buf_drop(buf);
	}
}

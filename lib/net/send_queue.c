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

static void push_one(struct sfr__send_queue *queue, sfr_buf *buf)
{
	buf->next = NULL;
	if (queue->head)
		queue->tail->next = buf;
	else
		queue->head = buf;
	queue->tail = buf;
	queue->bytes += sfr__buf_len(buf);
	queue->memory += sfr__buf_memory(sfr__buf(buf));
	queue->pool_memory += pool_memory(sfr__buf(buf));
}

void sfr__send_queue_push(struct sfr__send_queue *queue, sfr_buf *chain)
{
	while (chain) {
		sfr_buf *next = chain->next;

		if (sfr__likely(sfr__buf_len(chain) > 0))
			push_one(queue, chain);
		else
			sfr__buf_drop(chain);
		chain = next;
	}
}

sfr_buf *sfr__send_queue_take(struct sfr__send_queue *queue, unsigned count)
{
	sfr_buf *chain = queue->head, *last = chain;

	while (--count && last->next)
		last = last->next;
	queue->head = last->next;
	last->next = NULL;
	return chain;
}

/* The first of a chain goes; returns the rest. */
static sfr_buf *chain_pop(struct sfr__send_queue *queue, sfr_buf *chain)
{
	sfr_buf *rest = chain->next;

	sfr__invariant(queue->bytes >= sfr__buf_len(chain));
	queue->bytes -= sfr__buf_len(chain);
	sfr__invariant(queue->memory >= sfr__buf_memory(sfr__buf(chain)));
	queue->memory -= sfr__buf_memory(sfr__buf(chain));
	sfr__invariant(queue->pool_memory >= pool_memory(sfr__buf(chain)));
	queue->pool_memory -= pool_memory(sfr__buf(chain));
	sfr__buf_drop(chain);
	return rest;
}

void sfr__send_queue_sent(struct sfr__send_queue *queue, sfr_buf *chain, uint64_t sent)
{
	sfr_buf *last;

	while (chain && sent >= sfr__buf_len(chain)) {
		sent -= sfr__buf_len(chain);
		chain = chain_pop(queue, chain);
	}
	if (!chain)
		return;
	sfr__buf_advance(chain, (uint32_t)sent);
	sfr__invariant(queue->bytes >= sent);
	queue->bytes -= sent;
	for (last = chain; last->next;)
		last = last->next;
	last->next = queue->head;
	if (!queue->head)
		queue->tail = last;
	queue->head = chain;
}

void sfr__send_queue_drop(struct sfr__send_queue *queue, sfr_buf *chain)
{
	while (chain)
		chain = chain_pop(queue, chain);
}

void sfr__send_queue_clear(struct sfr__send_queue *queue)
{
	sfr__send_queue_drop(queue, queue->head);
	queue->head = NULL;
}

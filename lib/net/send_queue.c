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
#include <string.h>

/* Whether the loop's slab has something back when it goes, or when others go as well. */
static bool is_of_slab(const sfr_buf *buf)
{
	const struct sfr__buf *b = sfr__buf(buf);

	return b->kind == SFR__BUF_SLAB && !sfr__pool_is_alone(b->pool);
}

/* Which of the counts it is in. */
static uint32_t *count_of(struct sfr__send_queue *queue, const sfr_buf *buf)
{
	return sfr__buf(buf)->was_shared ? &queue->shared_bufs : &queue->slab_bufs;
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
	*count_of(queue, buf) += is_of_slab(buf);
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
	sfr__invariant(*count_of(queue, chain) >= is_of_slab(chain));
	*count_of(queue, chain) -= is_of_slab(chain);
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

static uint64_t chain_bytes(const sfr_buf *chain, bool *in_slab_out)
{
	uint64_t bytes = 0;

	for (*in_slab_out = false; chain; chain = chain->next) {
		bytes += sfr__buf_len(chain);
		*in_slab_out |= is_of_slab(chain);
	}
	return bytes;
}

uint64_t sfr__send_queue_copy_out(struct sfr__send_queue *queue, struct sfr__pool *pool)
{
	bool in_slab;
	uint64_t bytes = chain_bytes(queue->head, &in_slab);
	const sfr_buf *from;
	sfr_buf *copy;

	copy = in_slab ? sfr__pool_get_heap(pool, bytes) : NULL;
	if (!copy)
		return 0;
	for (from = queue->head; from; from = from->next) {
		memcpy(copy->data + copy->len, sfr__buf_data(from), sfr__buf_len(from));
		copy->len += sfr__buf_len(from);
	}
	sfr__send_queue_clear(queue);
	(void)sfr__buf_give(pool, copy); /* ours, and fresh: it cannot be refused */
	sfr__send_queue_push(queue, copy);
	return bytes;
}

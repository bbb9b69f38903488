/* SPDX-License-Identifier: MIT */
/*
 * Flight: requests in chunks of growing size, and a hash table of those in flight.
 *
 * Chunks are never given back before the end, so taking a request after a reserve cannot fail. If
 * the table cannot grow for want of memory, its chains get longer and nothing else happens.
 */
#include "engine/interpreter/flight.h"
#include "base/invariant.h"
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 64
#define CHUNK_MAX 8192

struct sfr__requests {
	struct sfr__requests *next;
	unsigned count;
	_Alignas(struct sfr__request) unsigned char memory[]; /* zero, but for what requests keep */
};

/* Each chunk is as large as all before it. False without memory. */
static bool chunk_add(struct sfr__interpreter *interpreter, unsigned count_min)
{
	struct sfr__requests *last = interpreter->chunks, *chunk;
	unsigned count = last ? 2 * last->count : CHUNK_MIN, i;

	count = count > CHUNK_MAX ? CHUNK_MAX : count;
	count = count < count_min ? count_min : count;
	chunk = calloc(1, sizeof(*chunk) + count * interpreter->request_size);
	if (!chunk)
		return false;
	chunk->count = count;
	chunk->next = last;
	interpreter->chunks = chunk;
	for (i = 0; i < count; i++) {
		struct sfr__request *request = (void *)(chunk->memory +
							i * interpreter->request_size);

		request->interpreter = interpreter;
		sfr__list_init(&request->timer.link);
		sfr__request_give(interpreter, request);
	}
	return true;
}

/* The free ones are not counted: a reserve looks at no more of them than it asks for. */
bool sfr__requests_reserve(struct sfr__interpreter *interpreter, unsigned count)
{
	const struct sfr__request *request = interpreter->free;

	for (; request && count; request = request->next)
		count--;
	return !count || chunk_add(interpreter, count);
}

void sfr__requests_free_all(struct sfr__interpreter *interpreter)
{
	while (interpreter->chunks) {
		struct sfr__requests *chunk = interpreter->chunks;

		interpreter->chunks = chunk->next;
		free(chunk);
	}
	free(interpreter->table);
}

struct sfr__request *sfr__request_take(struct sfr__interpreter *interpreter,
				       const struct io_uring_sqe *sqe)
{
	struct sfr__request *request = interpreter->free;

	interpreter->free = request->next;
	request->sqe = *sqe;
	request->next = NULL;
	request->done = 0;
	request->fd = request->number = sqe->fd;
	request->fd_in = sqe->splice_fd_in;
	request->no_more = false;
	request->time_ns = 0;
	request->flags = 0;
	atomic_store_explicit(&request->cancelled, false, memory_order_relaxed);
	request->step = 0;
	request->told = 0;
	sfr__list_init(&request->link);
	return request;
}

void sfr__request_give(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	request->next = interpreter->free;
	interpreter->free = request;
}

static struct sfr__request **place_of(struct sfr__interpreter *interpreter, uint64_t user_data)
{
	uint64_t hash = user_data * UINT64_C(0x9e3779b97f4a7c15);

	return &interpreter->table[(hash >> 32) & (interpreter->table_size - 1)];
}

static void table_put(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	struct sfr__request **place = place_of(interpreter, request->sqe.user_data);

	request->bucket = *place;
	*place = request;
}

/* Twice the size. Without memory the table stays, and only gets slower. */
static void table_grow(struct sfr__interpreter *interpreter)
{
	struct sfr__request **old = interpreter->table;
	size_t size = interpreter->table_size, i;

	interpreter->table = calloc(2 * size, sizeof(struct sfr__request *));
	if (!interpreter->table) {
		interpreter->table = old;
		return;
	}
	interpreter->table_size = 2 * size;
	for (i = 0; i < size; i++) {
		while (old[i]) {
			struct sfr__request *request = old[i];

			old[i] = request->bucket;
			table_put(interpreter, request);
		}
	}
	free(old);
}

void sfr__flight_enter(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	if (interpreter->in_flight == interpreter->table_size)
		table_grow(interpreter);
	table_put(interpreter, request);
	interpreter->in_flight++;
}

void sfr__flight_leave(struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	struct sfr__request **place = place_of(interpreter, request->sqe.user_data);

	while (*place != request) {
		sfr__invariant(*place);
		place = &(*place)->bucket;
	}
	*place = request->bucket;
	interpreter->in_flight--;
}

struct sfr__request *sfr__flight_find(struct sfr__interpreter *interpreter, uint64_t user_data)
{
	struct sfr__request *request = *place_of(interpreter, user_data);

	while (request && request->sqe.user_data != user_data)
		request = request->bucket;
	return request;
}

/* SPDX-License-Identifier: MIT */
/*
 * Flight: requests in chunks of growing size, and a hash table of those in flight.
 *
 * Chunks are never given back before the end, so taking a request after a reserve cannot fail. If
 * the table cannot grow for want of memory, its buckets get longer and nothing else happens.
 */
#include "engine/interpreter/flight.h"
#include "base/invariant.h"
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 64
#define CHUNK_MAX 8192

struct sfr__flights {
	struct sfr__flights *next;
	unsigned count;
	_Alignas(struct sfr__flight) unsigned char memory[]; /* zero, but for what requests keep */
};

/* Each chunk is as large as all before it. False without memory. */
static bool chunk_add(struct sfr__interpreter *interpreter, unsigned count_min)
{
	struct sfr__flights *last = interpreter->chunks, *chunk;
	unsigned count = last ? 2 * last->count : CHUNK_MIN, i;

	count = count > CHUNK_MAX ? CHUNK_MAX : count;
	count = count < count_min ? count_min : count;
	chunk = calloc(1, sizeof(*chunk) + count * interpreter->flight_size);
	if (!chunk)
		return false;
	chunk->count = count;
	chunk->next = last;
	interpreter->chunks = chunk;
	for (i = 0; i < count; i++) {
		struct sfr__flight *flight = (void *)(chunk->memory + i * interpreter->flight_size);

		flight->interpreter = interpreter;
		sfr__list_init(&flight->timer.hook);
		sfr__flight_give(interpreter, flight);
	}
	return true;
}

/* The free ones are not counted: a reserve looks at no more of them than it asks for. */
bool sfr__flights_reserve(struct sfr__interpreter *interpreter, unsigned count)
{
	const struct sfr__flight *flight = interpreter->free;

	for (; flight && count; flight = flight->next)
		count--;
	return !count || chunk_add(interpreter, count);
}

void sfr__flights_free_all(struct sfr__interpreter *interpreter)
{
	while (interpreter->chunks) {
		struct sfr__flights *chunk = interpreter->chunks;

		interpreter->chunks = chunk->next;
		free(chunk);
	}
	free(interpreter->table);
}

struct sfr__flight *sfr__flight_take(struct sfr__interpreter *interpreter,
				     const struct io_uring_sqe *sqe)
{
	struct sfr__flight *flight = interpreter->free;

	interpreter->free = flight->next;
	flight->request.sqe = *sqe;
	flight->next = NULL;
	flight->request.done = 0;
	flight->request.fd = flight->number = sqe->fd;
	flight->request.fd_in = sqe->splice_fd_in;
	flight->request.no_more = false;
	flight->request.time_ns = 0;
	flight->flags = 0;
	atomic_store_explicit(&flight->cancelled, false, memory_order_relaxed);
	flight->request.step = 0;
	flight->request.told = 0;
	sfr__list_init(&flight->hook);
	return flight;
}

void sfr__flight_give(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	flight->next = interpreter->free;
	interpreter->free = flight;
}

static struct sfr__flight **place_of(struct sfr__interpreter *interpreter, uint64_t user_data)
{
	uint64_t hash = user_data * UINT64_C(0x9e3779b97f4a7c15);

	return &interpreter->table[(hash >> 32) & (interpreter->table_size - 1)];
}

static void table_put(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	struct sfr__flight **place = place_of(interpreter, flight->request.sqe.user_data);

	flight->bucket = *place;
	*place = flight;
}

/* Twice the size. Without memory the table stays, and only gets slower. */
static void table_grow(struct sfr__interpreter *interpreter)
{
	struct sfr__flight **old = interpreter->table;
	size_t size = interpreter->table_size, i;

	interpreter->table = calloc(2 * size, sizeof(struct sfr__flight *));
	if (!interpreter->table) {
		interpreter->table = old;
		return;
	}
	interpreter->table_size = 2 * size;
	for (i = 0; i < size; i++) {
		while (old[i]) {
			struct sfr__flight *flight = old[i];

			old[i] = flight->bucket;
			table_put(interpreter, flight);
		}
	}
	free(old);
}

void sfr__flight_enter(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	if (interpreter->in_flight == interpreter->table_size)
		table_grow(interpreter);
	table_put(interpreter, flight);
	interpreter->in_flight++;
}

void sfr__flight_leave(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	struct sfr__flight **place = place_of(interpreter, flight->request.sqe.user_data);

	while (*place != flight) {
		sfr__invariant(*place);
		place = &(*place)->bucket;
	}
	*place = flight->bucket;
	interpreter->in_flight--;
}

struct sfr__flight *sfr__flight_find(struct sfr__interpreter *interpreter, uint64_t user_data)
{
	struct sfr__flight *flight = *place_of(interpreter, user_data);

	while (flight && flight->request.sqe.user_data != user_data)
		flight = flight->bucket;
	return flight;
}

/* SPDX-License-Identifier: MIT */
/*
 * Flight: requests in an array that grows, and a hash table of those in flight.
 *
 * The array never shrinks before the end, so taking a request after a reserve cannot fail. If
 * the table cannot grow for want of memory, its buckets get longer and nothing else happens.
 */
#include "engine/interpreter/flight.h"
#include "base/invariant.h"
#include <stdlib.h>
#include <string.h>

#define FLIGHTS_MAX ((size_t)1 << 31)
#define PER_PLACE 2 /* of the table, on average, when it grows */

void sfr__flights_init(struct sfr__interpreter *interpreter)
{
	sfr__array_init(&interpreter->flights, interpreter->flight_size, FLIGHTS_MAX);
	sfr__array_init(&interpreter->alarms, sizeof(struct sfr__alarm), FLIGHTS_MAX);
}

/* The free ones are not counted: a reserve looks at no more of them than it asks for. */
bool sfr__flights_reserve(struct sfr__interpreter *interpreter, unsigned count)
{
	const struct sfr__flight *flight = interpreter->free;

	for (; flight && count; flight = flight->next)
		count--;
	return !count || (sfr__array_grow(&interpreter->flights, interpreter->made + count) == 0 &&
			  sfr__array_grow(&interpreter->alarms, interpreter->made + count) == 0);
}

void sfr__flights_free_all(struct sfr__interpreter *interpreter)
{
	sfr__array_fini(&interpreter->flights);
	sfr__array_fini(&interpreter->alarms);
	free(interpreter->table);
}

static struct sfr__flight *flight_get(struct sfr__interpreter *interpreter)
{
	struct sfr__flight *flight = interpreter->free;

	if (sfr__likely(flight != NULL))
		interpreter->free = flight->next;
	else
		flight = sfr__array_at(&interpreter->flights, interpreter->made++);
	return flight;
}

struct sfr__flight *sfr__flight_take(struct sfr__interpreter *interpreter,
				     const struct io_uring_sqe *sqe)
{
	struct sfr__flight *flight = flight_get(interpreter);

	flight->request.sqe = *sqe;
	flight->next = NULL;
	flight->request.done = 0;
	flight->request.fd = sqe->fd;
	flight->request.fd_in = sqe->splice_fd_in;
	flight->request.no_more = false;
	flight->request.step = 0;
	flight->request.told = 0;
	flight->flags = 0;
	atomic_store_explicit(&flight->cancelled, false, memory_order_relaxed);
	flight->timed = false;
	flight->retries = 0;
	sfr__list_init(&flight->hook);
	return flight;
}

void sfr__flight_give(struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	flight->next = interpreter->free;
	interpreter->free = flight;
}

struct sfr__alarm *sfr__flight_alarm(const struct sfr__interpreter *interpreter,
				     const struct sfr__flight *flight)
{
	return sfr__array_at(&interpreter->alarms,
			     sfr__array_index(&interpreter->flights, flight, interpreter->made));
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
	if (interpreter->in_flight == PER_PLACE * interpreter->table_size)
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

/* SPDX-License-Identifier: MIT */
/*
 * Handles: seats of loops, objects that come and go, and what is told of a handle without one.
 *
 * Seats are taken in turn, so that the next loop is at the one that was left longest ago. There is no lock: a child of
 * fork may be born while another thread takes one.
 */
#include "base/handle.h"
#include "base/log.h"
#include "base/process.h"
#include <safer_ring/error.h>

struct sfr__seat sfr__seats[SFR__HANDLE_SEATS];

enum {
	EPOCHS = 1 << SFR__HANDLE_EPOCH_BITS,
	GENERATIONS_LAST = SFR__HANDLE_EPOCH_BITS > 0, /* else they begin again */
};

/*
 * Seats.
 */

static unsigned seat_take(void)
{
	static atomic_uint next;
	unsigned tries, number;

	for (tries = 0; tries < SFR__HANDLE_SEATS; tries++) {
		number = atomic_fetch_add(&next, 1) % SFR__HANDLE_SEATS;
		if (number && !atomic_exchange(&sfr__seats[number].taken, true))
			return number;
	}
	return 0;
}

static uintptr_t handle_first(unsigned number, enum sfr__handle_kind kind)
{
	const struct sfr__seat *seat = &sfr__seats[number];

	return SFR__HANDLE_MARKS | (uintptr_t)kind << SFR__HANDLE_KIND_SHIFT |
	       (uintptr_t)atomic_load(&seat->epoch) << SFR__HANDLE_EPOCH_SHIFT |
	       (uintptr_t)seat->generation << SFR__HANDLE_GENERATION_SHIFT |
	       (uintptr_t)number << SFR__HANDLE_INDEX_BITS;
}

unsigned sfr__seat_open(sfr_loop *loop, struct sfr__objects objects[SFR__HANDLE_KINDS], bool abort)
{
	unsigned number = seat_take(), kind;
	struct sfr__seat *seat = &sfr__seats[number];

	if (!number)
		return 0;
	for (kind = 0; kind < SFR__HANDLE_KINDS; kind++) {
		objects[kind] = (struct sfr__objects){.first = handle_first(number, kind),
						      .generation_max = seat->generation};
		sfr__list_init(&objects[kind].spare);
	}
	seat->objects = objects;
	atomic_store(&seat->process, sfr__process_generation);
	atomic_store(&seat->abort, abort);
	atomic_store(&seat->loop, loop);
	sfr__seat_bind(number);
	return number;
}

void sfr__seat_bind(unsigned number)
{
	atomic_store(&sfr__seats[number].stranger, ~sfr__thread_self());
}

/* Handles of this loop are not to come again. False: there are no others. */
static bool seat_advance(struct sfr__seat *seat)
{
	unsigned epoch = (atomic_load(&seat->epoch) + 1) % EPOCHS, kind;

	for (kind = 0; kind < SFR__HANDLE_KINDS; kind++)
		if (seat->objects[kind].generation_max >= seat->generation_next)
			seat->generation_next = seat->objects[kind].generation_max + 1;
	if (epoch == 0)
		seat->generation = seat->generation_next;
	if (!GENERATIONS_LAST)
		seat->generation = seat->generation_next %= SFR__HANDLE_GENERATIONS;
	atomic_store(&seat->epoch, epoch);
	return seat->generation < SFR__HANDLE_GENERATIONS;
}

void sfr__seat_close(unsigned number)
{
	struct sfr__seat *seat = &sfr__seats[number];
	bool again;
	int kind;

	if (!number)
		return;
	atomic_store(&seat->stranger, 0);
	atomic_store(&seat->loop, NULL);
	again = seat_advance(seat);
	for (kind = 0; kind < SFR__HANDLE_KINDS; kind++)
		sfr__array_fini(&seat->objects[kind].array);
	seat->objects = NULL;
	if (again)
		atomic_store(&seat->taken, false);
}

/*
 * Objects.
 */

void *sfr__object_take(struct sfr__objects *objects, size_t size)
{
	struct sfr__object *object;

	if (!sfr__list_empty(&objects->spare)) {
		object = sfr__container(objects->spare.next, struct sfr__object, hook);
		sfr__list_remove(&object->hook);
		return object;
	}
	if (!objects->array.size)
		sfr__array_init(&objects->array, size, (size_t)1 << SFR__HANDLE_INDEX_BITS);
	if (sfr__array_grow(&objects->array, objects->made + 1) < 0)
		return NULL;
	object = sfr__array_at(&objects->array, objects->made);
	object->handle = objects->first + objects->made++;
	return object;
}

void sfr__object_give(struct sfr__objects *objects, struct sfr__object *object)
{
	const uintptr_t ones = SFR__HANDLE_GENERATIONS - 1;
	uintptr_t next = ((object->handle >> SFR__HANDLE_GENERATION_SHIFT) + 1) & ones;

	object->handle &= ~(ones << SFR__HANDLE_GENERATION_SHIFT);
	object->handle |= next << SFR__HANDLE_GENERATION_SHIFT;
	if (next > objects->generation_max)
		objects->generation_max = (uint32_t)next;
	if (next == 0 && GENERATIONS_LAST)
		object->handle = 0; /* it had them all */
	else
		sfr__list_append(&objects->spare, &object->hook);
}

/*
 * Handles without an object.
 */

/* Of any kind. */
static sfr_loop *loop_of(const void *handle)
{
	const struct sfr__seat *seat = sfr__handle_seat(handle);
	unsigned epoch = (uintptr_t)handle >> SFR__HANDLE_EPOCH_SHIFT & (EPOCHS - 1);

	return ((uintptr_t)handle & SFR__HANDLE_MARKED) == SFR__HANDLE_MARKS &&
			       epoch == atomic_load(&seat->epoch)
		       ? atomic_load(&seat->loop)
		       : NULL;
}

static bool is_of_kind(const void *handle, enum sfr__handle_kind kind)
{
	uintptr_t wanted = SFR__HANDLE_MARKS | (uintptr_t)kind << SFR__HANDLE_KIND_SHIFT;
	uintptr_t mask = SFR__HANDLE_MARKED | (uintptr_t)3 << SFR__HANDLE_KIND_SHIFT;

	return ((uintptr_t)handle & mask) == wanted;
}

sfr_loop *sfr__handle_loop(const void *handle, enum sfr__handle_kind kind)
{
	return is_of_kind(handle, kind) ? loop_of(handle) : NULL;
}

bool sfr__handle_is_orphan(const void *handle, enum sfr__handle_kind kind)
{
	return is_of_kind(handle, kind) && sfr__handle_seat(handle) != sfr__seats &&
	       !loop_of(handle);
}

/* -SFR_ETHREAD or -SFR_EFORKED, which was told; 0: the caller may look. */
static int stranger_refuse(const void *handle, const char *what)
{
	const struct sfr__seat *seat = sfr__handle_seat(handle);

	if (!loop_of(handle) || atomic_load(&seat->stranger) == ~sfr__thread_number)
		return 0;
	return sfr__misuse_strange(atomic_load(&seat->abort),
				   atomic_load(&seat->process) != sfr__process_generation, what);
}

int sfr__handle_refuse(const void *handle, const char *what)
{
	int r = stranger_refuse(handle, what);

	return r < 0 ? r : -SFR_ESTALE;
}

void sfr__handle_report(const void *handle, const char *what)
{
	if (stranger_refuse(handle, what) == 0)
		(void)sfr__misuse(atomic_load(&sfr__handle_seat(handle)->abort), -SFR_ESTALE,
				  "%s that is gone, or never was one", what);
}

/* SPDX-License-Identifier: MIT */
/*
 * Handles: what callers have of an object, in place of its address.
 *
 * A handle is the number of a loop's seat in a table of the process, the index of an object among those of its kind on
 * that loop, and a generation that counts the uses of that index. Whatever a program passes for one is found out
 * without reading any memory but the library's: the table is static, a loop's objects never move, and their memory
 * stays until the loop is freed. Each object knows its own handle, so one comparison says that kind, loop and
 * generation are right.
 *
 * A loop's seat is for one loop after the other. Handles of a later one differ in `epoch`, and when epochs begin
 * again, generations begin behind all that there were. So no two objects have the same handle while the process lives:
 * an index whose generations are used up is left out, and so is a seat. With 32 bits for a pointer there is no room for
 * that, and generations begin again.
 *
 * Only the loop's thread looks at objects. What another thread is told comes from the table alone, as the loop may be
 * freed at any moment.
 */
#ifndef SFR_LIB_BASE_HANDLE_H
#define SFR_LIB_BASE_HANDLE_H

#include "base/array.h"
#include "base/invariant.h"
#include "base/list.h"
#include "base/thread.h"
#include <safer_ring/base.h>

enum sfr__handle_kind {
	SFR__HANDLE_CONN,
	SFR__HANDLE_SERVER,
	SFR__HANDLE_BATCH,
	SFR__HANDLE_KINDS,
};

/*
 * From the lowest bit: index, seat, generation, epoch, kind. The marks are such that to dereference a handle faults:
 * x86-64 wants the topmost bits to be equal, and on aarch64, which ignores the topmost byte, bit 55 is for addresses
 * of the kernel.
 */
#if UINTPTR_MAX > UINT32_MAX
enum {
	SFR__HANDLE_INDEX_BITS = 22,
	SFR__HANDLE_SEAT_BITS = 10,
	SFR__HANDLE_GENERATION_BITS = 23,
	SFR__HANDLE_EPOCH_BITS = 3,
	SFR__HANDLE_EPOCH_SHIFT = 57,
	SFR__HANDLE_KIND_SHIFT = 60,
};
#define SFR__HANDLE_MARKS ((uintptr_t)1 << 62 | (uintptr_t)3 << 55)
#define SFR__HANDLE_MARKED (SFR__HANDLE_MARKS | (uintptr_t)1 << 63)
#else
enum {
	SFR__HANDLE_INDEX_BITS = 16,
	SFR__HANDLE_SEAT_BITS = 4,
	SFR__HANDLE_GENERATION_BITS = 10,
	SFR__HANDLE_EPOCH_BITS = 0,
	SFR__HANDLE_EPOCH_SHIFT = 30,
	SFR__HANDLE_KIND_SHIFT = 30,
};
#define SFR__HANDLE_MARKS ((uintptr_t)0)
#define SFR__HANDLE_MARKED ((uintptr_t)0)
#endif
enum {
	SFR__HANDLE_GENERATION_SHIFT = SFR__HANDLE_INDEX_BITS + SFR__HANDLE_SEAT_BITS,
	/* loops that there may be at a time, and one that is none: then a handle is never NULL */
	SFR__HANDLE_SEATS = 1 << SFR__HANDLE_SEAT_BITS,
	SFR__HANDLE_GENERATIONS = 1 << SFR__HANDLE_GENERATION_BITS,
};

/* What each object begins with. */
struct sfr__object {
	uintptr_t handle;
	struct sfr__hook hook; /* among the live ones of its owner, or the spare ones */
};

/* All objects of one kind that a loop has or had. */
struct sfr__objects {
	struct sfr__array array;
	size_t made;
	/* First in, first out: so generations last as long as they can. */
	struct sfr__hook spare;
	uintptr_t first;         /* the handle of index 0 when it is made */
	uint32_t generation_max; /* that any handle has */
};

/* A loop's seat. All but `objects` is for any thread. */
struct sfr__seat {
	atomic_uintptr_t
		stranger; /* the number of the loop's thread, inverted: 0 if there is none */
	struct sfr__objects *objects; /* by kind */
	sfr_loop *_Atomic loop;       /* NULL: there is none */
	atomic_uint epoch;
	atomic_uint process; /* sfr__process_generation of the loop's maker */
	atomic_bool taken;
	atomic_bool abort;        /* safety.abort of the loop, or of the last that was here */
	uint32_t generation;      /* with which objects begin in this round of epochs */
	uint32_t generation_next; /* in the next one */
};

extern struct sfr__seat sfr__seats[SFR__HANDLE_SEATS];

/* A seat for a loop that the calling thread makes. Its number, above 0; 0: all are taken. */
unsigned sfr__seat_open(sfr_loop *loop, struct sfr__objects objects[SFR__HANDLE_KINDS], bool abort);

/* The calling thread runs the loop from now on. */
void sfr__seat_bind(unsigned seat);

/* The loop goes, and with it its objects. 0 is no seat. */
void sfr__seat_close(unsigned seat);

/* An object of a size, with a handle; the rest is what it was. NULL without memory. */
void *sfr__object_take(struct sfr__objects *objects, size_t size);

/* Nobody needs it any more: its handle is stale from now on. It is on no list. */
void sfr__object_give(struct sfr__objects *objects, struct sfr__object *object);

static inline struct sfr__seat *sfr__handle_seat(const void *handle)
{
	return &sfr__seats[(uintptr_t)handle >> SFR__HANDLE_INDEX_BITS & (SFR__HANDLE_SEATS - 1)];
}

/* The object of a handle, which may be any value. NULL: there is none, or the caller is not on its loop's thread. */
static inline void *sfr__object_find(const void *handle, enum sfr__handle_kind kind)
{
	const struct sfr__seat *seat = sfr__handle_seat(handle);
	size_t index = (uintptr_t)handle & (((size_t)1 << SFR__HANDLE_INDEX_BITS) - 1);
	const struct sfr__objects *objects;
	struct sfr__object *object;

	if (sfr__unlikely(atomic_load_explicit(&seat->stranger, memory_order_relaxed) !=
			  ~sfr__thread_number))
		return NULL;
	objects = &seat->objects[kind];
	if (sfr__unlikely(index >= objects->made))
		return NULL;
	object = sfr__array_at(&objects->array, index);
	return sfr__likely(object->handle == (uintptr_t)handle) ? object : NULL;
}

/* Of a handle that has no object for the caller, who did `what` with it: -SFR_ESTALE, which is no misuse; -SFR_ETHREAD
 * or -SFR_EFORKED, which are. */
__attribute__((cold)) int sfr__handle_refuse(const void *handle, const char *what);

/* The same where the caller is not told: a stale one is misuse as well. */
__attribute__((cold)) void sfr__handle_report(const void *handle, const char *what);

/* The loop that it is of; NULL: it is gone, or there never was one. Any thread, while the loop is there. */
sfr_loop *sfr__handle_loop(const void *handle, enum sfr__handle_kind kind);

/* Whether it was one of a loop that is gone. */
bool sfr__handle_is_orphan(const void *handle, enum sfr__handle_kind kind);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Array: elements that never move, however many there come to be.
 *
 * The kernel and callers point into it, so elements must not move when it grows. To reserve addresses for all
 * elements that there may ever be would take too many of them, as a process may be allowed few (RLIMIT_AS). So an
 * array consists of extents, each a mapping of its own: four of 1024 elements, four of 2048, and so on. It grows by a
 * fourth or less at a time, and the place of an element follows from its index by a few shifts. Extents need not be
 * made in order: an array that is used here and there has only the extents of the elements in use.
 *
 * One thread uses an array. sfr__array_index() may be called by others meanwhile.
 */
#ifndef SFR_LIB_BASE_ARRAY_H
#define SFR_LIB_BASE_ARRAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SFR__ARRAY_SHIFT 10 /* the first extents have 1 << 10 elements each */
#define SFR__ARRAY_NONE SIZE_MAX

enum {
	SFR__ARRAY_GROUP = 4, /* extents of one length */
	/* for indexes of 32 bits */
	SFR__ARRAY_EXTENTS = SFR__ARRAY_GROUP * (32 - SFR__ARRAY_SHIFT),
};

struct sfr__array {
	_Atomic(unsigned char *) extents[SFR__ARRAY_EXTENTS]; /* NULL: not mapped */
	size_t size;                                          /* bytes of an element */
	size_t count_max;                                     /* elements that there may be */
	size_t ready; /* elements, from the first, that sfr__array_grow() made usable */
};

/* Where an element is. */
struct sfr__array_place {
	unsigned extent;
	unsigned shift; /* the extent has 1 << shift elements */
	uint32_t offset;
};

static inline struct sfr__array_place sfr__array_place(size_t index)
{
	/* With as many elements before the first as a group of the shortest extents would have, an
	 * extent begins where all but the topmost three bits of its first index are 0. */
	uint64_t at = (uint64_t)index + (SFR__ARRAY_GROUP << SFR__ARRAY_SHIFT);
	unsigned shift = 61 - (unsigned)__builtin_clzll(at);

	return (struct sfr__array_place){
		.extent = SFR__ARRAY_GROUP * (shift - SFR__ARRAY_SHIFT) + (unsigned)(at >> shift) -
			  SFR__ARRAY_GROUP,
		.shift = shift,
		.offset = (uint32_t)(at & (((uint64_t)1 << shift) - 1)),
	};
}

/* Maps nothing yet. An array of zeros may be passed to fini. */
void sfr__array_init(struct sfr__array *array, size_t size, size_t count_max);
void sfr__array_fini(struct sfr__array *array);

/* Make the first `count` elements usable, and those that share their last extent; fresh ones are zero. 0 or
 * -ENOMEM: count_max is less, or there is no memory, or there are no addresses. */
int sfr__array_grow(struct sfr__array *array, size_t count);

/* The same for one element, and those that share its extent. */
int sfr__array_touch(struct sfr__array *array, size_t index);

/* Whether the element is usable. */
static inline bool sfr__array_has(const struct sfr__array *array, size_t index)
{
	return index < array->count_max &&
	       atomic_load_explicit(&array->extents[sfr__array_place(index).extent],
				    memory_order_relaxed);
}

/* An element that is usable. */
static inline void *sfr__array_at(const struct sfr__array *array, size_t index)
{
	struct sfr__array_place place = sfr__array_place(index);

	return atomic_load_explicit(&array->extents[place.extent], memory_order_relaxed) +
	       place.offset * array->size;
}

/* An element; NULL if it is not usable. */
static inline void *sfr__array_find(const struct sfr__array *array, size_t index)
{
	return sfr__array_has(array, index) ? sfr__array_at(array, index) : NULL;
}

/* An element, made usable; NULL without memory, or if there may be none. */
static inline void *sfr__array_get(struct sfr__array *array, size_t index)
{
	return sfr__array_touch(array, index) == 0 ? sfr__array_at(array, index) : NULL;
}

/* The first usable element from this index on; SFR__ARRAY_NONE: there is none. */
size_t sfr__array_next(const struct sfr__array *array, size_t index);

/* Which of the first `count` elements is at this address, which may be anything; SFR__ARRAY_NONE: none. */
size_t sfr__array_index(const struct sfr__array *array, const void *at, size_t count);

/* How many bytes of addresses the first `count` elements take. */
uint64_t sfr__array_addresses(size_t size, size_t count);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Array: extents by the index of an element, and the other way round.
 *
 * Each extent is mapped once and stays until the end, and its address is stored atomically: so
 * another thread that looks for an element finds an extent whole, or not at all.
 */
#include "base/array.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where LeakSanitizer runs: what only an element points to is no leak. It does not look into mappings by itself. */
__attribute__((weak)) void __lsan_register_root_region(const void *at, size_t size);
__attribute__((weak)) void __lsan_unregister_root_region(const void *at, size_t size);

void sfr__array_init(struct sfr__array *array, size_t size, size_t count_max)
{
	*array = (struct sfr__array){.size = size, .count_max = count_max};
}

/* How many elements an extent has, and which is its first. */
static size_t extent_count(unsigned extent)
{
	return (size_t)1 << (SFR__ARRAY_SHIFT + extent / SFR__ARRAY_GROUP);
}

static size_t extent_first(unsigned extent)
{
	return (SFR__ARRAY_GROUP + extent % SFR__ARRAY_GROUP) * extent_count(extent) -
	       SFR__ARRAY_GROUP * extent_count(0);
}

static size_t extent_bytes(size_t size, unsigned extent)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (extent_count(extent) * size + page - 1) & ~(page - 1);
}

static unsigned char *extent_at(const struct sfr__array *array, unsigned extent)
{
	return atomic_load_explicit(&array->extents[extent], memory_order_relaxed);
}

/* Map an extent, unless it is mapped. 0 or -ENOMEM. */
static int extent_map(struct sfr__array *array, unsigned extent)
{
	void *at;

	if (extent_at(array, extent))
		return 0;
	at = mmap(NULL, extent_bytes(array->size, extent), PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return -ENOMEM;
	if (__lsan_register_root_region)
		__lsan_register_root_region(at, extent_bytes(array->size, extent));
	atomic_store_explicit(&array->extents[extent], at, memory_order_relaxed);
	return 0;
}

static void extent_unmap(void *at, size_t bytes)
{
	if (__lsan_unregister_root_region)
		__lsan_unregister_root_region(at, bytes);
	(void)munmap(at, bytes);
}

void sfr__array_fini(struct sfr__array *array)
{
	unsigned extent;

	for (extent = 0; extent < SFR__ARRAY_EXTENTS; extent++)
		if (extent_at(array, extent))
			extent_unmap(extent_at(array, extent), extent_bytes(array->size, extent));
	*array = (struct sfr__array){.size = 0};
}

int sfr__array_grow(struct sfr__array *array, size_t count)
{
	if (count > array->count_max)
		return -ENOMEM;
	while (array->ready < count) {
		unsigned extent = sfr__array_place(array->ready).extent;
		int r = extent_map(array, extent);

		if (r < 0)
			return r;
		array->ready += extent_count(extent);
	}
	return 0;
}

int sfr__array_touch(struct sfr__array *array, size_t index)
{
	return index < array->count_max ? extent_map(array, sfr__array_place(index).extent)
					: -ENOMEM;
}

size_t sfr__array_next(const struct sfr__array *array, size_t index)
{
	while (index < array->count_max) {
		unsigned extent = sfr__array_place(index).extent;

		if (extent_at(array, extent))
			return index;
		index = extent_first(extent + 1);
	}
	return SFR__ARRAY_NONE;
}

size_t sfr__array_index(const struct sfr__array *array, const void *at, size_t count)
{
	unsigned extent = count ? sfr__array_place(count - 1).extent + 1 : 0;

	while (extent--) { /* the last ones are the longest */
		uintptr_t base = (uintptr_t)extent_at(array, extent);
		uintptr_t offset = (uintptr_t)at - base;
		size_t index;

		if (!base || offset >= extent_count(extent) * array->size)
			continue;
		index = extent_first(extent) + offset / array->size;
		return index < count && offset % array->size == 0 ? index : SFR__ARRAY_NONE;
	}
	return SFR__ARRAY_NONE;
}

uint64_t sfr__array_addresses(size_t size, size_t count)
{
	unsigned extent;
	uint64_t bytes = 0;

	for (extent = 0; extent < SFR__ARRAY_EXTENTS && extent_first(extent) < count; extent++)
		bytes += extent_bytes(size, extent);
	return bytes;
}

/* SPDX-License-Identifier: MIT */
/*
 * Region: mmap reserves the addresses without access, and mprotect makes more of them usable.
 *
 * Huge pages are mapped over the beginning of the reservation. They are a wish: where there are too
 * few, plain pages are in the same place, and the caller does not notice.
 */
#include "base/region.h"
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Growth by a quarter, at least this much: few calls while small, little waste while large. */
#define GROWTH_MIN ((size_t)64 * 1024)

static size_t page_align(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) & ~(page - 1);
}

int sfr__region_init(struct sfr__region *region, size_t size_max)
{
	void *base;

	size_max = page_align(size_max);
	base = mmap(NULL, size_max, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	*region = (struct sfr__region){.base = base, .reserved = size_max};
	return 0;
}

#define HUGE_PAGE ((size_t)2 * 1024 * 1024)
#define MAP_HUGE_PAGE (MAP_HUGETLB | 21 << 26) /* of that size: another may be the default */

static size_t huge_align(size_t size)
{
	return (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/* Reserve addresses that begin on a huge page. 0 or -ENOMEM. */
static int region_init_aligned(struct sfr__region *region, size_t size_max)
{
	size_t size = huge_align(size_max), before;
	int r = sfr__region_init(region, size + HUGE_PAGE);

	if (r < 0)
		return r;
	before = huge_align((uintptr_t)region->base) - (uintptr_t)region->base;
	if (before)
		(void)munmap(region->base, before); /* what is not given back costs nothing */
	(void)munmap(region->base + before + size, HUGE_PAGE - before);
	region->base += before;
	region->reserved = size;
	return 0;
}

/* Map so much of a region's beginning, where nothing is mapped now. 0 or -ENOMEM. */
static int front_map(struct sfr__region *region, size_t size, int flags)
{
	void *at = mmap(region->base, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | flags, -1, 0);

	if (at == region->base)
		return 0;
	if (at != MAP_FAILED) /* an old kernel took the address for a hint */
		(void)munmap(at, size);
	return -ENOMEM;
}

/*
 * A mapping in huge pages that fails may leave a hole where it was to be, so the hole is made first. Other
 * threads map as well, and one of them may find it: then it is theirs.
 */
static int region_init_front_huge(struct sfr__region *region, size_t size, size_t size_max)
{
	int r = region_init_aligned(region, size_max);

	if (r < 0)
		return r;
	(void)munmap(region->base, size);
	r = front_map(region, size, MAP_HUGE_PAGE);
	if (r < 0)
		r = front_map(region, size, 0);
	if (r < 0) {
		if (size < region->reserved)
			(void)munmap(region->base + size, region->reserved - size);
		*region = (struct sfr__region){0};
		return r;
	}
	region->usable = size;
	return 0;
}

int sfr__region_init_huge(struct sfr__region *region, size_t size, size_t size_max)
{
	int r = region_init_front_huge(region, huge_align(size), size_max);

	if (r < 0)
		r = sfr__region_init(region, size_max);
	if (r == 0) /* without them it works as well */
		(void)madvise(region->base, region->reserved, MADV_HUGEPAGE);
	return r;
}

int sfr__region_grow(struct sfr__region *region, size_t size)
{
	size_t wanted;

	if (size <= region->usable)
		return 0;
	if (size > region->reserved)
		return -ENOMEM;
	wanted = region->usable + region->usable / 4 + GROWTH_MIN;
	wanted = page_align(wanted > size ? wanted : size);
	if (wanted > region->reserved)
		wanted = region->reserved;
	if (mprotect(region->base + region->usable, wanted - region->usable,
		     PROT_READ | PROT_WRITE))
		return -ENOMEM;
	region->usable = wanted;
	return 0;
}

void sfr__region_fini(struct sfr__region *region)
{
	if (region->base)
		munmap(region->base, region->reserved);
	*region = (struct sfr__region){0};
}

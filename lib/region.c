#include "region.h"
#include <errno.h>
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

/* Of the usual kind. Where the default is another size, the mapping fails, and does without. */
#define HUGE_PAGE ((size_t)2 * 1024 * 1024)

int sfr__region_init_huge(struct sfr__region *region, size_t size)
{
	size_t rounded = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	void *base = mmap(NULL, rounded, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (base == MAP_FAILED) {
		rounded = page_align(size);
		base = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
		if (base == MAP_FAILED)
			return -ENOMEM;
		(void)madvise(base, rounded, MADV_HUGEPAGE); /* without them it works as well */
	}
	*region = (struct sfr__region){.base = base, .reserved = rounded, .usable = rounded};
	return 0;
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

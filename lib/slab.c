#include "slab.h"
#include <errno.h>

int sfr__slab_init(struct sfr__slab *slab, uint32_t block_size, uint32_t count, uint32_t count_max,
		   bool huge)
{
	const uint64_t size_max = (uint64_t)block_size * count_max;
	int r;

	*slab = (struct sfr__slab){.count_max = count_max, .block_size = block_size};
	slab->shift = (uint32_t)__builtin_ctz(block_size);
	if (size_max > PTRDIFF_MAX) /* more than there are addresses */
		return -ENOMEM;
	r = sfr__region_init(&slab->side, count_max * sizeof(*slab->entries));
	if (r == 0)
		r = huge ? sfr__region_init_huge(&slab->region, (size_t)block_size * count,
						 (size_t)size_max)
			 : sfr__region_init(&slab->region, (size_t)size_max);
	if (r == 0) {
		slab->base = slab->region.base;
		slab->entries = (struct sfr__slab_entry *)(void *)slab->side.base;
		r = sfr__slab_grow(slab, count);
	}
	if (r < 0)
		sfr__slab_fini(slab);
	return r;
}

void sfr__slab_fini(struct sfr__slab *slab)
{
	sfr__region_fini(&slab->region);
	sfr__region_fini(&slab->side);
	*slab = (struct sfr__slab){0};
}

int sfr__slab_grow(struct sfr__slab *slab, uint32_t more)
{
	const uint32_t count = slab->count + more;
	uint32_t i;
	int r = sfr__region_grow(&slab->side, count * sizeof(*slab->entries));

	if (r == 0)
		r = sfr__region_grow(&slab->region, (size_t)count << slab->shift);
	if (r < 0)
		return r;
	for (i = count; i > slab->count;
	     i--) /* the first to be taken is the one of lowest address */
		slab->entries[slab->free_count++].free = i - 1;
	slab->count = count;
	return 0;
}

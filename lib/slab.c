#include "slab.h"
#include <errno.h>
#include <stdlib.h>

int sfr__slab_init(struct sfr__slab *slab, uint32_t block_size, uint32_t count, bool huge)
{
	uint32_t i;
	int r;

	*slab = (struct sfr__slab){.count = count, .block_size = block_size};
	slab->shift = (uint32_t)__builtin_ctz(block_size);
	slab->free = calloc(count, sizeof(*slab->free));
	slab->windows = calloc(count, sizeof(*slab->windows));
	r = slab->free && slab->windows ? 0 : -ENOMEM;
	if (r == 0)
		r = huge ? sfr__region_init_huge(&slab->region, (size_t)block_size * count)
			 : sfr__region_init(&slab->region, (size_t)block_size * count);
	if (r == 0)
		r = sfr__region_grow(&slab->region, slab->region.reserved);
	if (r < 0) {
		sfr__slab_fini(slab);
		return r;
	}
	slab->base = slab->region.base;
	for (i = 0; i < count; i++)
		slab->free[i] = count - 1 -
				i; /* the first to be taken is the first of the mapping */
	slab->free_count = count;
	return 0;
}

void sfr__slab_fini(struct sfr__slab *slab)
{
	sfr__region_fini(&slab->region);
	free(slab->free);
	free(slab->windows);
	*slab = (struct sfr__slab){0};
}

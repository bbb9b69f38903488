/* SPDX-License-Identifier: MIT */
/*
 * Region: addresses reserved once, made usable from the front, never moving.
 *
 * What the kernel or a caller points into must not move when it grows. A region reserves its addresses
 * up front and takes memory as it grows. Addresses are no memory, but a process may be allowed few of them
 * (RLIMIT_AS): a region is for what has a budget. What only has a limit is an array: see base/array.h.
 */
#ifndef SFR_LIB_BASE_REGION_H
#define SFR_LIB_BASE_REGION_H

#include <stddef.h>

struct sfr__region {
	unsigned char *base;
	size_t reserved; /* bytes of address space */
	size_t usable;   /* bytes, from the front, that may be touched; fresh ones are zero */
};

/* 0 or -ENOMEM. */
int sfr__region_init(struct sfr__region *region, size_t size_max);

/* The first `size` bytes usable at once, in huge pages if the machine has enough to spare. Where it has
 * not, and for what the region grows by, transparent ones are asked for. 0 or -ENOMEM. */
int sfr__region_init_huge(struct sfr__region *region, size_t size, size_t size_max);

/* Make the first `size` bytes usable, and some more so that growing stays rare. 0 or -ENOMEM. */
int sfr__region_grow(struct sfr__region *region, size_t size);

void sfr__region_fini(struct sfr__region *region);

#endif

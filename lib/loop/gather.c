/* SPDX-License-Identifier: MIT */
/*
 * Gather: vectors filled from a chain, from the byte on that the last system call reached.
 *
 * A gather of the usual size goes back to a list of spare ones. A larger one is freed at once, so a
 * loop does not keep the memory of the longest chain that it ever sent.
 */
#include "loop/gather.h"
#include "buffer/buf.h"
#include <stdlib.h>

struct sfr__gather *sfr__gather_take(struct sfr__gather **spare, size_t parts, uint64_t *allocs)
{
	struct sfr__gather *gather = *spare;
	size_t capacity = parts < SFR__GATHER_MAX ? parts : SFR__GATHER_MAX;

	if (parts <= SFR__GATHER_USUAL && gather) {
		*spare = gather->next;
		gather->done = 0;
		gather->msg = (struct msghdr){0};
		return gather;
	}
	if (capacity < SFR__GATHER_USUAL)
		capacity = SFR__GATHER_USUAL;
	*allocs += 1;
	gather = calloc(1, sizeof(*gather) + capacity * sizeof(gather->vectors[0]));
	if (gather)
		gather->capacity = (uint32_t)capacity;
	return gather;
}

void sfr__gather_give(struct sfr__gather **spare, struct sfr__gather *gather)
{
	if (gather->capacity > SFR__GATHER_USUAL) {
		free(gather);
		return;
	}
	gather->next = *spare;
	*spare = gather;
}

void sfr__gather_free_all(struct sfr__gather **spare)
{
	while (*spare) {
		struct sfr__gather *gather = *spare;

		*spare = gather->next;
		free(gather);
	}
}

void sfr__gather_fill(struct sfr__gather *gather, const sfr_buf *chain)
{
	uint64_t skip = gather->done;
	size_t count = 0;

	for (; chain && skip >= sfr__buf_len(chain); chain = chain->next)
		skip -= sfr__buf_len(chain);
	for (; chain && count < gather->capacity; chain = chain->next) {
		gather->vectors[count++] = (struct iovec){sfr__buf_data(chain) + skip,
							  sfr__buf_len(chain) - skip};
		skip = 0;
	}
	gather->msg.msg_iov = gather->vectors;
	gather->msg.msg_iovlen = count;
}

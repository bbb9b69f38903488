#include "gather.h"
#include "pool.h"
#include <stdlib.h>

struct sfr__gather *sfr__gather_take(struct sfr__gather **spare, uint64_t *allocs)
{
	struct sfr__gather *gather = *spare;

	if (gather) {
		*spare = gather->next;
		return gather;
	}
	*allocs += 1;
	return calloc(1, sizeof(*gather));
}

void sfr__gather_give(struct sfr__gather **spare, struct sfr__gather *gather)
{
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
	size_t count = 0;

	for (; chain && count < SFR__GATHER_MAX; chain = chain->next)
		gather->vectors[count++] = (struct iovec){sfr__buf_data(chain),
							  sfr__buf_len(chain)};
	gather->msg = (struct msghdr){.msg_iov = gather->vectors, .msg_iovlen = count};
}

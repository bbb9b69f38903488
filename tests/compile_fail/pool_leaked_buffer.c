/* SPDX-License-Identifier: MIT */
/* What was taken from a pool is to go back, or the pool cannot be freed. */
/* analyzer: gcc: leak of 'buf' */
/* analyzer: clang: Potential leak of memory pointed to by 'buf' */
#include <safer_ring.h>

uint32_t room_of(sfr_pool *pool)
{
	sfr_buf *buf = sfr_pool_get(pool);
	uint32_t room;

	if (!buf)
		return 0;
	room = buf->cap;
#ifndef MISTAKE
	sfr_buf_release(buf);
#endif
	return room;
}

/* SPDX-License-Identifier: MIT */
/* Releasing the head of a chain releases all of it, `next` and what it leads to. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_buf_release' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void release_all(sfr_buf *first)
{
#ifdef MISTAKE
	for (sfr_buf *buf = first; buf; buf = buf->next)
		sfr_buf_release(buf);
#else
	sfr_buf_release(first);
#endif
}

/* Releasing a link of a chain ends it, `next` and all: read that first. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_buf_release' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void release_all(sfr_buf *first)
{
	sfr_buf *next;

	for (sfr_buf *buf = first; buf; buf = next) {
#ifdef MISTAKE
		sfr_buf_release(buf);
		next = buf->next;
#else
		next = buf->next;
		sfr_buf_release(buf);
#endif
	}
}

/* SPDX-License-Identifier: MIT */
/* An awaited operation returns its buffer in buf_out: the old name for it is stale. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' may be used after 'sfr_read' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

int first_byte(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_buf *back = NULL;
	int r = sfr_await(sfr_read(loop, fd, buf), &back);

	if (r > 0)
#ifdef MISTAKE
		r = buf->data[0];
#else
		r = back->data[0];
#endif
	sfr_buf_release(back);
	return r;
}

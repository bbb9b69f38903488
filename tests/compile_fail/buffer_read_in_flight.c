/* SPDX-License-Identifier: MIT */
/* A read fills its buffer later: look at the contents in the callback, not after the submission. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_read' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

static void on_bytes(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	if (result > 0)
		*(unsigned char *)arg = buf->data[0];
	sfr_buf_release(buf);
}

void first_byte(sfr_loop *loop, int fd, sfr_buf *buf, unsigned char *out)
{
	sfr_submit(sfr_read(loop, fd, buf), on_bytes, out);
#ifdef MISTAKE
	*out = buf->data[0];
#endif
}

/* SPDX-License-Identifier: MIT */
/* Static memory is no buffer either: wrap it, and the loop knows when it is free again. */
/* diagnostic: -Wfree-nonheap-object */
/* text: 'sfr_send' called on unallocated object 'banner' */
/* analyzer: clang: is the address of the static variable 'banner' */
#include <safer_ring.h>

static unsigned char text[] = "hello";

void greet(sfr_loop *loop, int fd, sfr_done *done)
{
#ifdef MISTAKE
	static sfr_buf banner = {.data = text, .len = 5, .cap = 5};
	sfr_buf *buf = &banner;
#else
	sfr_buf *buf = sfr_buf_wrap(loop, text, 5, NULL, NULL);
	if (buf)
		buf->len = 5;
#endif
	sfr_submit(sfr_send(loop, fd, buf), done, NULL);
}

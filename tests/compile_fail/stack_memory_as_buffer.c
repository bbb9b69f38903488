/* SPDX-License-Identifier: MIT */
/* Buffers come from the loop, not from the stack: the kernel writes when that is gone. */
/* diagnostic: -Wfree-nonheap-object */
/* text: 'sfr_read' called on unallocated object 'local' */
/* analyzer: clang: is the address of the local variable 'local' */
#include <safer_ring.h>

void read_some(sfr_loop *loop, int fd, sfr_done *done)
{
#ifdef MISTAKE
	unsigned char bytes[512];
	sfr_buf local = {.data = bytes, .cap = sizeof(bytes)};
	sfr_buf *buf = &local;
#else
	sfr_buf *buf = sfr_buf_get(loop, 512);
#endif
	sfr_submit(sfr_read(loop, fd, buf), done, NULL);
}

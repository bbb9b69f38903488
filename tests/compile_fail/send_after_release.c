/* SPDX-License-Identifier: MIT */
/* A released buffer may be somebody else's already: release last, or let the operation do it. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_buf_release' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void farewell(sfr_loop *loop, int fd, sfr_buf *buf)
{
#ifdef MISTAKE
	sfr_buf_release(buf);
#endif
	sfr_submit(sfr_send(loop, fd, buf), NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* What was given is not yours to release. Without a callback the loop releases it. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_send' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void farewell(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_submit(sfr_send(loop, fd, buf), NULL, NULL);
#ifdef MISTAKE
	sfr_buf_release(buf);
#endif
}

/* SPDX-License-Identifier: MIT */
/* A buffer is released once. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_buf_release' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void on_sent(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop, (void)result, (void)arg;
	sfr_buf_release(buf);
#ifdef MISTAKE
	sfr_buf_release(buf);
#endif
}

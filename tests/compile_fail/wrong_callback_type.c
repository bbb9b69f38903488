/* SPDX-License-Identifier: MIT */
/* A callback gets the result and the buffer: one that takes no buffer would lose it. */
/* diagnostic: -Wincompatible-pointer-types */
/* text: passing argument 2 of 'sfr_submit' */
/* clang: -Wincompatible-function-pointer-types */
#include <safer_ring.h>

#ifdef MISTAKE
static void on_bytes(sfr_loop *loop, int result, void *arg)
{
	(void)loop, (void)result, (void)arg;
}
#else
static void on_bytes(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop, (void)result, (void)arg;
	sfr_buf_release(buf);
}
#endif

void start(sfr_loop *loop, int fd)
{
	sfr_submit(sfr_recv(loop, fd, sfr_buf_get(loop, 512)), on_bytes, NULL);
}

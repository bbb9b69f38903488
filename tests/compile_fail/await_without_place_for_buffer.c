/* SPDX-License-Identifier: MIT */
/* sfr_await() returns the buffer by reference: hand it the address of your pointer. */
/* diagnostic: -Wincompatible-pointer-types */
/* text: expected 'sfr_buf \*\*' */
/* clang: -Wincompatible-pointer-types */
#include <safer_ring.h>

int read_now(sfr_loop *loop, int fd)
{
	sfr_buf *buf = sfr_buf_get(loop, 512);
#ifdef MISTAKE
	int r = sfr_await(sfr_read(loop, fd, NULL), buf);
#else
	int r = sfr_await(sfr_read(loop, fd, buf), &buf);
#endif

	sfr_buf_release(buf);
	return r;
}

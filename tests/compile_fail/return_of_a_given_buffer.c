/* SPDX-License-Identifier: MIT */
/* What was given away cannot be returned to a caller as if it were still here. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_send' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

sfr_buf *send_and_renew(sfr_loop *loop, int fd)
{
	sfr_buf *buf = sfr_buf_from(loop, "hello", 5);

	sfr_submit(sfr_send(loop, fd, buf), NULL, NULL);
#ifdef MISTAKE
	return buf;
#else
	return sfr_buf_get(loop, 512);
#endif
}

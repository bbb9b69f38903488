/* SPDX-License-Identifier: MIT */
/* What was sent is the loop's: it may not be touched until the callback brings it back. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_send' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void reply(sfr_loop *loop, int fd, sfr_buf *buf, sfr_done *sent)
{
#ifdef MISTAKE
	sfr_submit(sfr_send(loop, fd, buf), sent, NULL);
	buf->len = 5;
#else
	buf->len = 5;
	sfr_submit(sfr_send(loop, fd, buf), sent, NULL);
#endif
}

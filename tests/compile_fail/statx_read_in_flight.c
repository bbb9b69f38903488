/* SPDX-License-Identifier: MIT */
/* What a file is like is known when the callback says so. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_statx' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void look(sfr_loop *loop, int fd, sfr_buf *buf, sfr_done *done, unsigned char *first)
{
	sfr_submit(sfr_statx(loop, fd, "", 0x1000, 0x7ff, buf), done, first);
#ifdef MISTAKE
	*first = buf->data[0];
#endif
}

/* SPDX-License-Identifier: MIT */
/* The slab may be empty: look before you write. (Giving needs no look: NULL is reported later.) */
/* analyzer: gcc: -Wanalyzer-possible-null-dereference */
#include <safer_ring.h>

void mark(sfr_loop *loop, int fd, sfr_done *done)
{
	sfr_buf *buf = sfr_buf_get(loop, 1);

#ifdef MISTAKE
	buf->len = 1;
#else
	if (buf)
		buf->len = 1;
#endif
	sfr_submit(sfr_send(loop, fd, buf), done, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Every way out releases what it did not give away. */
/* analyzer: gcc: -Wanalyzer-malloc-leak */
/* analyzer: clang: Potential leak of memory pointed to by 'buf' */
#include <safer_ring.h>

int ask(sfr_loop *loop, int fd, sfr_done *done)
{
	sfr_buf *buf = sfr_buf_from(loop, "ping", 4);

	if (fd < 0) {
#ifndef MISTAKE
		sfr_buf_release(buf);
#endif
		return -1;
	}
	sfr_submit(sfr_send(loop, fd, buf), done, NULL);
	return 0;
}

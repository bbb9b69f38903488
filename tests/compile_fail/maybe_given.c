/* SPDX-License-Identifier: MIT */
/* Given on one path is given: what follows both paths may not touch it. */
/* analyzer: gcc: -Wanalyzer-use-after-free */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void flush(sfr_loop *loop, int fd, bool ready, sfr_buf *buf)
{
	if (ready) {
		sfr_submit(sfr_send(loop, fd, buf), NULL, NULL);
#ifndef MISTAKE
		return;
#endif
	}
	buf->len = 0;
}

/* SPDX-License-Identifier: MIT */
/* The second turn of a loop gives what the first one gave: each operation needs its own buffer. */
/* analyzer: gcc: -Wanalyzer-double-free */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void tell_all(sfr_loop *loop, const int *fds, int count)
{
#ifdef MISTAKE
	sfr_buf *buf = sfr_buf_from(loop, "hello", 5);
#endif

	for (int i = 0; i < count; i++) {
#ifndef MISTAKE
		sfr_buf *buf = sfr_buf_from(loop, "hello", 5);
#endif
		sfr_submit(sfr_send(loop, fds[i], buf), NULL, NULL);
	}
}

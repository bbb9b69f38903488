/* SPDX-License-Identifier: MIT */
/* Each path releases once. */
/* analyzer: gcc: -Wanalyzer-double-free */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void on_bytes(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop, (void)arg;
	if (result < 0) {
		sfr_buf_release(buf);
#ifndef MISTAKE
		return;
#endif
	}
	sfr_buf_release(buf);
}

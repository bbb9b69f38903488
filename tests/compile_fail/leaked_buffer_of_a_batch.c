/* SPDX-License-Identifier: MIT */
/* A buffer that was taken from a batch is the taker's, to give or release. */
/* analyzer: gcc: -Wanalyzer-malloc-leak */
/* analyzer: clang: Potential leak of memory pointed to by 'buf' */
#include <safer_ring.h>

unsigned first_length(sfr_batch *batch)
{
	sfr_buf *buf = sfr_batch_take(batch, 0);
	unsigned length = buf ? buf->len : 0;

#ifndef MISTAKE
	sfr_buf_release(buf);
#endif
	return length;
}

/* SPDX-License-Identifier: MIT */
/* A buffer that is not given away is released. */
/* analyzer: gcc: -Wanalyzer-malloc-leak */
/* analyzer: clang: Potential leak of memory pointed to by 'buf' */
#include <safer_ring.h>

unsigned room(sfr_loop *loop)
{
	sfr_buf *buf = sfr_buf_get(loop, 0);
	unsigned cap = buf ? buf->cap : 0;

#ifndef MISTAKE
	sfr_buf_release(buf);
#endif
	return cap;
}

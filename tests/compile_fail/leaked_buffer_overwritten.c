/* SPDX-License-Identifier: MIT */
/* The last pointer to a buffer may not be overwritten: release it, or give it, first. */
/* analyzer: gcc: -Wanalyzer-malloc-leak */
/* analyzer: clang: Potential leak of memory pointed to by 'buf' */
#include <safer_ring.h>

sfr_buf *largest(sfr_loop *loop)
{
	sfr_buf *buf = sfr_buf_get(loop, 4096);

#ifndef MISTAKE
	sfr_buf_release(buf);
#endif
	buf = sfr_buf_get(loop, 65536);
	return buf;
}

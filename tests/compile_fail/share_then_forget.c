/* SPDX-License-Identifier: MIT */
/* A share is a buffer of its own: somebody must release it. */
/* analyzer: clang: Potential leak of memory pointed to by 'share' */
#include <safer_ring.h>

void keep_a_while(sfr_buf *buf)
{
	sfr_buf *share = sfr_buf_share(buf);

	if (share && share->len > 3)
		share->len = 3;
#ifndef MISTAKE
	sfr_buf_release(share);
#endif
	sfr_buf_release(buf);
}

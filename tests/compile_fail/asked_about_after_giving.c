/* SPDX-License-Identifier: MIT */
/* Even asking is using: by the time of the question the buffer may be somebody else's. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_buf_release' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

bool is_mine(sfr_buf *buf)
{
#ifdef MISTAKE
	sfr_buf_release(buf);
	return sfr_buf_is_owned(buf);
#else
	bool mine = sfr_buf_is_owned(buf);

	sfr_buf_release(buf);
	return mine;
#endif
}

/* SPDX-License-Identifier: MIT */
/* Back in its pool a buffer is somebody else's. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_buf_release' */
/* analyzer: gcc: double-'sfr_buf_release' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

int try_out(sfr_pool *pool)
{
	sfr_buf *buf = sfr_pool_get(pool);

	if (!buf)
		return -1;
	sfr_buf_release(buf);
#ifdef MISTAKE
	sfr_buf_release(buf);
#endif
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* A buffer does not grow: get a larger one. */
/* diagnostic: -Wmismatched-dealloc */
/* text: 'realloc' called on pointer returned from a mismatched allocation function */
#include <safer_ring.h>
#include <stdlib.h>

sfr_buf *roomy(sfr_loop *loop)
{
	sfr_buf *buf = sfr_buf_get(loop, 512);

#ifdef MISTAKE
	return realloc(buf, 65536);
#else
	sfr_buf_release(buf);
	return sfr_buf_get(loop, 65536);
#endif
}

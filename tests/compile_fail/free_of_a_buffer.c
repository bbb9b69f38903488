/* SPDX-License-Identifier: MIT */
/* Buffers are released, not freed: they are part of a slab. */
/* diagnostic: -Wmismatched-dealloc */
/* text: 'free' called on pointer returned from a mismatched allocation function */
#include <safer_ring.h>
#include <stdlib.h>

void warm_up(sfr_loop *loop)
{
	sfr_buf *buf = sfr_buf_get(loop, 512);

#ifdef MISTAKE
	free(buf);
#else
	sfr_buf_release(buf);
#endif
}

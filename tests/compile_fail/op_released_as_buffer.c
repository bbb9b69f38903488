/* SPDX-License-Identifier: MIT */
/* An operation is discarded, not released, even when a void pointer hides what it is. */
/* diagnostic: -Wmismatched-dealloc */
/* text: 'sfr_buf_release' called on pointer returned from a mismatched allocation function */
#include <safer_ring.h>

void change_of_mind(sfr_loop *loop, int fd)
{
	void *thing = sfr_accept(loop, fd);

#ifdef MISTAKE
	sfr_buf_release(thing);
#else
	sfr_op_discard(thing);
#endif
}

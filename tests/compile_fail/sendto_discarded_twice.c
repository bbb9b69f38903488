/* SPDX-License-Identifier: MIT */
/* A discarded operation is gone, and its buffer with it. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_op_discard' */
/* analyzer: gcc: double-'sfr_op_discard' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void think_twice(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *op = sfr_sendto(loop, fd, buf, NULL, 0);

	sfr_op_discard(op);
#ifdef MISTAKE
	sfr_op_discard(op);
#endif
}

/* SPDX-License-Identifier: MIT */
/* An operation that is built for a slot and never submitted is never done. */
/* analyzer: gcc: leak of 'op' */
/* analyzer: clang: Potential leak of memory pointed to by 'op' */
#include <safer_ring.h>

void make_one(sfr_loop *loop, int slot)
{
	sfr_op *op = sfr_socket(loop, 2, 1, 0);

#ifdef MISTAKE
	(void)slot;
#else
	sfr_submit(sfr_into(op, slot), NULL, NULL);
#endif
}

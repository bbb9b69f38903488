/* SPDX-License-Identifier: MIT */
/* An operation that is built for a place and never submitted is never done. */
/* analyzer: gcc: leak of 'op' */
/* analyzer: clang: Potential leak of memory pointed to by 'op' */
#include <safer_ring.h>

void make_one(sfr_loop *loop, int name)
{
	sfr_op *op = sfr_socket(loop, 2, 1, 0);

#ifdef MISTAKE
	(void)name;
#else
	sfr_submit(sfr_into(op, name), NULL, NULL);
#endif
}

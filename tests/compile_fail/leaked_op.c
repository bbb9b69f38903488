/* SPDX-License-Identifier: MIT */
/* An operation that was built is submitted, awaited or discarded. */
/* analyzer: gcc: -Wanalyzer-malloc-leak */
/* analyzer: clang: Potential leak of memory pointed to by 'accept' */
#include <safer_ring.h>

void accept_if(sfr_loop *loop, int fd, bool wanted, sfr_done *done)
{
	sfr_op *accept = sfr_accept(loop, fd);

	if (wanted)
		sfr_submit(accept, done, NULL);
#ifndef MISTAKE
	else
		sfr_op_discard(accept);
#endif
}

/* SPDX-License-Identifier: MIT */
/* Each path submits once. */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void accept_if(sfr_loop *loop, int fd, bool wanted, sfr_done *done)
{
	sfr_op *accept = sfr_accept(loop, fd);

	if (wanted) {
		sfr_submit(accept, done, NULL);
#ifndef MISTAKE
		return;
#endif
	}
	sfr_op_discard(accept);
}

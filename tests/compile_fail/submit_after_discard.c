/* SPDX-License-Identifier: MIT */
/* Discarding ends an operation that was never submitted: do one or the other. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'accept' used after 'sfr_op_discard' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

sfr_ticket accept_again(sfr_loop *loop, int fd, sfr_done *done)
{
	sfr_op *accept = sfr_accept(loop, fd);

#ifdef MISTAKE
	sfr_op_discard(accept);
#endif
	return sfr_submit(accept, done, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A submitted operation is not discarded but cancelled, by its ticket. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'accept' used after 'sfr_submit' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void give_up(sfr_loop *loop, int fd, sfr_done *done)
{
	sfr_op *accept = sfr_accept(loop, fd);
	sfr_ticket ticket = sfr_submit(accept, done, NULL);

#ifdef MISTAKE
	(void)ticket;
	sfr_op_discard(accept);
#else
	sfr_cancel(loop, ticket);
#endif
}

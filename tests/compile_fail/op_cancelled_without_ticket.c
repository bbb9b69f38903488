/* SPDX-License-Identifier: MIT */
/* What was submitted is known by its ticket: a pointer would be stale. */
/* diagnostic: -Wint-conversion */
/* text: makes integer from pointer without a cast */
/* clang: -Wint-conversion */
#include <safer_ring.h>

void try_for_a_moment(sfr_loop *loop, int fd, sfr_done *done)
{
#ifdef MISTAKE
	sfr_op *accept = sfr_accept(loop, fd);

	sfr_submit(accept, done, NULL);
	sfr_cancel(loop, accept);
#else
	sfr_ticket accept = sfr_submit(sfr_accept(loop, fd), done, NULL);

	sfr_cancel(loop, accept);
#endif
}

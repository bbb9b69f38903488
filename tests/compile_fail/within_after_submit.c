/* SPDX-License-Identifier: MIT */
/* A deadline is given to an operation that is not submitted yet. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_submit' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void receive_within_a_second(sfr_loop *loop, int fd, sfr_buf *buf, sfr_done *done)
{
	sfr_op *op = sfr_recvfrom(loop, fd, buf);

#ifdef MISTAKE
	sfr_submit(op, done, NULL);
	sfr_within(op, 1000000000);
#else
	sfr_within(op, 1000000000);
	sfr_submit(op, done, NULL);
#endif
}

/* SPDX-License-Identifier: MIT */
/* An operation that was added to a batch is the batch's. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'write' used after 'sfr_batch_add' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

int write_soon(sfr_batch *batch, sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_op *write = sfr_write(loop, fd, buf);

#ifndef MISTAKE
	write = sfr_within(write, 1000);
#endif
	int index = sfr_batch_add(batch, write);

#ifdef MISTAKE
	write = sfr_within(write, 1000);
#endif
	return index;
}

/* SPDX-License-Identifier: MIT */
/* An operation has one place in one batch: to do it again, build it again. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'sync' used after 'sfr_batch_add' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

int sync_twice(sfr_batch *batch, sfr_loop *loop, int fd)
{
	sfr_op *sync = sfr_fsync(loop, fd);
	int first = sfr_batch_add(batch, sync);

#ifndef MISTAKE
	sync = sfr_fsync(loop, fd);
#endif
	return sfr_batch_then(batch, first, sync);
}

/* SPDX-License-Identifier: MIT */
/* What is in a batch is submitted with it, not by itself. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'sync' used after 'sfr_batch_then' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

int sync_after(sfr_batch *batch, sfr_loop *loop, int write, int fd)
{
	sfr_op *sync = sfr_fsync(loop, fd);
	int r = sfr_batch_then(batch, write, sync);

#ifdef MISTAKE
	sfr_submit(sync, NULL, NULL);
	return r;
#else
	return r < 0 ? r : sfr_batch_submit(batch, NULL, NULL);
#endif
}

/* SPDX-License-Identifier: MIT */
/* A batch that was awaited is there to be asked, and then freed. */
/* analyzer: clang: Potential leak of memory pointed to by 'batch' */
#include <safer_ring.h>

int sync_now(sfr_loop *loop, int fd)
{
	sfr_batch *batch = sfr_batch_new(loop);
	int failed;

	sfr_batch_add(batch, sfr_fsync(loop, fd));
	failed = sfr_batch_await(batch);
#ifndef MISTAKE
	sfr_batch_free(batch);
#endif
	return failed;
}

/* SPDX-License-Identifier: MIT */
/* A batch that was made is freed, also where it is not submitted. */
/* analyzer: gcc: -Wanalyzer-malloc-leak */
/* analyzer: clang: Potential leak of memory pointed to by 'batch' */
#include <safer_ring.h>

void sync_if(sfr_loop *loop, int fd, bool wanted, sfr_batch_done *done)
{
	sfr_batch *batch = sfr_batch_new(loop);

	sfr_batch_add(batch, sfr_fsync(loop, fd));
	if (wanted)
		sfr_batch_submit(batch, done, NULL);
#ifndef MISTAKE
	else
		sfr_batch_free(batch);
#endif
}

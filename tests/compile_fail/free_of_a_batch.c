/* SPDX-License-Identifier: MIT */
/* A batch is no memory of malloc(). */
/* diagnostic: -Wmismatched-dealloc */
/* text: 'free' called on pointer returned from a mismatched allocation function */
#include <safer_ring.h>
#include <stdlib.h>

int nothing(sfr_loop *loop)
{
	sfr_batch *batch = sfr_batch_new(loop);
	int failed = sfr_batch_await(batch);

#ifdef MISTAKE
	free(batch);
#else
	sfr_batch_free(batch);
#endif
	return failed;
}

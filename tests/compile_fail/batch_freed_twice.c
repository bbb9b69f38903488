/* SPDX-License-Identifier: MIT */
/* A batch is freed once. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'batch' used after 'sfr_batch_free' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

int run(sfr_batch *batch)
{
	int failed = sfr_batch_await(batch);

	sfr_batch_free(batch);
#ifdef MISTAKE
	sfr_batch_free(batch);
#endif
	return failed;
}

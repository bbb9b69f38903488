/* SPDX-License-Identifier: MIT */
/* Results are asked for before the batch is freed. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'batch' used after 'sfr_batch_free' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

int read_result(sfr_batch *batch)
{
	int result = 0;

#ifdef MISTAKE
	sfr_batch_free(batch);
	sfr_batch_result(batch, 0, &result);
#else
	sfr_batch_result(batch, 0, &result);
	sfr_batch_free(batch);
#endif
	return result;
}

/* SPDX-License-Identifier: MIT */
/* An awaited operation is over: to do it again, build it again. */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

int nap_twice(sfr_loop *loop)
{
	sfr_op *nap = sfr_timeout(loop, 1000);
	int r = sfr_await(nap, NULL);

#ifndef MISTAKE
	nap = sfr_timeout(loop, 1000);
#endif
	sfr_submit(nap, NULL, NULL);
	return r;
}

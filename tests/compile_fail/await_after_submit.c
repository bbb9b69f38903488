/* SPDX-License-Identifier: MIT */
/* Submit with a callback, or await: an operation is handed over once. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'nap' used after 'sfr_submit' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

int wait_a_little(sfr_loop *loop)
{
	sfr_op *nap = sfr_timeout(loop, 1000);

#ifdef MISTAKE
	sfr_submit(nap, NULL, NULL);
#endif
	return sfr_await(nap, NULL);
}

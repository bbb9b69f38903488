/* SPDX-License-Identifier: MIT */
/* An operation is submitted once: to do it again, build it again. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'tick' used after 'sfr_submit' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void tick_twice(sfr_loop *loop, sfr_done *done)
{
	sfr_op *tick = sfr_timeout(loop, 1000);

	sfr_submit(tick, done, NULL);
#ifndef MISTAKE
	tick = sfr_timeout(loop, 2000);
#endif
	sfr_submit(tick, done, NULL);
}

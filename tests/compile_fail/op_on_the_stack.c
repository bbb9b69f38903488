/* SPDX-License-Identifier: MIT */
/* Operations are opaque: there are none but those that the library builds. */
/* diagnostic: error */
/* text: storage size of 'op' isn't known */
/* clang: error */
#include <safer_ring.h>

sfr_ticket start(sfr_loop *loop, sfr_done *done)
{
#ifdef MISTAKE
	sfr_op op;
	(void)loop;
	return sfr_submit(&op, done, NULL);
#else
	return sfr_submit(sfr_nop(loop), done, NULL);
#endif
}

/* SPDX-License-Identifier: MIT */
/* Operations are built by the library only. */
/* diagnostic: -Wmismatched-dealloc */
/* text: 'sfr_submit' called on pointer returned from a mismatched allocation function */
#include <safer_ring.h>
#include <stdlib.h>

sfr_ticket start(sfr_loop *loop, sfr_done *done)
{
#ifdef MISTAKE
	sfr_op *op = calloc(1, 256);
	(void)loop;
#else
	sfr_op *op = sfr_nop(loop);
#endif
	return sfr_submit(op, done, NULL);
}

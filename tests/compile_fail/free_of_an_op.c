/* SPDX-License-Identifier: MIT */
/* Operations are submitted or discarded, not freed: they are cells of the loop. */
/* diagnostic: -Wmismatched-dealloc */
/* text: 'free' called on pointer returned from a mismatched allocation function */
#include <safer_ring.h>
#include <stdlib.h>

void change_of_mind(sfr_loop *loop, int fd)
{
	sfr_op *accept = sfr_accept(loop, fd);

#ifdef MISTAKE
	free(accept);
#else
	sfr_op_discard(accept);
#endif
}

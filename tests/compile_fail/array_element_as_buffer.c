/* SPDX-License-Identifier: MIT */
/* A home-made pool of sfr_buf structs is not a pool of buffers. */
/* diagnostic: -Wfree-nonheap-object */
/* text: called on unallocated object 'pool' */
/* analyzer: clang: is the address of the global variable 'pool' */
#include <safer_ring.h>

#ifdef MISTAKE
static sfr_buf pool[16];
#else
static sfr_buf *pool[16];
#endif

void read_into(sfr_loop *loop, int fd, int i, sfr_done *done)
{
#ifdef MISTAKE
	sfr_submit(sfr_recv(loop, fd, &pool[i]), done, NULL);
#else
	sfr_submit(sfr_recv(loop, fd, pool[i]), done, NULL);
#endif
}

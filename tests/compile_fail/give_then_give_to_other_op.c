/* SPDX-License-Identifier: MIT */
/* Given to a read, a buffer cannot go to a write as well: write in the callback. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_read_at' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

static void on_read(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	sfr_submit(sfr_write_at(loop, *(int *)arg, buf, 0), NULL, NULL);
}

void copy_block(sfr_loop *loop, int source, int *target, sfr_buf *buf)
{
	sfr_submit(sfr_read_at(loop, source, buf, 0), on_read, target);
#ifdef MISTAKE
	sfr_submit(sfr_write_at(loop, *target, buf, 0), NULL, NULL);
#endif
}

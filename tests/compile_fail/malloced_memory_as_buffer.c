/* SPDX-License-Identifier: MIT */
/* A struct of malloc() is no buffer: the loop could neither find its slab nor free it. */
/* diagnostic: -Wmismatched-dealloc */
/* text: 'sfr_write' called on pointer returned from a mismatched allocation function */
#include <safer_ring.h>
#include <stdlib.h>

void write_some(sfr_loop *loop, int fd, sfr_done *done)
{
#ifdef MISTAKE
	sfr_buf *buf = malloc(sizeof(*buf));
#else
	sfr_buf *buf = sfr_buf_get(loop, 512);
#endif
	sfr_submit(sfr_write(loop, fd, buf), done, NULL);
}

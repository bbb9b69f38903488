/* SPDX-License-Identifier: MIT */
/* A buffer is given to an operation, and the operation to the loop. */
/* diagnostic: -Wincompatible-pointer-types */
/* text: expected 'sfr_op \*' */
/* clang: -Wincompatible-pointer-types */
#include <safer_ring.h>

void start(sfr_loop *loop, int fd, sfr_buf *buf, sfr_done *done)
{
#ifdef MISTAKE
	(void)loop, (void)fd;
	sfr_submit(buf, done, NULL);
#else
	sfr_submit(sfr_recv(loop, fd, buf), done, NULL);
#endif
}

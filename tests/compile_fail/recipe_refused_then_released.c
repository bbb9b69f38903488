/* SPDX-License-Identifier: MIT */
/* A recipe takes its buffer whatever happens, also if it is refused. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'last' may be used after 'sfr_send_close' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

int say_goodbye(sfr_loop *loop, int fd, sfr_done *closed)
{
	sfr_buf *last = sfr_buf_from(loop, "bye", 3);

	if (!sfr_send_close(loop, fd, last, closed, NULL)) {
#ifdef MISTAKE
		sfr_buf_release(last);
#endif
		return -1;
	}
	return 0;
}

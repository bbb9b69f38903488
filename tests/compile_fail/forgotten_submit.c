/* SPDX-License-Identifier: MIT */
/* Building starts nothing: without a submission the operation, and its buffer, are lost. */
/* diagnostic: -Wunused-result */
/* clang: -Wunused-result */
/* analyzer: clang: Potential memory leak */
#include <safer_ring.h>

void greet(sfr_loop *loop, int fd)
{
	sfr_buf *buf = sfr_buf_from(loop, "hello", 5);

#ifdef MISTAKE
	sfr_send(loop, fd, buf);
#else
	sfr_submit(sfr_send(loop, fd, buf), NULL, NULL);
#endif
}

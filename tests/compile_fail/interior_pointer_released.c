/* SPDX-License-Identifier: MIT */
/* A buffer is given by the pointer it came with. To skip bytes, move its `data`. */
/* diagnostic: -Wfree-nonheap-object */
/* text: 'sfr_send' called on pointer .* with nonzero offset */
/* analyzer: clang: is offset by */
#include <safer_ring.h>

void send_tail(sfr_loop *loop, int fd, sfr_done *done)
{
	sfr_buf *buf = sfr_buf_from(loop, "0123456789", 10);

#ifdef MISTAKE
	buf = buf + 4;
#else
	if (buf) {
		buf->data += 4;
		buf->len -= 4;
	}
#endif
	sfr_submit(sfr_send(loop, fd, buf), done, NULL);
}

/* SPDX-License-Identifier: MIT */
/* One buffer, one operation: to send the same bytes twice, copy them. Another name is no copy. */
/* diagnostic: -Wuse-after-free */
/* text: pointer '(buf|copy)' used after 'sfr_send' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void tell_both(sfr_loop *loop, int left, int right, sfr_buf *buf)
{
#ifdef MISTAKE
	sfr_buf *copy = buf;
#else
	sfr_buf *copy = sfr_buf_from(loop, buf->data, buf->len);
#endif
	sfr_submit(sfr_send(loop, left, buf), NULL, NULL);
	sfr_submit(sfr_send(loop, right, copy), NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* A chain is given with its head: its parts are not to be read any more. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_send' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

uint32_t send_both(sfr_loop *loop, int fd, sfr_buf *header, sfr_buf *body)
{
	sfr_buf *chain = sfr_buf_append(header, body);
	uint32_t size = chain->len + chain->next->len;

	sfr_submit(sfr_send(loop, fd, chain), NULL, NULL);
#ifdef MISTAKE
	size = chain->len + chain->next->len;
#endif
	return size;
}

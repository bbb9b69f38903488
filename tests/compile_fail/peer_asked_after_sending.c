/* SPDX-License-Identifier: MIT */
/* Who sent a datagram is in its buffer: ask before you give that away. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_sendto' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void echo(sfr_loop *loop, int fd, sfr_buf *buf, struct sockaddr_storage *peer)
{
#ifdef MISTAKE
	sfr_op *op = sfr_sendto(loop, fd, buf, NULL, 0);
	socklen_t size = sfr_buf_peer(buf, peer);
#else
	socklen_t size = sfr_buf_peer(buf, peer);
	sfr_op *op = sfr_sendto(loop, fd, buf, (struct sockaddr *)peer, size);
#endif
	(void)size;
	sfr_submit(op, NULL, NULL);
}

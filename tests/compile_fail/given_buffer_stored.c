/* SPDX-License-Identifier: MIT */
/* Keep the ticket of what is in flight, not the buffer: it comes back through the callback. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_recv' */
#include <safer_ring.h>

struct peer {
	sfr_buf *buf;
	sfr_ticket receive;
};

void listen_to(struct peer *peer, sfr_loop *loop, int fd, sfr_done *done)
{
	sfr_buf *buf = sfr_buf_get(loop, 4096);

	peer->receive = sfr_submit(sfr_recv(loop, fd, buf), done, peer);
#ifdef MISTAKE
	peer->buf = buf;
#endif
}

/* SPDX-License-Identifier: MIT */
/* A callback that starts the next receive has given the buffer again: count the bytes before. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_recv' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

struct peer {
	int fd;
	size_t total;
};

void on_bytes(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct peer *peer = arg;

	if (result <= 0) {
		sfr_buf_release(buf);
		return;
	}
#ifdef MISTAKE
	sfr_submit(sfr_recv(loop, peer->fd, buf), on_bytes, peer);
	peer->total += buf->len;
#else
	peer->total += buf->len;
	sfr_submit(sfr_recv(loop, peer->fd, buf), on_bytes, peer);
#endif
}

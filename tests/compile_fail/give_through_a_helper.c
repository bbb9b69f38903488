/* SPDX-License-Identifier: MIT */
/* A function that gives its parameter away takes it, like the call inside it. */
/* analyzer: gcc: -Wanalyzer-use-after-free */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

static void send_quietly(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_submit(sfr_send(loop, fd, buf), NULL, NULL);
}

void reply(sfr_loop *loop, int fd, sfr_buf *buf)
{
#ifdef MISTAKE
	send_quietly(loop, fd, buf);
	buf->len = 5;
#else
	buf->len = 5;
	send_quietly(loop, fd, buf);
#endif
}

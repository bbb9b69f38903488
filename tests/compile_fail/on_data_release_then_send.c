/* SPDX-License-Identifier: MIT */
/* A handler does one thing with its buffer: send it on, keep it, or release it. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_buf_release' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void on_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
#ifdef MISTAKE
	sfr_buf_release(buf);
#endif
	sfr_conn_send(conn, buf);
}

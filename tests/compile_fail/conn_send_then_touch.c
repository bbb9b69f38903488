/* SPDX-License-Identifier: MIT */
/* sfr_conn_send() takes the buffer, like every send: count the bytes before. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_conn_send' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void on_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	size_t *total = arg;

	(void)result;
#ifdef MISTAKE
	sfr_conn_send(conn, buf);
	*total += buf->len;
#else
	*total += buf->len;
	sfr_conn_send(conn, buf);
#endif
}

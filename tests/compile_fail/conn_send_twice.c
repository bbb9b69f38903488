/* SPDX-License-Identifier: MIT */
/* Two sends need two buffers. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' used after 'sfr_conn_send' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void on_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
#ifndef MISTAKE
	sfr_conn_send(conn, sfr_buf_from(sfr_conn_loop(conn), buf->data, buf->len));
#else
	sfr_conn_send(conn, buf);
#endif
	sfr_conn_send(conn, buf);
}

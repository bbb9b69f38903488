/* SPDX-License-Identifier: MIT */
/* Flushing a list of buffers: each `next` is read before the buffer is given. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_conn_send' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

void flush(sfr_conn *conn, sfr_buf *buf)
{
#ifdef MISTAKE
	for (; buf; buf = buf->next)
		sfr_conn_send(conn, buf);
#else
	while (buf) {
		sfr_buf *next = buf->next;

		sfr_conn_send(conn, buf);
		buf = next;
	}
#endif
}

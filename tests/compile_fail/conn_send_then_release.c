/* SPDX-License-Identifier: MIT */
/* sfr_conn_send() takes the buffer whatever happens: there is no "it failed, so release it". */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'buf' may be used after 'sfr_conn_send' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void on_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
#ifdef MISTAKE
	if (sfr_conn_send(conn, buf) < 0)
		sfr_buf_release(buf);
#else
	sfr_conn_send(conn, buf); /* on_close will repeat the error */
#endif
}

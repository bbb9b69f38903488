/* SPDX-License-Identifier: MIT */
/* A share is given like any buffer: what was sent is not to be released as well. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_conn_send' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void say(sfr_conn *conn, sfr_buf *buf)
{
	sfr_buf *share = sfr_buf_share(buf);

	if (!share)
		return;
	sfr_conn_send(conn, share);
#ifdef MISTAKE
	sfr_buf_release(share);
#endif
}

/* SPDX-License-Identifier: MIT */
/* What was appended to a chain goes with its head. */
/* diagnostic: -Wuse-after-free */
/* text: used after 'sfr_buf_append' */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void send_both(sfr_conn *conn, sfr_buf *head, sfr_buf *tail)
{
	head = sfr_buf_append(head, tail);
	sfr_conn_send(conn, head);
#ifdef MISTAKE
	sfr_buf_release(tail);
#endif
}

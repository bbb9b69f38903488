/* SPDX-License-Identifier: MIT */
/* Read access is not ownership: a const buffer can be looked at, not given. */
/* diagnostic: -Wdiscarded-qualifiers */
/* text: discards 'const' qualifier */
/* clang: -Wincompatible-pointer-types-discards-qualifiers */
#include <safer_ring.h>

void forward(sfr_conn *conn, const sfr_buf *seen)
{
#ifdef MISTAKE
	sfr_conn_send(conn, seen);
#else
	sfr_conn_send(conn, sfr_buf_from(sfr_conn_loop(conn), seen->data, seen->len));
#endif
}

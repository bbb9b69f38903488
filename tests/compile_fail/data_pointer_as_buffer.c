/* SPDX-License-Identifier: MIT */
/* What is given is the buffer, not its bytes: those alone have no owner. */
/* diagnostic: -Wincompatible-pointer-types */
/* text: expected 'sfr_buf \*' */
/* clang: -Wincompatible-pointer-types */
/* analyzer: clang: is the address of a global variable */
#include <safer_ring.h>

void greet(sfr_conn *conn)
{
#ifdef MISTAKE
	sfr_conn_send(conn, "hello");
#else
	sfr_conn_send(conn, sfr_buf_from(sfr_conn_loop(conn), "hello", 5));
#endif
}

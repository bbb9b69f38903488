/* SPDX-License-Identifier: MIT */
/* Handlers have a connection and an arg, and on_data a buffer to look after. */
/* diagnostic: -Wincompatible-pointer-types */
/* text: initialization of 'void \(\*\)\(sfr_conn \*, int,  ?sfr_buf \*, void \*\) */
/* clang: -Wincompatible-function-pointer-types */
#include <safer_ring.h>

#ifdef MISTAKE
static void on_data(sfr_conn *conn, const char *bytes, size_t len)
{
	(void)conn, (void)bytes, (void)len;
}
#else
static void on_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
	sfr_conn_send(conn, buf);
}
#endif

const sfr_handlers echo = {.on_data = on_data};

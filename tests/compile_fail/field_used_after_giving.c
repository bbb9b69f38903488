/* SPDX-License-Identifier: MIT */
/* A buffer in a struct is as gone as one in a variable: clear the field when you give it. */
/* analyzer: gcc: -Wanalyzer-use-after-free */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

struct peer {
	sfr_conn *conn;
	sfr_buf *reply;
};

unsigned flush(struct peer *peer)
{
#ifdef MISTAKE
	sfr_conn_send(peer->conn, peer->reply);
	return peer->reply->len;
#else
	unsigned len = peer->reply->len;

	sfr_conn_send(peer->conn, peer->reply);
	peer->reply = NULL;
	return len;
#endif
}

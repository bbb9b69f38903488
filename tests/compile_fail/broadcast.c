/* SPDX-License-Identifier: MIT */
/* A broadcast shares: each connection takes a reference of its own. */
/* analyzer: gcc: -Wanalyzer-double-free */
/* analyzer: clang: Attempt to free released memory */
#include <safer_ring.h>

void broadcast(sfr_conn **conns, size_t count, sfr_buf *buf)
{
#ifdef MISTAKE
	for (size_t i = 0; i < count; i++)
		sfr_conn_send(conns[i], buf);
#else
	for (size_t i = 0; i < count; i++)
		sfr_conn_send(conns[i], sfr_buf_share(buf));
	sfr_buf_release(buf);
#endif
}

/* A broadcast copies: a buffer can be with one connection only. */
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
		sfr_conn_send(conns[i], sfr_buf_from(sfr_conn_loop(conns[i]), buf->data, buf->len));
	sfr_buf_release(buf);
#endif
}

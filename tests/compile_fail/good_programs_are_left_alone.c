/* What programs do all day, and no compiler or analyzer may complain about. */
/* mistake: none */
#include <safer_ring.h>
#include <stdlib.h>
#include <string.h>

struct peer {
	sfr_ticket receive;
	sfr_buf *kept;
	size_t total;
};

/* A new buffer is filled and given, checked or not. */
void greet(sfr_loop *loop, int fd, const char *text, sfr_done *done)
{
	sfr_buf *buf = sfr_buf_get(loop, strlen(text));

	if (buf) {
		memcpy(buf->data, text, buf->cap);
		buf->len = buf->cap;
	}
	sfr_submit(sfr_send(loop, fd, buf), done, NULL);
	sfr_submit(sfr_send(loop, fd, sfr_buf_from(loop, text, 1)), done, NULL);
}

/* One variable carries the buffer there and back. */
int copy(sfr_loop *loop, int from, int to)
{
	sfr_buf *buf = sfr_buf_get(loop, 4096);
	int r;

	for (;;) {
		r = sfr_await(sfr_read(loop, from, buf), &buf);
		if (r <= 0 || buf->data[0] == '#')
			break;
		r = sfr_await(sfr_write(loop, to, buf), &buf);
		if (r < 0)
			break;
	}
	sfr_buf_release(buf);
	return r;
}

/* A callback keeps its buffer, and gives it later. */
void on_bytes(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct peer *peer = arg;

	if (result <= 0) {
		sfr_buf_release(buf);
		return;
	}
	peer->total += buf->len;
	peer->kept = buf;
	peer->receive = sfr_submit(sfr_recv(loop, 0, sfr_buf_get(loop, 0)), on_bytes, peer);
}

void flush(sfr_conn *conn, struct peer *peer)
{
	sfr_conn_send(conn, peer->kept);
	peer->kept = sfr_buf_get(sfr_conn_loop(conn), 512);
}

/* Memory of malloc() is handed over, as data of a connection or inside of a buffer. */
void on_open(sfr_conn *conn, void *arg)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	(void)arg;
	sfr_conn_set_data(conn, peer);
}

static void free_memory(void *mem, void *arg)
{
	(void)arg;
	free(mem);
}

sfr_buf *wrapped(sfr_loop *loop, size_t size)
{
	void *mem = malloc(size);
	sfr_buf *buf = sfr_buf_wrap(loop, mem, size, free_memory, NULL);

	if (buf)
		buf->len = buf->cap;
	else
		free(mem);
	return buf;
}

/* An operation is built now and submitted later. */
sfr_op *prepared(sfr_loop *loop, sfr_conn *conn)
{
	sfr_op *op = sfr_timeout(loop, 1000);

	if (conn)
		return op;
	sfr_op_discard(op);
	return NULL;
}

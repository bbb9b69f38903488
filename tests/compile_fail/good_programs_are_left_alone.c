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

/* An operation is modified, at once or later. */
int open_into(sfr_loop *loop, const char *path, int slot, sfr_done *done)
{
	sfr_op *receive = sfr_recv_multi(loop, slot), *send;

	sfr_submit(sfr_within(receive, 1000), done, NULL);
	send = sfr_all(sfr_send(loop, slot, sfr_buf_from(loop, path, 1)));
	send = sfr_within(send, 1000);
	sfr_submit(send, done, NULL);
	return sfr_await(sfr_into(sfr_openat(loop, -100, path, 0, 0), slot), NULL);
}

/* A chain is built, and goes with its head. */
void answer(sfr_loop *loop, int fd, sfr_conn *conn, const char *text)
{
	sfr_buf *head = sfr_buf_from(loop, text, 1), *tail = sfr_buf_from(loop, text, 2);
	sfr_buf *chain = sfr_buf_append(head, tail), *list = NULL;

	sfr_submit(sfr_write(loop, fd, chain), NULL, NULL);
	list = sfr_buf_append(list, sfr_buf_from(loop, text, 1));
	list = sfr_buf_append(sfr_buf_from(loop, text, 2), list);
	sfr_conn_send(conn, list);
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

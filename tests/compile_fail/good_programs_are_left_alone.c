/* SPDX-License-Identifier: MIT */
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
int open_into(sfr_loop *loop, const char *path, int name, sfr_done *done)
{
	sfr_op *receive = sfr_recv_multi(loop, name), *send;

	sfr_submit(sfr_within(receive, 1000), done, NULL);
	send = sfr_all(sfr_send(loop, name, sfr_buf_from(loop, path, 1)));
	send = sfr_within(send, 1000);
	sfr_submit(send, done, NULL);
	return sfr_await(sfr_into(sfr_openat(loop, -100, path, 0, 0), name), NULL);
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

/* A batch is built without a look at any result, and is freed by whom it calls back. */
void copied(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	int *failed = arg, result;

	(void)loop;
	if (sfr_batch_error(batch, NULL) < 0 || sfr_batch_result(batch, 2, &result) < 0)
		++*failed;
	sfr_batch_free(batch);
}

int copy_block(sfr_loop *loop, int from, int to, size_t size, void *arg)
{
	sfr_batch *batch = sfr_batch_new(loop);
	int read = sfr_batch_add(batch, sfr_read_at(loop, from, sfr_buf_get(loop, size), 0));
	int write = sfr_batch_then(batch, read, sfr_all(sfr_write_at(loop, to, NULL, 0)));

	sfr_batch_then(batch, write, sfr_fsync(loop, to));
	return sfr_batch_submit(batch, copied, arg);
}

/* Its descriptors have names before they are there, and what it read is taken out of it. */
sfr_buf *contents(sfr_loop *loop, const char *path)
{
	sfr_batch *batch = sfr_batch_new(loop);
	int file = sfr_batch_add(batch, sfr_openat(loop, -100, path, 0, 0));
	int fd = sfr_batch_fd(batch, file);
	int read = sfr_batch_then(batch, file, sfr_read(loop, fd, sfr_buf_get(loop, 0)));
	sfr_buf *buf;

	sfr_batch_after_any(batch, sfr_batch_add(batch, sfr_close(loop, fd)), read);
	buf = sfr_batch_await(batch) == 0 ? sfr_batch_take(batch, read) : NULL;
	sfr_batch_free(batch);
	return buf;
}

/* A batch is kept: with whom it is for, who is what its callback is handed. */
struct log {
	sfr_batch *batch, *saving;
	int fd;
};

int log_sync(sfr_loop *loop, struct log *log, sfr_batch_done *done)
{
	sfr_batch *batch = sfr_batch_new(loop);

	log->batch = batch;
	sfr_batch_add(batch, sfr_fsync(loop, log->fd));
	return sfr_batch_submit(batch, done, log);
}

static void log_synced(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	struct log *log = arg;

	sfr_batch_free(batch);
	if (log_sync(loop, log, NULL) < 0)
		free(log);
}

void log_start(sfr_loop *loop, int fd)
{
	struct log *log = calloc(1, sizeof(*log));
	sfr_batch *batch = sfr_batch_new(loop);

	if (log) {
		log->fd = fd;
		log->batch = batch;
	}
	sfr_batch_add(batch, sfr_fsync(loop, fd));
	sfr_batch_submit(batch, log_synced, log);
}

/* And filled again, after each time. */
int append_all(sfr_loop *loop, int fd, const char *const *lines, int count)
{
	sfr_batch *batch = sfr_batch_new(loop);
	int i, failed = 0;

	for (i = 0; i < count && failed == 0; i++) {
		sfr_batch_add(batch, sfr_write(loop, fd, sfr_buf_from(loop, lines[i], 1)));
		failed = sfr_batch_await(batch);
		sfr_batch_reset(batch);
	}
	sfr_batch_free(batch);
	return failed;
}

/* A recipe's batch is the library's, and is kept to be cancelled. */
int log_save(sfr_loop *loop, struct log *log, const char *path, sfr_buf *text, sfr_done *saved)
{
	log->saving = sfr_replace_file(loop, -100, path, 0600, text, saved, log);
	return log->saving ? 0 : -1;
}

void load(sfr_loop *loop, const char *path, int fd, sfr_done *loaded)
{
	if (!sfr_read_file(loop, -100, path, sfr_buf_get(loop, 0), loaded, NULL))
		sfr_send_close(loop, fd, sfr_buf_from(loop, "none", 4), loaded, NULL);
}

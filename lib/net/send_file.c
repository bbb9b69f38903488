/* SPDX-License-Identifier: MIT */
/*
 * Sending a file, piece by piece, in one of two ways.
 *
 *	on a worker   sendfile(2), which copies nothing to the program. A worker may wait for the disk, and for the peer no
 *	              longer than a tick of the kernel's clock: then the loop polls for room.
 *	by reading    into a buffer that goes to the front of the queue. What is small is not worth a worker, and what
 *	              sendfile(2) refuses goes this way: an error of its does not say whether it is the file's or the
 *	              socket's, and those of reading and sending do.
 */
#include "net/send_file.h"
#include "net/send.h"
#include "op/start.h"
#include <safer_ring/error.h>
#include <safer_ring/file.h>
#include <safer_ring/system.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>

#define READ_SIZE 65536U     /* read at a time */
#define WORKER_MIN 131072U   /* with less than this, reading takes less time than a worker */
#define WORKER_SIZE 4194304U /* sent at a time by a worker */

struct file {
	sfr_conn *conn;
	const struct sfr__system *system;
	int fd, out;
	uint64_t off, left, sent;
	sfr_sent *done;
	void *arg;
	size_t piece; /* that a worker is to send, */
	int64_t took; /* and what came of it */
	bool by_reading;
	bool patient; /* the socket was told how long a worker waits for it */
};

static struct file *file_of(const sfr_buf *buf)
{
	return (struct file *)(void *)sfr__buf(buf)->base;
}

static void file_free(void *file, void *arg)
{
	(void)arg;
	free(file);
}

/*
 * The end of a file, or of its connection.
 */

static void file_told(sfr_loop *loop, int result, sfr_buf *none, void *arg)
{
	struct file *file = arg;

	(void)loop;
	(void)none;
	if (file->done)
		file->done(file->conn, result, file->sent, file->arg);
}

/* What is behind it is sent when done has returned, which may have ended the connection. */
static void file_end(struct sfr__conn *conn, int result)
{
	sfr__send_queue_end_first(&conn->queue, result, &conn->net->sent);
	sfr__conn_tell_sent(conn);
	sfr__conn_touch(conn);
}

/* Something of a file is done: NULL if the connection has ended meanwhile, or is to. */
static struct file *file_go_on(struct sfr__conn *conn, int result)
{
	conn->send = 0;
	conn->at_disk = false;
	if (sfr__unlikely(conn->asked))
		result = sfr__conn_answered(conn, result);
	else
		result = 0;
	sfr__conn_touch(conn);
	if (conn->state == SFR__CONN_OPEN && result >= 0)
		return file_of(conn->queue.head);
	sfr__conn_send_failed(conn, result < 0 ? result : -ECANCELED);
	return NULL;
}

/*
 * By reading.
 */

static void piece_sent(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct file *file = arg; /* which is in the queue behind it */

	(void)loop;
	if (result > 0)
		file->sent += (uint64_t)result;
	sfr_buf_release(buf);
}

static void piece_read(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sfr__conn *conn = arg;
	struct file *file = file_go_on(conn, result);

	if (!file || result <= 0) {
		sfr_buf_release(buf);
		if (file)
			file_end(conn, result < 0 ? result : -ENODATA);
		return;
	}
	file->off += (uint64_t)result;
	file->left -= (uint64_t)result;
	(void)sfr__buf_give(loop->pool, buf);
	sfr__note_add(buf, piece_sent, file, result);
	sfr__send_queue_push_front(&conn->queue, buf);
}

static bool file_read(struct sfr__conn *conn, struct file *file)
{
	sfr_loop *loop = sfr__conn_loop(conn);
	uint32_t size = file->left < READ_SIZE ? (uint32_t)file->left : READ_SIZE;
	sfr_buf *buf = sfr__pool_get(loop->pool, size);

	if (!buf)
		return false;
	if (buf->cap > size)
		buf->cap = size;
	conn->at_disk = true;
	conn->send = sfr__op_submit(sfr_read_at(loop, file->fd, buf, file->off), piece_read, conn);
	return true;
}

/*
 * On a worker.
 */

/* The loop leaves the file alone meanwhile. */
static int piece_send(void *arg)
{
	struct file *file = arg;

	file->took = file->system->file_send(file->system, file->out, file->fd, file->off,
					     file->piece);
	return 0;
}

static void there_is_room(sfr_loop *loop, int result, sfr_buf *none, void *arg)
{
	(void)loop;
	(void)none;
	(void)file_go_on(arg, result);
}

/* Without memory for an op, a worker waits once more. */
static void file_wait(struct sfr__conn *conn)
{
	sfr_op *op = sfr_poll(sfr__conn_loop(conn), conn->fd, POLLOUT);

	if (!op)
		return;
	sfr__conn_clock(conn);
	conn->send = sfr__op_submit(op, there_is_room, conn);
}

static void piece_done(sfr_loop *loop, int result, sfr_buf *none, void *arg)
{
	struct sfr__conn *conn = arg;
	struct file *file = file_of(conn->queue.head);
	int64_t took = result < 0 ? 0 : file->took; /* if it was not sent, there is no worker */

	(void)loop;
	(void)none;
	if (took > 0) {
		file->off += (uint64_t)took;
		file->left -= (uint64_t)took;
		file->sent += (uint64_t)took;
		conn->terms->tally->sent += (uint64_t)took;
	}
	if (!file_go_on(conn, 0))
		return;
	if (result == 0 && took == 0)
		file_end(conn, -ENODATA);
	else if (took == -EAGAIN || (took > 0 && (uint64_t)took < file->piece))
		file_wait(conn);
	else if (took <= 0 && took != -EINTR)
		file->by_reading = true;
}

static bool file_send(struct sfr__conn *conn, struct file *file)
{
	static const struct timeval tick = {.tv_usec = 1};
	sfr_op *op = file->by_reading ? NULL : sfr_work(sfr__conn_loop(conn), piece_send, file);

	if (!op)
		return false;
	if (!file->patient)
		(void)file->system->option_set(file->system, conn->fd, SOL_SOCKET, SO_SNDTIMEO,
					       &tick, sizeof(tick));
	file->patient = true;
	file->out = conn->fd;
	file->piece = file->left < WORKER_SIZE ? (size_t)file->left : WORKER_SIZE;
	conn->at_disk = true;
	conn->send = sfr__op_submit(op, piece_done, conn);
	return true;
}

void sfr__conn_send_file(struct sfr__conn *conn)
{
	struct file *file = file_of(conn->queue.head);

	if (!file->left)
		file_end(conn, 0);
	else if (!(file->left < WORKER_MIN && file_read(conn, file)) && !file_send(conn, file) &&
		 !file_read(conn, file))
		file_end(conn, -SFR_EPOOLEMPTY);
}

/*
 * The public call.
 */

/* 0 if bytes of it can be read anywhere; else why not. */
static int file_check(const sfr_loop *loop, int fd, uint64_t off, uint64_t len)
{
	const struct sfr__system *system = loop->engine->system;
	int flags = system->fd_flags(system, fd), r;
	struct stat stat;

	if (off > INT64_MAX || len > INT64_MAX - off)
		return -EINVAL;
	r = flags < 0 ? flags : system->fd_stat(system, fd, &stat);
	if (r < 0)
		return r;
	if ((flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	switch (stat.st_mode & S_IFMT) {
	case S_IFREG:
	case S_IFBLK:
		return 0;
	case S_IFDIR:
		return -EISDIR;
	case S_IFIFO:
	case S_IFSOCK:
		return -ESPIPE;
	default:
		return -EINVAL;
	}
}

static sfr_buf *file_new(struct sfr__conn *conn, const struct file *like)
{
	struct sfr__pool *pool = sfr__conn_loop(conn)->pool;
	struct file *file = malloc(sizeof(*file));
	size_t size = like->left < READ_SIZE ? (size_t)like->left : READ_SIZE;
	sfr_buf *buf = file ? sfr__pool_wrap(pool, file, size ? size : 1, file_free, NULL) : NULL;

	if (!buf) {
		free(file);
		return NULL;
	}
	*file = *like;
	(void)sfr__buf_give(pool, buf);
	sfr__note_add(buf, file_told, file, 0);
	sfr__buf(buf)->note = SFR__NOTE_FILE;
	return buf;
}

int sfr_conn_send_file(sfr_conn *handle, int fd, uint64_t off, uint64_t len, sfr_sent *done,
		       void *arg)
{
	struct sfr__conn *conn = sfr__conn_of(handle);
	struct file file = {.conn = handle, .fd = fd, .off = off, .left = len, .done = done};
	sfr_buf *buf;
	int r;

	if (sfr__unlikely(!conn))
		return sfr__conn_refuse(handle);
	if (conn->state > SFR__CONN_OPEN)
		return -ECANCELED;
	if (conn->local_finished)
		return -EPIPE;
	r = file_check(sfr__conn_loop(conn), fd, off, len);
	if (r < 0)
		return r;
	file.arg = arg;
	file.system = sfr__conn_loop(conn)->engine->system;
	buf = file_new(conn, &file);
	if (!buf)
		return -ENOMEM;
	sfr__conn_push(conn, buf);
	return 0;
}

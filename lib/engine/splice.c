#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* splice */
#endif
#include "splice.h"
#include "step.h"
#include <errno.h>
#include <limits.h>

struct side {
	int fd;
	uint64_t off;
	bool is_pipe, is_file, is_nonblocking, is_append;
	int access; /* O_RDONLY, O_WRONLY or O_RDWR; -1: there is no such descriptor */
	dev_t device;
	ino_t number; /* of what it refers to, there */
};

static struct side side_of(int fd, uint64_t off)
{
	struct stat stat;
	struct side side = {.fd = fd, .off = off, .access = -1};
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &stat) < 0)
		return side;
	side.is_pipe = S_ISFIFO(stat.st_mode);
	side.is_file = sfr__is_file(&stat);
	side.is_nonblocking = flags & O_NONBLOCK;
	side.is_append = flags & O_APPEND;
	side.access = flags & O_ACCMODE;
	side.device = stat.st_dev;
	side.number = stat.st_ino;
	return side;
}

/* What is there is moved as far as there is room. A pipe is asked not to wait; not every kernel asks a
 * socket or terminal the same, which takes so little without. */
static int splice_move(const struct sfr__request *request, const struct side *in,
		       const struct side *out)
{
	unsigned flags = request->sqe.splice_flags & ~SPLICE_F_FD_IN_FIXED;
	bool may_block = !out->is_pipe && !out->is_file && !out->is_nonblocking;
	size_t size = may_block && request->len > PIPE_BUF ? PIPE_BUF : request->len;
	loff_t off_in = (loff_t)in->off, off_out = (loff_t)out->off;

	return sfr__result_of(splice(in->fd, in->off == SFR__POSITION ? NULL : &off_in, out->fd,
				     out->off == SFR__POSITION ? NULL : &off_out, size,
				     flags | SPLICE_F_NONBLOCK));
}

/* A pipe has no offsets, and neither has a socket or a terminal. */
static bool has_offset(const struct side *side)
{
	return (int64_t)side->off >= 0 && lseek(side->fd, 0, SEEK_CUR) >= 0;
}

static bool side_is_wrong(const struct side *side, int access)
{
	return side->access < 0 || side->access == access ||
	       (side->off != SFR__POSITION && !has_offset(side));
}

static bool sides_are_wrong(const struct side *in, const struct side *out)
{
	return side_is_wrong(in, O_WRONLY) || side_is_wrong(out, O_RDONLY) ||
	       (!in->is_pipe && !out->is_pipe) || (out->is_append && !out->is_pipe) ||
	       (in->is_pipe && in->device == out->device && in->number == out->number);
}

/* One side is not ready. Who asked not to wait, in one way or the other, is told. */
static int splice_wait(struct sfr__request *request, const struct side *side, unsigned step)
{
	if (request->sqe.splice_flags & SPLICE_F_NONBLOCK || side->is_nonblocking)
		return -EAGAIN;
	request->step = step;
	return SFR__NOT_YET;
}

int sfr__splice_try(struct sfr__request *request)
{
	struct side in = side_of(request->fd_in, request->sqe.splice_off_in);
	struct side out = side_of(request->fd, request->sqe.off);
	int r;

	if (!request->len || sides_are_wrong(&in, &out))
		return splice_move(request, &in, &out);
	if (!sfr__ready_for(in.fd, POLLIN))
		return splice_wait(request, &in, SFR__STEP_FILLING);
	if (!sfr__ready_for(out.fd, POLLOUT))
		return splice_wait(request, &out, SFR__STEP_EMPTYING);
	if (!in.is_file && !out.is_file) {
		r = splice_move(request, &in, &out);
		if (r != -EAGAIN || request->sqe.splice_flags & SPLICE_F_NONBLOCK)
			return r;
	}
	request->step = SFR__STEP_BLOCKING;
	return SFR__NOT_YET;
}

/* Somebody else can have been faster at the pipe: then it is tried again. */
int sfr__splice_do(struct sfr__request *request)
{
	struct side in = side_of(request->fd_in, request->sqe.splice_off_in);
	struct side out = side_of(request->fd, request->sqe.off);
	int r = splice_move(request, &in, &out);

	if (r != -EAGAIN || request->sqe.splice_flags & SPLICE_F_NONBLOCK)
		return r;
	request->step = SFR__STEP_LATER;
	return SFR__NOT_YET;
}

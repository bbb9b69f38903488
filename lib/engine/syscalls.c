#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4, splice, fallocate */
#endif
#include "syscalls.h"
#include "language.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* How far a request has come; 0 is the beginning. */
enum {
	CONNECTING = 1, /* the connection is being made: its socket will be writable */
	BLOCKING = 2,   /* of a file: the rest is for a worker */
};

/* How long a worker sleeps in a connect before it looks whether anybody still wants it. */
#define CONNECT_SLICE_US 10000

#define POSITION ((uint64_t)-1) /* use and move the file's own position */

static int result_of(ssize_t r)
{
	return r < 0 ? -errno : (int)r;
}

/* The same, for calls that were asked not to wait, and for a request that would. */
static int try_result(ssize_t r)
{
	return r < 0 && (errno == EAGAIN || errno == EINTR) ? SFR__NOT_YET : result_of(r);
}

static bool ready_for(int fd, short events)
{
	struct pollfd pollfd = {.fd = fd, .events = events};

	return poll(&pollfd, 1, 0) > 0;
}

/*
 * Bytes of files, pipes, and whatever else has a descriptor.
 */

struct span {
	struct iovec *vectors;
	int count;
	struct iovec single;
};

/* The bytes of a request as vectors. Only a single piece can be half done. */
static void span_of(struct span *span, const struct sfr__request *request)
{
	uint8_t opcode = request->sqe.opcode;

	if (opcode == IORING_OP_READV || opcode == IORING_OP_WRITEV) {
		span->vectors = (struct iovec *)(uintptr_t)request->sqe.addr;
		span->count = (int)request->sqe.len;
		return;
	}
	span->single = (struct iovec){request->at + request->done, request->len - request->done};
	span->vectors = &span->single;
	span->count = 1;
}

static bool is_read(const struct sfr__request *request)
{
	uint8_t opcode = request->sqe.opcode;

	return opcode == IORING_OP_READ || opcode == IORING_OP_READV ||
	       opcode == IORING_OP_READ_FIXED;
}

static bool is_file(const struct stat *stat)
{
	return S_ISREG(stat->st_mode) || S_ISBLK(stat->st_mode) || S_ISDIR(stat->st_mode);
}

static ssize_t vectors_move(const struct sfr__request *request, const struct span *span,
			    uint64_t off)
{
	if (off == POSITION)
		return is_read(request) ? readv(request->fd, span->vectors, span->count)
					: writev(request->fd, span->vectors, span->count);
	return is_read(request) ? preadv(request->fd, span->vectors, span->count, (off_t)off)
				: pwritev(request->fd, span->vectors, span->count, (off_t)off);
}

/* preadv2 or pwritev2, which not every C library has, nor every emulator. */
static ssize_t bytes_move_at(const struct sfr__request *request, uint64_t off, int flags)
{
	struct span span;
	ssize_t r;

	span_of(&span, request);
	r = syscall(is_read(request) ? SYS_preadv2 : SYS_pwritev2, request->fd, span.vectors,
		    span.count, (long)off, (long)(off >> 32), flags);
	if (r >= 0 || errno != ENOSYS)
		return r;
	errno = EOPNOTSUPP;
	return flags ? -1 : vectors_move(request, &span, off);
}

/* Read or write from byte `done` on, at its offset or at the file's position. */
static ssize_t bytes_move(const struct sfr__request *request, int flags)
{
	uint64_t off = request->sqe.off;
	ssize_t r = bytes_move_at(request, off == POSITION ? off : off + request->done, flags);

	if (r < 0 && errno == ESPIPE && off != POSITION) /* a pipe has no offsets */
		r = bytes_move_at(request, POSITION, flags);
	return r;
}

/* What cannot be asked not to block is done when it is ready: bytes that fit without waiting. */
static int bytes_try_ready(struct sfr__request *request, const struct stat *stat)
{
	struct span span;
	ssize_t r;

	if (!ready_for(request->fd, is_read(request) ? POLLIN : POLLOUT))
		return SFR__NOT_YET;
	span_of(&span, request);
	if (is_read(request)) {
		r = readv(request->fd, span.vectors, span.count);
	} else if (S_ISFIFO(stat->st_mode)) {
		size_t size =
			span.vectors[0].iov_len; /* a pipe that polls writable has this room */

		r = write(request->fd, span.vectors[0].iov_base, size < PIPE_BUF ? size : PIPE_BUF);
	} else {
		r = writev(request->fd, span.vectors, span.count);
	}
	return try_result(r);
}

/* A short read without waiting: the end of the file, or of what is in memory? */
static bool file_goes_on(const struct sfr__request *request, ssize_t count)
{
	struct stat stat;
	uint64_t off = request->sqe.off;

	if (fstat(request->fd, &stat) < 0 || !S_ISREG(stat.st_mode))
		return false;
	if (off == POSITION)
		off = (uint64_t)lseek(request->fd, 0, SEEK_CUR);
	else
		off += (uint64_t)count;
	return off < (uint64_t)stat.st_size;
}

static int bytes_try(struct sfr__request *request)
{
	struct stat stat;
	ssize_t r = bytes_move(request, RWF_NOWAIT);
	bool can_wait;

	if (r > 0 && is_read(request) && request->sqe.opcode != IORING_OP_READV &&
	    (uint32_t)r < request->len && file_goes_on(request, r)) {
		request->done = (uint32_t)r;
		request->step = BLOCKING;
		return SFR__NOT_YET;
	}
	if (r >= 0 || (errno != EAGAIN && errno != EOPNOTSUPP))
		return result_of(r);
	can_wait = errno == EAGAIN;
	if (fstat(request->fd, &stat) < 0)
		return -errno;
	if (is_file(&stat)) {
		request->step = BLOCKING;
		return SFR__NOT_YET;
	}
	return can_wait ? SFR__NOT_YET : bytes_try_ready(request, &stat);
}

static int bytes_do(struct sfr__request *request)
{
	ssize_t r = bytes_move(request, 0);

	if (r < 0)
		return request->done ? (int)request->done : -errno;
	return (int)(request->done + (uint32_t)r);
}

/*
 * Messages of sockets.
 */

static bool is_stream(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* The flags to call with. That the caller asked not to wait is for him to be told. */
static int message_flags(const struct sfr__request *request)
{
	return ((int)request->sqe.msg_flags & ~MSG_WAITALL) | MSG_DONTWAIT;
}

static int message_result(const struct sfr__request *request, ssize_t r)
{
	if (r < 0 && errno == EAGAIN && request->sqe.msg_flags & MSG_DONTWAIT)
		return -EAGAIN;
	return try_result(r);
}

/* sendmsg or recvmsg without the bytes that are done. The caller's vectors are put back. */
static ssize_t message_move(const struct sfr__request *request)
{
	bool sends = request->sqe.opcode == IORING_OP_SENDMSG;
	struct msghdr *caller = (struct msghdr *)(uintptr_t)request->sqe.addr, msg = *caller;
	int flags = message_flags(request) | (sends ? MSG_NOSIGNAL : 0);
	size_t done = request->done;
	struct iovec first;
	ssize_t r;

	while (msg.msg_iovlen && done >= msg.msg_iov->iov_len) {
		done -= msg.msg_iov->iov_len;
		msg.msg_iov++;
		msg.msg_iovlen--;
	}
	if (msg.msg_iovlen) {
		first = *msg.msg_iov;
		msg.msg_iov->iov_base = (char *)first.iov_base + done;
		msg.msg_iov->iov_len -= done;
	}
	r = sends ? sendmsg(request->fd, &msg, flags) : recvmsg(request->fd, &msg, flags);
	if (msg.msg_iovlen)
		*msg.msg_iov = first;
	if (r >= 0 && !sends) {
		caller->msg_namelen = msg.msg_namelen;
		caller->msg_controllen = msg.msg_controllen;
		caller->msg_flags = msg.msg_flags;
	}
	return r;
}

/* Only a stream goes on after a short message. Elsewhere there is no more of it to wait for. */
static int message_whole(struct sfr__request *request, int r)
{
	if (r > 0 && request->sqe.msg_flags & MSG_WAITALL &&
	    request->done + (uint64_t)r < sfr__request_size(request) && !is_stream(request->fd))
		request->sqe.msg_flags &= ~(unsigned)MSG_WAITALL;
	return r;
}

static int recv_try(struct sfr__request *request)
{
	return message_whole(request,
			     message_result(request, recv(request->fd, request->at + request->done,
							  request->len - request->done,
							  message_flags(request))));
}

static int send_try(struct sfr__request *request)
{
	return message_result(request, send(request->fd, request->at + request->done,
					    request->len - request->done,
					    message_flags(request) | MSG_NOSIGNAL));
}

/*
 * Connections.
 */

static bool is_nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* A listener that blocks is asked first. Where several processes accept from one it can still happen
 * that another was faster: such listeners should be O_NONBLOCK. */
static int accept_try(struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	if (!is_nonblocking(request->fd) && !ready_for(request->fd, POLLIN))
		return SFR__NOT_YET;
	return try_result(accept4(request->fd, (struct sockaddr *)(uintptr_t)sqe->addr,
				  (socklen_t *)(uintptr_t)sqe->addr2, (int)sqe->accept_flags));
}

static int connect_call(const struct sfr__request *request)
{
	return result_of(connect(request->fd, (const struct sockaddr *)(uintptr_t)request->sqe.addr,
				 (socklen_t)request->sqe.off));
}

static int connect_outcome(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!ready_for(fd, POLLOUT))
		return SFR__NOT_YET;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? -errno : -error;
}

static int connect_try(struct sfr__request *request)
{
	int r;

	if (request->step == CONNECTING)
		return connect_outcome(request->fd);
	if (!is_nonblocking(request->fd)) {
		request->step = BLOCKING;
		return SFR__NOT_YET;
	}
	r = connect_call(request);
	if (r == -EINPROGRESS || r == -EINTR)
		request->step = CONNECTING;
	else if (r == -EAGAIN) /* a full backlog of a unix socket: nothing to poll for */
		request->step = BLOCKING;
	else
		return r;
	return SFR__NOT_YET;
}

/*
 * connect on a socket that blocks, in slices: a send timeout makes it return and go on in the
 * background, where it is polled for. The socket is not connected yet, so nobody else sends on it.
 */
static int connect_do(struct sfr__request *request)
{
	const struct timeval slice = {.tv_usec = CONNECT_SLICE_US};
	struct timeval before = {0};
	socklen_t size = sizeof(before);
	int r;

	if (getsockopt(request->fd, SOL_SOCKET, SO_SNDTIMEO, &before, &size) < 0)
		return -errno;
	(void)setsockopt(request->fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof(slice));
	do {
		r = connect_call(request);
		if (r == -EAGAIN && is_nonblocking(request->fd))
			(void)poll(NULL, 0, CONNECT_SLICE_US / 1000);
	} while (r == -EAGAIN && !sfr__is_cancelled(request));
	(void)setsockopt(request->fd, SOL_SOCKET, SO_SNDTIMEO, &before, sizeof(before));
	if (r != -EINPROGRESS && r != -EINTR)
		return r == -EAGAIN ? -ECANCELED : r;
	request->step = CONNECTING;
	return SFR__NOT_YET;
}

/*
 * All of them.
 */

static int poll_try(const struct sfr__request *request)
{
	struct pollfd pollfd = {.fd = request->fd, .events = (short)request->sqe.poll32_events};
	int r = poll(&pollfd, 1, 0);

	if (r <= 0)
		return try_result(r < 0 ? -1 : (errno = EAGAIN, -1));
	return pollfd.revents & POLLNVAL ? -EBADF : pollfd.revents;
}

int sfr__syscall_try(struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	switch (sqe->opcode) {
	case IORING_OP_RECV:
		return recv_try(request);
	case IORING_OP_SEND:
		return send_try(request);
	case IORING_OP_SENDMSG:
	case IORING_OP_RECVMSG:
		return message_whole(request, message_result(request, message_move(request)));
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
		return bytes_try(request);
	case IORING_OP_POLL_ADD:
		return poll_try(request);
	case IORING_OP_ACCEPT:
		return accept_try(request);
	case IORING_OP_CONNECT:
		return connect_try(request);
	case IORING_OP_SHUTDOWN:
		return result_of(shutdown(request->fd, (int)sqe->len));
	case IORING_OP_SOCKET:
		return result_of(socket(request->fd, (int)sqe->off, (int)sqe->len));
	case IORING_OP_CLOSE:
		return result_of(close(request->fd));
	default:
		request->step = BLOCKING;
		return SFR__NOT_YET;
	}
}

bool sfr__syscall_blocks(const struct sfr__request *request)
{
	return request->step == BLOCKING;
}

uint32_t sfr__syscall_events(const struct sfr__request *request)
{
	switch (request->sqe.opcode) {
	case IORING_OP_POLL_ADD:
		return request->sqe.poll32_events;
	case IORING_OP_CONNECT:
	case IORING_OP_SEND:
	case IORING_OP_SENDMSG:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
		return EPOLLOUT;
	default:
		return EPOLLIN;
	}
}

static off_t *splice_offset(uint64_t *offset)
{
	return *offset == POSITION ? NULL : (off_t *)(void *)offset;
}

static int splice_do(const struct io_uring_sqe *sqe)
{
	uint64_t from = sqe->splice_off_in, to = sqe->off;

	return result_of(splice(sqe->splice_fd_in, splice_offset(&from), sqe->fd,
				splice_offset(&to), sqe->len, sqe->splice_flags));
}

int sfr__syscall_do(struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	const char *path = (const char *)(uintptr_t)sqe->addr;
	const char *path2 = (const char *)(uintptr_t)sqe->addr2;

	switch (sqe->opcode) {
	case IORING_OP_CONNECT:
		return connect_do(request);
	case IORING_OP_FSYNC:
		return result_of(sqe->fsync_flags & IORING_FSYNC_DATASYNC ? fdatasync(request->fd)
									  : fsync(request->fd));
	case IORING_OP_FALLOCATE: /* the length is where others have an address */
		return result_of(
			fallocate(request->fd, (int)sqe->len, (off_t)sqe->off, (off_t)sqe->addr));
	case IORING_OP_OPENAT:
		return result_of(openat(sqe->fd, path, (int)sqe->open_flags, (mode_t)sqe->len));
	case IORING_OP_STATX:
		return result_of(syscall(SYS_statx, sqe->fd, path, (int)sqe->statx_flags, sqe->len,
					 (void *)(uintptr_t)sqe->off));
	case IORING_OP_SPLICE:
		return splice_do(sqe);
	case IORING_OP_RENAMEAT:
		return result_of(syscall(SYS_renameat2, sqe->fd, path, (int)sqe->len, path2,
					 sqe->rename_flags));
	case IORING_OP_UNLINKAT:
		return result_of(unlinkat(sqe->fd, path, (int)sqe->unlink_flags));
	case IORING_OP_MKDIRAT:
		return result_of(mkdirat(sqe->fd, path, (mode_t)sqe->len));
	case IORING_OP_SYMLINKAT:
		return result_of(symlinkat(path, sqe->fd, path2));
	case IORING_OP_LINKAT:
		return result_of(
			linkat(sqe->fd, path, (int)sqe->len, path2, (int)sqe->hardlink_flags));
	default:
		return bytes_do(request);
	}
}

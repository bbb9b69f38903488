/* SPDX-License-Identifier: MIT */
/*
 * System calls: one function for each group of opcodes, and one switch for trying and one for
 * doing.
 *
 * Trying leaves in `step` what the request waits for. The questions about it (blocks, later, fd,
 * events) read only that and the entry.
 */
#include "sqe/syscalls.h"
#include "machine/kernel.h"
#include "sqe/connect.h"
#include "sqe/fd_kind.h"
#include "sqe/language.h"
#include "sqe/splice.h"
#include "sqe/step.h"
#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/syscall.h>

/* What poll tells of; the bits above are orders to epoll, and nobody's here. */
#define POLL_EVENTS 0xffffU

/* The same, for calls that were asked not to wait, and for a request that would. */
static int try_result(ssize_t r)
{
	return r < 0 && (errno == EAGAIN || errno == EINTR) ? SFR__NOT_YET : sfr__result_of(r);
}

/*
 * Bytes of files, pipes, and whatever else has a descriptor.
 */

struct span {
	struct iovec *vectors;
	int count;
	struct iovec single;
};

static bool is_vector(const struct sfr__request *request)
{
	return request->sqe.opcode == IORING_OP_READV || request->sqe.opcode == IORING_OP_WRITEV;
}

/* The bytes of a request as vectors. Only a single piece can be half done. */
static void span_of(struct span *span, const struct sfr__request *request)
{
	if (is_vector(request)) {
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

static ssize_t vectors_move(const struct sfr__request *request, const struct span *span,
			    uint64_t off)
{
	if (off == SFR__POSITION)
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

/* Of what has no offsets, a socket insists that there is none. */
static bool ignores_offset(const struct sfr__request *request)
{
	struct stat stat;

	return request->sqe.off == 0 || (fstat(request->fd, &stat) == 0 && !S_ISSOCK(stat.st_mode));
}

/* Read or write from byte `done` on, at its offset or at the file's position. */
static ssize_t bytes_move(const struct sfr__request *request, int flags)
{
	uint64_t off = request->sqe.off;
	ssize_t r = bytes_move_at(request, off == SFR__POSITION ? off : off + request->done, flags);

	if (r < 0 && errno == ESPIPE && off != SFR__POSITION && ignores_offset(request))
		r = bytes_move_at(request, SFR__POSITION, flags);
	return r;
}

static int bytes_try_socket(const struct sfr__request *request)
{
	struct span span;
	struct msghdr msg = {0};

	span_of(&span, request);
	msg.msg_iov = span.vectors;
	msg.msg_iovlen = (size_t)span.count;
	return try_result(is_read(request)
				  ? recvmsg(request->fd, &msg, MSG_DONTWAIT)
				  : sendmsg(request->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* A pipe that polls writable has room for PIPE_BUF bytes: as many vectors as fit, or part of the first. */
static ssize_t pipe_write(int fd, const struct span *span)
{
	size_t size = 0;
	int count = 0;

	while (count < span->count && size + span->vectors[count].iov_len <= PIPE_BUF)
		size += span->vectors[count++].iov_len;
	return count ? writev(fd, span->vectors, count)
		     : write(fd, span->vectors[0].iov_base, PIPE_BUF);
}

/* What cannot be asked not to block is done when it is ready: bytes that fit without waiting. */
static int bytes_try_ready(struct sfr__request *request, const struct stat *stat)
{
	struct span span;
	ssize_t r;

	if (S_ISSOCK(stat->st_mode)) /* which can be asked in another way */
		return request->sqe.off && request->sqe.off != SFR__POSITION
			       ? -ESPIPE
			       : bytes_try_socket(request);
	if (!sfr__ready_for(request->fd, is_read(request) ? POLLIN : POLLOUT))
		return SFR__NOT_YET;
	span_of(&span, request);
	if (is_read(request))
		r = readv(request->fd, span.vectors, span.count);
	else if (S_ISFIFO(stat->st_mode))
		r = pipe_write(request->fd, &span);
	else
		r = writev(request->fd, span.vectors, span.count);
	return try_result(r);
}

/* A short transfer without waiting: the end of a file, or of what can be had at once? */
static bool file_goes_on(const struct sfr__request *request, ssize_t count)
{
	struct stat stat;
	uint64_t off = request->sqe.off;

	if (fstat(request->fd, &stat) < 0 || !S_ISREG(stat.st_mode))
		return false;
	if (!is_read(request))
		return true;
	off = off == SFR__POSITION ? (uint64_t)lseek(request->fd, 0, SEEK_CUR)
				   : off + (uint64_t)count;
	return off < (uint64_t)stat.st_size;
}

/* The rest may block. A worker has no say in which provided buffer is used. */
static int for_worker(struct sfr__request *request)
{
	if (request->sqe.flags & IOSQE_BUFFER_SELECT)
		return -EOPNOTSUPP;
	request->step = SFR__STEP_BLOCKING;
	return SFR__NOT_YET;
}

static int bytes_try(struct sfr__request *request)
{
	struct stat stat;
	ssize_t r = bytes_move(request, RWF_NOWAIT);
	bool can_wait;

	if (r > 0 && !is_vector(request) && (uint32_t)r < request->len &&
	    file_goes_on(request, r)) {
		request->done = (uint32_t)r;
		return for_worker(request);
	}
	if (r >= 0 || (errno != EAGAIN && errno != EOPNOTSUPP))
		return sfr__result_of(r);
	can_wait = errno == EAGAIN;
	if (fstat(request->fd, &stat) < 0)
		return -errno;
	if (sfr__stat_kind(&stat) & SFR__FD_FILE)
		return for_worker(request);
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

static bool is_connected_kind(int fd)
{
	int type = sfr__socket_option(&sfr__plain_system, fd, SO_TYPE);

	return type == SOCK_STREAM || type == SOCK_SEQPACKET;
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

/* Only connections go on after a short message. Of a datagram there is no more to wait for. */
static int message_whole(struct sfr__request *request, int r)
{
	if (r > 0 && request->sqe.msg_flags & MSG_WAITALL &&
	    request->done + (uint64_t)r < sfr__request_size(request))
		request->no_more = !is_connected_kind(request->fd);
	return r;
}

static int recv_try(struct sfr__request *request)
{
	return message_whole(request,
			     message_result(request, recv(request->fd, request->at + request->done,
							  request->len - request->done,
							  message_flags(request))));
}

/* A datagram, with what the kernel puts before it into a provided buffer. */
static int recvmsg_try_provided(struct sfr__request *request)
{
	const struct msghdr *asked = (const void *)(uintptr_t)request->sqe.addr;
	struct io_uring_recvmsg_out out;
	uint32_t front = sfr__request_front(request);
	struct iovec payload = {request->at + front, request->len - front};
	struct msghdr msg = {.msg_name = request->at + sizeof(out),
			     .msg_namelen = asked->msg_namelen,
			     .msg_control = request->at + sizeof(out) + asked->msg_namelen,
			     .msg_controllen = asked->msg_controllen,
			     .msg_iov = &payload,
			     .msg_iovlen = 1};
	int r;

	if (!request->at || request->len < front)
		return -EFAULT;
	r = message_result(request, recvmsg(request->fd, &msg, message_flags(request)));
	if (r < 0)
		return r;
	out = (struct io_uring_recvmsg_out){.namelen = msg.msg_namelen,
					    .controllen = (uint32_t)msg.msg_controllen,
					    .payloadlen = (uint32_t)r,
					    .flags = (uint32_t)msg.msg_flags};
	memcpy(request->at, &out, sizeof(out));
	return (int)front + (r < (int)payload.iov_len ? r : (int)payload.iov_len); /* MSG_TRUNC */
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

/* A listener that blocks is asked first. Where several processes accept from one it can still happen
 * that another was faster: such listeners should be O_NONBLOCK. What does not listen says so at once. */
static int accept_try(struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	if (!sfr__fd_is_nonblocking(&sfr__plain_system, request->fd) &&
	    !sfr__ready_for(request->fd, POLLIN) &&
	    sfr__socket_option(&sfr__plain_system, request->fd, SO_ACCEPTCONN) > 0)
		return SFR__NOT_YET;
	return try_result(accept4(request->fd, (struct sockaddr *)(uintptr_t)sqe->addr,
				  (socklen_t *)(uintptr_t)sqe->addr2, (int)sqe->accept_flags));
}

/*
 * All of them.
 */

/* Some files say that something is new only to who asks first: so nobody asks again for what epoll told. */
static int poll_try(struct sfr__request *request)
{
	uint32_t told = request->told & (request->sqe.poll32_events | POLLERR | POLLHUP) &
			POLL_EVENTS;
	struct pollfd pollfd = {.fd = request->fd, .events = (short)request->sqe.poll32_events};
	int r;

	request->told = 0;
	if (told)
		return (int)told;
	r = poll(&pollfd, 1, 0);
	if (r <= 0)
		return try_result(r < 0 ? -1 : (errno = EAGAIN, -1));
	return pollfd.revents & POLLNVAL ? -EBADF : pollfd.revents;
}

/* Closing a file may wait, for its server or for its disk. */
static int close_try(struct sfr__request *request)
{
	struct stat stat;

	if (fstat(request->fd, &stat) == 0 && S_ISREG(stat.st_mode)) {
		request->step = SFR__STEP_BLOCKING;
		return SFR__NOT_YET;
	}
	return sfr__result_of(close(request->fd));
}

int sfr__syscall_try(struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	switch (sqe->opcode) {
	case IORING_OP_RECV:
		return recv_try(request);
	case IORING_OP_SEND:
		return send_try(request);
	case IORING_OP_RECVMSG:
		if (sqe->flags & IOSQE_BUFFER_SELECT)
			return recvmsg_try_provided(request);
		return message_whole(request, message_result(request, message_move(request)));
	case IORING_OP_SENDMSG:
		return message_whole(request, message_result(request, message_move(request)));
	case IORING_OP_READ:
	case IORING_OP_READV:
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE:
	case IORING_OP_WRITEV:
	case IORING_OP_WRITE_FIXED:
		return bytes_try(request);
	case IORING_OP_SPLICE:
		return sfr__splice_try(request);
	case IORING_OP_POLL_ADD:
		return poll_try(request);
	case IORING_OP_ACCEPT:
		return accept_try(request);
	case IORING_OP_CONNECT:
		return sfr__connect_try(request);
	case IORING_OP_SHUTDOWN:
		return sfr__result_of(shutdown(request->fd, (int)sqe->len));
	case IORING_OP_SOCKET:
		return sfr__result_of(socket(request->fd, (int)sqe->off, (int)sqe->len));
	case IORING_OP_CLOSE:
		return close_try(request);
	default:
		request->step = SFR__STEP_BLOCKING;
		return SFR__NOT_YET;
	}
}

bool sfr__syscall_blocks(const struct sfr__request *request)
{
	return request->step == SFR__STEP_BLOCKING;
}

bool sfr__syscall_is_for_later(const struct sfr__request *request)
{
	return request->step == SFR__STEP_LATER;
}

int sfr__syscall_fd(const struct sfr__request *request)
{
	return request->step == SFR__STEP_FILLING ? request->fd_in : request->fd;
}

uint32_t sfr__syscall_events(const struct sfr__request *request)
{
	switch (request->sqe.opcode) {
	case IORING_OP_POLL_ADD:
		return request->sqe.poll32_events & POLL_EVENTS;
	case IORING_OP_SPLICE:
		return request->step == SFR__STEP_FILLING ? EPOLLIN : EPOLLOUT;
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

/*
 * As the kernel's: a FIFO without a peer is opened at once, as the first attempt does not wait. Whom that
 * attempt tells to wait (another process holds a lease on the file, or a lock that is mandatory) waits here.
 * Only a file that is new loses the flag.
 */
static int openat_do(const struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	const char *path = (const char *)(uintptr_t)sqe->addr;
	int flags = (int)sqe->open_flags, fd;

	fd = openat(request->fd, path, flags | O_NONBLOCK, (mode_t)sqe->len);
	if (fd >= 0 && !(flags & O_NONBLOCK))
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	if (fd < 0 && errno == EAGAIN && !(flags & O_NONBLOCK))
		fd = openat(request->fd, path, flags, (mode_t)sqe->len);
	return sfr__result_of(fd);
}

int sfr__syscall_do(struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	const char *path = (const char *)(uintptr_t)sqe->addr;
	const char *path2 = (const char *)(uintptr_t)sqe->addr2;

	switch (sqe->opcode) {
	case IORING_OP_SPLICE:
		return sfr__splice_do(request);
	case IORING_OP_CONNECT:
		return sfr__connect_do(request);
	case IORING_OP_CLOSE:
		return sfr__result_of(close(request->fd));
	case IORING_OP_FSYNC:
		return sfr__result_of(sqe->fsync_flags & IORING_FSYNC_DATASYNC
					      ? fdatasync(request->fd)
					      : fsync(request->fd));
	case IORING_OP_FALLOCATE: /* the length is where others have an address */
		return sfr__result_of(
			fallocate(request->fd, (int)sqe->len, (off_t)sqe->off, (off_t)sqe->addr));
	case IORING_OP_OPENAT:
		return openat_do(request);
	case IORING_OP_STATX:
		return sfr__result_of(syscall(SYS_statx, request->fd, path, (int)sqe->statx_flags,
					      sqe->len, (void *)(uintptr_t)sqe->off));
	case SFR__OP_CODE_FTRUNCATE:
		return sfr__result_of(ftruncate(request->fd, (off_t)sqe->off));
	case IORING_OP_RENAMEAT:
		return sfr__result_of(syscall(SYS_renameat2, request->fd, path, (int)sqe->len,
					      path2, sqe->rename_flags));
	case IORING_OP_UNLINKAT:
		return sfr__result_of(unlinkat(request->fd, path, (int)sqe->unlink_flags));
	case IORING_OP_MKDIRAT:
		return sfr__result_of(mkdirat(request->fd, path, (mode_t)sqe->len));
	case IORING_OP_SYMLINKAT:
		return sfr__result_of(symlinkat(path, request->fd, path2));
	case IORING_OP_LINKAT:
		return sfr__result_of(
			linkat(request->fd, path, (int)sqe->len, path2, (int)sqe->hardlink_flags));
	default:
		return bytes_do(request);
	}
}

int sfr__syscall_run(const struct io_uring_sqe *sqe)
{
	struct sfr__request request = {.sqe = *sqe, .fd = sqe->fd};
	int r = sfr__syscall_try(&request);

	return r == SFR__NOT_YET ? sfr__syscall_do(&request) : r;
}

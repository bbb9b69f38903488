/* SPDX-License-Identifier: MIT */
/*
 * Links: what a row of entries does when one of them fails, on every engine.
 */
#include "engine_world.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK IOSQE_IO_LINK
#define HARD IOSQE_IO_HARDLINK
#define CUT -ECANCELED
#define HUGE_SIZE (16 << 20)

static char data[256];
static int log_read, log_write; /* a pipe that tells how many members have run */

/* What a member of a row does. */
enum deed {
	END,        /* not a member: the row is over */
	RUN,        /* writes one byte to the log: 1 */
	FAIL,       /* reads from no descriptor, which is found when it is attempted: -EBADF */
	BAD_OPCODE, /* cannot be prepared: -EINVAL */
	BAD_FLAG,
	READ_PART,      /* of a file: 10 of 100 bytes */
	READ_END,       /* 0 at its end */
	READ_PIPE_PART, /* 3 of 10 */
	READ_SOCKET_PART,
	WRITE_PIPE_BROKEN,
	RECV_PART,
	RECVMSG_PART,
	RECV_END,      /* 0: the peer closed */
	RECV_ALL,      /* MSG_WAITALL: 10 of 10 */
	RECV_ALL_END,  /* MSG_WAITALL: 3 of 10, then the peer closed */
	RECV_NOTHING,  /* MSG_DONTWAIT: -EAGAIN */
	RECV_NEVER,    /* waits */
	SEND_PART,     /* more than there is room for, MSG_DONTWAIT: POSITIVE */
	SEND_ALL_PART, /* the same and MSG_WAITALL */
	SEND_BROKEN,   /* -EPIPE */
	EXPIRE,        /* timeout: -ETIME */
	EXPIRE_WELL,   /* timeout that counts as success: -ETIME */
	WITHIN_1MS,    /* link timeout */
	WITHIN_0,
	WITHIN_1H,
	POLL_READY,
	CANCEL_NOBODY,  /* -ENOENT */
	CLOSE_NOTHING,  /* -EBADF */
	OPEN_NOTHING,   /* -ENOENT */
	CONNECT_NOBODY, /* -ECONNREFUSED */
	READV_PART,     /* of a file: 10 of 100 bytes */
	READ_FIXED_PART,
	WRITE_FULL,      /* to a device: -ENOSPC */
	WRITE_PART,      /* where a file may not grow further: 16 of 100 bytes */
	WRITE_PIPE_PART, /* more than there is room for: POSITIVE */
	WRITEV_NOTHING,  /* -EBADF */
	WRITEV_PART,     /* as WRITE_PART */
	WRITE_FIXED_PART,
	RECV_NO_SOCKET,   /* -ENOTSOCK */
	SEND_NO_SOCKET,   /* -ENOTSOCK */
	SENDMSG_BROKEN,   /* -EPIPE */
	SENDMSG_ALL_PART, /* as SEND_ALL_PART */
	POLL_NOTHING,     /* -EBADF */
	ACCEPT_NO_SOCKET, /* -ENOTSOCK */
	SOCKET_UNKNOWN,   /* of no family: -EAFNOSUPPORT */
	CONNECT_NOTHING,  /* -EBADF */
	OPEN_PLACE,       /* 0: into place 0 of the fixed files */
	OPEN_PLACE_NOTHING,
	READ_PLACE,        /* 10 bytes */
	READ_PLACE_PART,   /* 4 of 10 bytes */
	READ_PLACE_EMPTY,  /* -EBADF */
	CLOSE_PLACE,       /* 0 */
	CLOSE_PLACE_EMPTY, /* -EBADF */
};

#define POSITIVE 0x7fffffff

struct member {
	enum deed deed;
	unsigned flags;
	int result;
};

static const struct row {
	const char *says;
	struct member members[6];
} rows[] = {
	{"a row of successes runs", {{RUN, LINK, 1}, {RUN, HARD, 1}, {RUN, LINK, 1}, {RUN, 0, 1}}},
	{"a failure breaks soft links",
	 {{RUN, LINK, 1}, {FAIL, LINK, -EBADF}, {RUN, LINK, CUT}, {RUN, 0, CUT}}},
	{"a failure at the head breaks them",
	 {{FAIL, LINK, -EBADF}, {RUN, LINK, CUT}, {RUN, LINK, CUT}, {RUN, 0, CUT}}},
	{"a failure at the end changes nothing",
	 {{RUN, LINK, 1}, {RUN, LINK, 1}, {RUN, LINK, 1}, {FAIL, 0, -EBADF}}},
	{"a hard link goes on after a failure",
	 {{RUN, HARD, 1}, {FAIL, HARD, -EBADF}, {RUN, HARD, 1}, {RUN, 0, 1}}},
	{"the link after the one that failed counts, soft",
	 {{FAIL, HARD, -EBADF}, {FAIL, LINK, -EBADF}, {RUN, LINK, CUT}, {RUN, 0, CUT}}},
	{"the link after the one that failed counts, hard",
	 {{RUN, LINK, 1}, {FAIL, HARD, -EBADF}, {RUN, LINK, 1}, {RUN, 0, 1}}},
	{"a broken row stays broken at hard links",
	 {{FAIL, LINK, -EBADF}, {RUN, HARD, CUT}, {RUN, HARD, CUT}, {RUN, 0, CUT}}},
	{"both kinds of link on one member are a hard one",
	 {{FAIL, LINK | HARD, -EBADF}, {RUN, 0, 1}}},

	{"what cannot be prepared stops its row: first of soft",
	 {{BAD_OPCODE, LINK, -EINVAL}, {RUN, LINK, CUT}, {RUN, 0, CUT}}},
	{"what cannot be prepared stops its row: second of soft",
	 {{RUN, LINK, CUT}, {BAD_OPCODE, LINK, -EINVAL}, {RUN, 0, CUT}}},
	{"what cannot be prepared stops its row: last of soft",
	 {{RUN, LINK, CUT}, {RUN, LINK, CUT}, {BAD_OPCODE, 0, -EINVAL}}},
	{"what cannot be prepared stops its row: first of hard",
	 {{BAD_OPCODE, HARD, -EINVAL}, {RUN, HARD, CUT}, {RUN, 0, CUT}}},
	{"what cannot be prepared stops its row: second of hard",
	 {{RUN, HARD, CUT}, {BAD_OPCODE, HARD, -EINVAL}, {RUN, 0, CUT}}},
	{"what cannot be prepared stops its row: last of hard",
	 {{RUN, HARD, CUT}, {RUN, HARD, CUT}, {BAD_OPCODE, 0, -EINVAL}}},
	{"an unknown flag cannot be prepared: first",
	 {{BAD_FLAG, LINK, -EINVAL}, {RUN, LINK, CUT}, {RUN, 0, CUT}}},
	{"an unknown flag cannot be prepared: second",
	 {{RUN, HARD, CUT}, {BAD_FLAG, HARD, -EINVAL}, {RUN, 0, CUT}}},
	{"an unknown flag cannot be prepared: last",
	 {{RUN, LINK, CUT}, {RUN, LINK, CUT}, {BAD_FLAG, 0, -EINVAL}}},

	{"reading less of a file than asked is a failure", {{READ_PART, LINK, 10}, {RUN, 0, CUT}}},
	{"and reading nothing at its end", {{READ_END, LINK, 0}, {RUN, 0, CUT}}},
	{"and less of a pipe", {{READ_PIPE_PART, LINK, 3}, {RUN, 0, CUT}}},
	{"and less of a socket", {{READ_SOCKET_PART, LINK, 3}, {RUN, 0, CUT}}},
	{"hard links go on after that", {{READ_PART, HARD, 10}, {READ_END, HARD, 0}, {RUN, 0, 1}}},
	{"hard links go on after less of a pipe", {{READ_PIPE_PART, HARD, 3}, {RUN, 0, 1}}},
	{"receiving less than there is room for is none", {{RECV_PART, LINK, 3}, {RUN, 0, 1}}},
	{"nor with a message", {{RECVMSG_PART, LINK, 3}, {RUN, 0, 1}}},
	{"nor is the end of a stream", {{RECV_END, LINK, 0}, {RUN, 0, 1}}},
	{"receiving all of it is none", {{RECV_ALL, LINK, 10}, {RUN, 0, 1}}},
	{"the end of a stream before all came is one", {{RECV_ALL_END, LINK, 3}, {RUN, 0, CUT}}},
	{"hard links go on after that too", {{RECV_ALL_END, HARD, 3}, {RUN, 0, 1}}},
	{"having nothing to receive is one", {{RECV_NOTHING, LINK, -EAGAIN}, {RUN, 0, CUT}}},
	{"sending a part is none", {{SEND_PART, LINK, POSITIVE}, {RUN, 0, 1}}},
	{"sending a part of what must go as a whole is one",
	 {{SEND_ALL_PART, LINK, POSITIVE}, {RUN, 0, CUT}}},
	{"sending to nobody is one", {{SEND_BROKEN, LINK, -EPIPE}, {RUN, 0, CUT}}},
	{"writing to nobody is one", {{WRITE_PIPE_BROKEN, LINK, -EPIPE}, {RUN, 0, CUT}}},
	{"a poll that is ready is none", {{POLL_READY, LINK, POSITIVE}, {RUN, 0, 1}}},
	{"cancelling nothing is one", {{CANCEL_NOBODY, LINK, -ENOENT}, {RUN, 0, CUT}}},
	{"closing nothing is one", {{CLOSE_NOTHING, LINK, -EBADF}, {RUN, 0, CUT}}},
	{"opening nothing is one", {{OPEN_NOTHING, LINK, -ENOENT}, {RUN, 0, CUT}}},
	{"being refused is one", {{CONNECT_NOBODY, LINK, -ECONNREFUSED}, {RUN, 0, CUT}}},
	{"writing to a device that is full is one", {{WRITE_FULL, LINK, -ENOSPC}, {RUN, 0, CUT}}},
	{"writing less of a file is one", {{WRITE_PART, LINK, 16}, {RUN, 0, CUT}}},
	{"and less to a pipe", {{WRITE_PIPE_PART, LINK, POSITIVE}, {RUN, 0, CUT}}},
	{"gathering to nothing is one", {{WRITEV_NOTHING, LINK, -EBADF}, {RUN, 0, CUT}}},
	{"and gathering less", {{WRITEV_PART, LINK, 16}, {RUN, 0, CUT}}},
	{"scattering less is one", {{READV_PART, LINK, 10}, {RUN, 0, CUT}}},
	{"reading less into a fixed buffer is one", {{READ_FIXED_PART, LINK, 10}, {RUN, 0, CUT}}},
	{"and writing less from one", {{WRITE_FIXED_PART, LINK, 16}, {RUN, 0, CUT}}},
	{"hard links go on after parts",
	 {{READV_PART, HARD, 10},
	  {WRITE_PART, HARD, 16},
	  {WRITEV_PART, HARD, 16},
	  {WRITE_PIPE_PART, HARD, POSITIVE},
	  {RUN, 0, 1}}},
	{"receiving from what is no socket is one",
	 {{RECV_NO_SOCKET, LINK, -ENOTSOCK}, {RUN, 0, CUT}}},
	{"and sending to it", {{SEND_NO_SOCKET, LINK, -ENOTSOCK}, {RUN, 0, CUT}}},
	{"a message to nobody is one", {{SENDMSG_BROKEN, LINK, -EPIPE}, {RUN, 0, CUT}}},
	{"and a part of a message that must go as a whole",
	 {{SENDMSG_ALL_PART, LINK, POSITIVE}, {RUN, 0, CUT}}},
	{"polling nothing is one", {{POLL_NOTHING, LINK, -EBADF}, {RUN, 0, CUT}}},
	{"accepting from what does not listen is one",
	 {{ACCEPT_NO_SOCKET, LINK, -ENOTSOCK}, {RUN, 0, CUT}}},
	{"a socket of no family is one", {{SOCKET_UNKNOWN, LINK, -EAFNOSUPPORT}, {RUN, 0, CUT}}},
	{"connecting nothing is one", {{CONNECT_NOTHING, LINK, -EBADF}, {RUN, 0, CUT}}},
	{"hard links go on after all of that",
	 {{WRITE_FULL, HARD, -ENOSPC},
	  {SENDMSG_BROKEN, HARD, -EPIPE},
	  {POLL_NOTHING, HARD, -EBADF},
	  {ACCEPT_NO_SOCKET, HARD, -ENOTSOCK},
	  {SOCKET_UNKNOWN, HARD, -EAFNOSUPPORT},
	  {RUN, 0, 1}}},

	{"a place that a row fills is there for the rest of it",
	 {{OPEN_PLACE, LINK, 0}, {READ_PLACE, LINK, 10}, {CLOSE_PLACE, LINK, 0}, {RUN, 0, 1}}},
	{"and is gone behind the close",
	 {{OPEN_PLACE, LINK, 0},
	  {READ_PLACE, HARD, 10},
	  {CLOSE_PLACE, HARD, 0},
	  {READ_PLACE_EMPTY, HARD, -EBADF},
	  {RUN, 0, 1}}},
	{"a place that could not be filled breaks its row",
	 {{OPEN_PLACE_NOTHING, LINK, -ENOENT}, {READ_PLACE, LINK, CUT}, {RUN, 0, CUT}}},
	{"reading less from a place breaks it",
	 {{OPEN_PLACE, LINK, 0}, {READ_PLACE_PART, LINK, 4}, {CLOSE_PLACE, 0, CUT}}},
	{"unless a hard link closes it",
	 {{OPEN_PLACE, LINK, 0}, {READ_PLACE_PART, HARD, 4}, {CLOSE_PLACE, LINK, 0}, {RUN, 0, 1}}},
	{"reading from an empty place is a failure",
	 {{READ_PLACE_EMPTY, LINK, -EBADF}, {OPEN_PLACE, LINK, CUT}, {RUN, 0, CUT}}},
	{"so is closing one", {{CLOSE_PLACE_EMPTY, LINK, -EBADF}, {RUN, 0, CUT}}},

	{"hard links go on after any of these",
	 {{CONNECT_NOBODY, HARD, -ECONNREFUSED},
	  {SEND_BROKEN, HARD, -EPIPE},
	  {CLOSE_NOTHING, HARD, -EBADF},
	  {CANCEL_NOBODY, HARD, -ENOENT},
	  {RUN, 0, 1}}},

	{"a timeout that expires is a failure", {{EXPIRE, LINK, -ETIME}, {RUN, 0, CUT}}},
	{"hard links wait for it and go on", {{RUN, HARD, 1}, {EXPIRE, HARD, -ETIME}, {RUN, 0, 1}}},
	{"unless it counts as success", {{RUN, LINK, 1}, {EXPIRE_WELL, LINK, -ETIME}, {RUN, 0, 1}}},

	{"a link timeout cancels what took too long",
	 {{RECV_NEVER, LINK, CUT}, {WITHIN_1MS, 0, -ETIME}}},
	{"and what follows", {{RECV_NEVER, LINK, CUT}, {WITHIN_1MS, LINK, -ETIME}, {RUN, 0, CUT}}},
	{"with no time at all", {{RECV_NEVER, LINK, CUT}, {WITHIN_0, LINK, -ETIME}, {RUN, 0, CUT}}},
	{"except behind hard links",
	 {{RECV_NEVER, HARD, CUT}, {WITHIN_1MS, HARD, -ETIME}, {RUN, 0, 1}}},
	{"in the middle of a row as well",
	 {{RUN, LINK, 1}, {RECV_NEVER, LINK, CUT}, {WITHIN_1MS, LINK, -ETIME}, {RUN, 0, CUT}}},
	{"what is in time cancels its link timeout", {{RUN, LINK, 1}, {WITHIN_1H, 0, CUT}}},
	{"and what follows runs", {{RUN, LINK, 1}, {WITHIN_1H, LINK, CUT}, {RUN, 0, 1}}},
	{"what fails cancels it too",
	 {{FAIL, LINK, -EBADF}, {WITHIN_1H, LINK, CUT}, {RUN, 0, CUT}}},
	{"each member can have its own",
	 {{RUN, LINK, 1}, {WITHIN_1H, LINK, CUT}, {RUN, LINK, 1}, {WITHIN_1H, 0, CUT}}},
	{"a broken row cancels link timeouts",
	 {{FAIL, LINK, -EBADF}, {RECV_NEVER, LINK, CUT}, {WITHIN_1H, LINK, CUT}, {RUN, 0, CUT}}},
	{"a link timeout needs something before it", {{WITHIN_1MS, 0, -EINVAL}}},
	{"at the head it stops its row", {{WITHIN_1MS, LINK, -EINVAL}, {RUN, 0, CUT}}},
	{"two in a row cannot be",
	 {{RECV_NEVER, LINK, CUT}, {WITHIN_1H, LINK, CUT}, {WITHIN_1H, 0, -EINVAL}}},
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

/* A socket with some bytes waiting, and perhaps no peer any more. */
static int socket_with(const char *text, bool closed)
{
	int fd, peer;

	pair_of_unix_sockets(&fd, &peer);
	ck_assert_int_eq(write(peer, text, strlen(text)), (int)strlen(text));
	if (closed)
		fd_empty(peer);
	return fd;
}

static int pipe_with(const char *text)
{
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(write(write_end, text, strlen(text)), (int)strlen(text));
	return read_end;
}

static int broken_pipe(void)
{
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	fd_empty(read_end);
	return write_end;
}

static void *huge(void)
{
	static void *memory;

	if (!memory)
		memory = mmap(NULL, HUGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

static struct __kernel_timespec *milliseconds(int count)
{
	static struct __kernel_timespec times[16];
	static int used;
	struct __kernel_timespec *ts = &times[used++ % 16];

	ts->tv_sec = count / 1000;
	ts->tv_nsec = count % 1000 * MILLISECOND;
	return ts;
}

/* An address where nobody listens. */
static struct sockaddr_in *nobody(void)
{
	static struct sockaddr_in addr;
	socklen_t size = sizeof(addr);
	int fd = owned_fd(socket(AF_INET, SOCK_STREAM, 0));

	addr = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &size), 0);
	return &addr;
}

static void recvmsg_prep(struct io_uring_sqe *sqe, int fd)
{
	static struct iovec iov;
	static struct msghdr msg;

	iov = (struct iovec){data, 10};
	msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	io_uring_prep_recvmsg(sqe, fd, &msg, 0);
}

static void sendmsg_prep(struct io_uring_sqe *sqe, int fd, size_t size, int flags)
{
	static struct iovec iov;
	static struct msghdr msg;

	iov = (struct iovec){huge(), size};
	msg = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	io_uring_prep_sendmsg(sqe, fd, &msg, (unsigned)flags);
}

/* No file of this process grows beyond that from now on, and what is written there is a part of it. */
#define FILE_MAX (1 << 30)
#define NEAR_MAX (FILE_MAX - 16)

static int file_with_a_limit(void)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = FILE_MAX;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	signal(SIGXFSZ, SIG_IGN);
	return empty_file();
}

static int full_device(void)
{
	return owned_fd(open("/dev/full", O_WRONLY));
}

static int small_pipe(void)
{
	int read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(fcntl(write_end, F_SETFL, O_NONBLOCK), 0);
	return write_end;
}

static const char *path_with_10_bytes(void)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_with("0123456789"));
	return path;
}

/* The vectors stay until the test ends. */
static struct iovec *vector_of_100(void)
{
	static struct iovec vectors[2];

	vectors[0] = (struct iovec){data, 40};
	vectors[1] = (struct iovec){data + 40, 60};
	return vectors;
}

static void deed_prep_more(struct io_uring_sqe *sqe, enum deed deed);

static void deed_prep(struct io_uring_sqe *sqe, enum deed deed)
{
	switch (deed) {
	case END:
		break;
	case RUN:
		io_uring_prep_write(sqe, log_write, "x", 1, 0);
		break;
	case FAIL:
		io_uring_prep_read(sqe, -1, data, 1, 0);
		break;
	case BAD_OPCODE:
		io_uring_prep_nop(sqe);
		sqe->opcode = 200;
		break;
	case BAD_FLAG:
		io_uring_prep_nop(sqe);
		sqe->flags = 1U << 7;
		break;
	case READ_PART:
		io_uring_prep_read(sqe, file_with("0123456789"), data, 100, 0);
		break;
	case READ_END:
		io_uring_prep_read(sqe, file_with("0123456789"), data, 10, 10);
		break;
	case READ_PIPE_PART:
		io_uring_prep_read(sqe, pipe_with("abc"), data, 10, 0);
		break;
	case READ_SOCKET_PART:
		io_uring_prep_read(sqe, socket_with("abc", false), data, 10, 0);
		break;
	case WRITE_PIPE_BROKEN:
		io_uring_prep_write(sqe, broken_pipe(), "x", 1, 0);
		break;
	case RECV_PART:
		io_uring_prep_recv(sqe, socket_with("abc", false), data, 10, 0);
		break;
	case RECVMSG_PART:
		recvmsg_prep(sqe, socket_with("abc", false));
		break;
	case RECV_END:
		io_uring_prep_recv(sqe, socket_with("", true), data, 10, 0);
		break;
	case RECV_ALL:
		io_uring_prep_recv(sqe, socket_with("0123456789", false), data, 10, MSG_WAITALL);
		break;
	case RECV_ALL_END:
		io_uring_prep_recv(sqe, socket_with("abc", true), data, 10, MSG_WAITALL);
		break;
	case RECV_NOTHING:
		io_uring_prep_recv(sqe, socket_with("", false), data, 10, MSG_DONTWAIT);
		break;
	case RECV_NEVER:
		io_uring_prep_recv(sqe, socket_with("", false), data, 10, 0);
		break;
	case SEND_PART:
		io_uring_prep_send(sqe, socket_with("", false), huge(), HUGE_SIZE, MSG_DONTWAIT);
		break;
	case SEND_ALL_PART:
		io_uring_prep_send(sqe, socket_with("", false), huge(), HUGE_SIZE,
				   MSG_DONTWAIT | MSG_WAITALL);
		break;
	case SEND_BROKEN:
		io_uring_prep_send(sqe, socket_with("", true), "x", 1, 0);
		break;
	case EXPIRE:
		io_uring_prep_timeout(sqe, milliseconds(1), 0, 0);
		break;
	case EXPIRE_WELL:
		io_uring_prep_timeout(sqe, milliseconds(1), 0, IORING_TIMEOUT_ETIME_SUCCESS);
		break;
	case WITHIN_1MS:
		io_uring_prep_link_timeout(sqe, milliseconds(1), 0);
		break;
	case WITHIN_0:
		io_uring_prep_link_timeout(sqe, milliseconds(0), 0);
		break;
	case WITHIN_1H:
		io_uring_prep_link_timeout(sqe, milliseconds(3600000), 0);
		break;
	case POLL_READY:
		io_uring_prep_poll_add(sqe, pipe_with("abc"), POLLIN);
		break;
	case CANCEL_NOBODY:
		io_uring_prep_cancel64(sqe, 12345, 0);
		break;
	case CLOSE_NOTHING:
		io_uring_prep_close(sqe, 1 << 20);
		break;
	case OPEN_NOTHING:
		io_uring_prep_openat(sqe, AT_FDCWD, "/nowhere/nothing", O_RDONLY, 0);
		break;
	case CONNECT_NOBODY:
		io_uring_prep_connect(sqe, owned_fd(socket(AF_INET, SOCK_STREAM, 0)),
				      (struct sockaddr *)nobody(), sizeof(struct sockaddr_in));
		break;
	default:
		deed_prep_more(sqe, deed);
		break;
	}
}

static void deed_prep_more(struct io_uring_sqe *sqe, enum deed deed)
{
	switch (deed) {
	case READV_PART:
		io_uring_prep_readv(sqe, file_with("0123456789"), vector_of_100(), 2, 0);
		break;
	case READ_FIXED_PART:
		io_uring_prep_read_fixed(sqe, file_with("0123456789"), data, 100, 0, 0);
		break;
	case WRITE_FULL:
		io_uring_prep_write(sqe, full_device(), data, 10, 0);
		break;
	case WRITE_PART:
		io_uring_prep_write(sqe, file_with_a_limit(), data, 100, NEAR_MAX);
		break;
	case WRITE_PIPE_PART:
		io_uring_prep_write(sqe, small_pipe(), huge(), HUGE_SIZE, 0);
		break;
	case WRITEV_NOTHING:
		io_uring_prep_writev(sqe, -1, vector_of_100(), 2, 0);
		break;
	case WRITEV_PART:
		io_uring_prep_writev(sqe, file_with_a_limit(), vector_of_100(), 2, NEAR_MAX);
		break;
	case WRITE_FIXED_PART:
		io_uring_prep_write_fixed(sqe, file_with_a_limit(), data, 100, NEAR_MAX, 0);
		break;
	case RECV_NO_SOCKET:
		io_uring_prep_recv(sqe, pipe_with(""), data, 10, 0);
		break;
	case SEND_NO_SOCKET:
		io_uring_prep_send(sqe, small_pipe(), data, 10, 0);
		break;
	case SENDMSG_BROKEN:
		sendmsg_prep(sqe, socket_with("", true), 1, 0);
		break;
	case SENDMSG_ALL_PART:
		sendmsg_prep(sqe, socket_with("", false), HUGE_SIZE, MSG_DONTWAIT | MSG_WAITALL);
		break;
	case POLL_NOTHING:
		io_uring_prep_poll_add(sqe, -1, POLLIN);
		break;
	case ACCEPT_NO_SOCKET:
		io_uring_prep_accept(sqe, pipe_with(""), NULL, NULL, 0);
		break;
	case SOCKET_UNKNOWN:
		io_uring_prep_socket(sqe, 12345, SOCK_STREAM, 0, 0);
		break;
	case CONNECT_NOTHING:
		io_uring_prep_connect(sqe, -1, (struct sockaddr *)nobody(),
				      sizeof(struct sockaddr_in));
		break;
	case OPEN_PLACE:
		io_uring_prep_openat_direct(sqe, AT_FDCWD, path_with_10_bytes(), O_RDONLY, 0, 0);
		break;
	case OPEN_PLACE_NOTHING:
		io_uring_prep_openat_direct(sqe, AT_FDCWD, "/nowhere/nothing", O_RDONLY, 0, 0);
		break;
	case READ_PLACE:
	case READ_PLACE_EMPTY:
	case READ_PLACE_PART:
		io_uring_prep_read(sqe, 0, data, 10, deed == READ_PLACE_PART ? 6 : 0);
		sqe->flags |= IOSQE_FIXED_FILE;
		break;
	case CLOSE_PLACE:
	case CLOSE_PLACE_EMPTY:
		io_uring_prep_close_direct(sqe, 0);
		break;
	default:
		ck_abort();
	}
}

/* One place for a file, and `data` is a fixed buffer. */
static struct sfr__engine *engine_with_log(int number, const char *more)
{
	struct sfr__engine *engine = engine_in(number, more);

	ck_assert_int_eq(engine->calls->files_add(engine, &(int){-1}, 1), 0);
	ck_assert_int_eq(engine->calls->buffers_add(engine, &(struct iovec){data, sizeof(data)}, 1),
			 0);
	signal(SIGPIPE, SIG_IGN);
	pair_of_pipe_ends(&log_read, &log_write);
	return engine;
}

/* Write a member; owned descriptors are made on the way. */
static void member(int name, enum deed deed, unsigned flags)
{
	deed_prep(sqe_next(), deed);
	sqe_is(name, flags);
}

static int row_write(const struct row *row)
{
	int i;

	for (i = 0; i < 6 && row->members[i].deed; i++)
		member(i, row->members[i].deed, row->members[i].flags);
	return i;
}

/* Completions come in the order of the row, except that a stopped row ends from the member that
 * stopped it, and a link timeout reports before what it ended. */
static bool has_order(const struct row *row)
{
	int i;

	for (i = 0; i < 6; i++)
		if (row->members[i].result == -EINVAL ||
		    (row->members[i].deed >= WITHIN_1MS && row->members[i].deed <= WITHIN_1H))
			return false;
	return true;
}

START_TEST(a_row_ends_as_the_table_says)
{
	const struct row *row = &rows[_i % ROWS];
	int count, i, ran = 0;

	engine_with_log(_i / ROWS, NULL);
	count = row_write(row);
	collect(count);

	for (i = 0; i < count; i++) {
		const struct member *m = &row->members[i];
		int result = result_of(i);

		ck_assert_msg(m->result == POSITIVE ? result > 0 : result == m->result,
			      "%s: member %d has %d", row->says, i, result);
		ck_assert_msg(!has_order(row) || order[i] == i, "%s: %d is not %d", row->says,
			      order[i], i);
		ran += m->deed == RUN && m->result == 1;
	}
	ck_assert_msg(bytes_waiting(log_read) == ran, "%s: %d members ran", row->says,
		      bytes_waiting(log_read));
}
END_TEST

START_TEST(a_member_starts_when_the_one_before_is_done)
{
	int fd, peer;

	engine_with_log(_i, NULL);
	pair_of_unix_sockets(&fd, &peer);
	io_uring_prep_recv(sqe_next(), fd, data, 10, 0);
	sqe_is(A, LINK);
	member(B, RUN, HARD);
	member(C, RUN, 0);
	collect_now();
	ck_assert(is_pending(A) && is_pending(B) && is_pending(C));
	ck_assert_int_eq(bytes_waiting(log_read), 0);

	ck_assert_int_eq(write(peer, "abc", 3), 3);
	collect(3);
	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(bytes_waiting(log_read), 2);
}
END_TEST

/* As many members as there are entries. All but two of them run. */
static void full_row(int count)
{
	int i;

	for (i = 0; i < count; i++)
		member(i, i == count - 2 ? FAIL : RUN, i < count - 1 ? LINK : 0);
}

static void check_full_row(int count)
{
	ck_assert_int_eq(result_of(0), 1);
	ck_assert_int_eq(result_of(count - 3), 1);
	ck_assert_int_eq(result_of(count - 2), -EBADF);
	ck_assert_int_eq(result_of(count - 1), CUT);
	ck_assert_int_eq(bytes_waiting(log_read), count - 2);
}

START_TEST(a_row_can_fill_the_submission_queue)
{
	engine_with_log(_i, "ring.entries=8 ring.cq_entries=8");
	full_row(8);
	collect(8);
	check_full_row(8);
}
END_TEST

START_TEST(a_long_one_as_well)
{
	engine_with_log(_i, "ring.entries=128 ring.cq_entries=128");
	full_row(128);
	collect(128);
	check_full_row(128);
}
END_TEST

START_TEST(a_row_waits_and_goes_on_as_long_as_the_queue)
{
	int fd, peer, i;

	engine_with_log(_i, "ring.entries=8 ring.cq_entries=8");
	pair_of_unix_sockets(&fd, &peer);
	io_uring_prep_recv(sqe_next(), fd, data, 1, 0);
	sqe_is(0, LINK);
	for (i = 1; i < 8; i++)
		member(i, RUN, i < 7 ? LINK : 0);
	collect(0);
	ck_assert_int_eq(write(peer, "x", 1), 1);
	collect(8);

	for (i = 0; i < 8; i++)
		ck_assert_int_eq(order[i], i);
	ck_assert_int_eq(bytes_waiting(log_read), 7);
}
END_TEST

/* Kernels before 5.19 take nothing more then. */
START_TEST(rows_go_on_while_the_completion_queue_is_full)
{
	struct sfr__engine *engine;
	int i, count = 0, came[5] = {0};

	engine = engine_with_log(_i, "ring.entries=8 ring.cq_entries=8");
	for (; count < 40 && !sfr__queue_written(&engine->queue); count += 8) {
		for (i = 0; i < 8; i++)
			member(count + i, i == 5 ? FAIL : RUN, i == 7 ? 0 : i == 4 ? HARD : LINK);
		ck_assert_int_eq(engine->calls->enter(engine, false, 0), 0);
	}
	ck_assert_int_ge(count, 16);
	collect(count);

	for (i = 0; i < count; i++) { /* rows may overtake each other */
		ck_assert_int_eq(order[i] % 8, came[order[i] / 8]++);
		ck_assert_int_eq(result_of(i), i % 8 < 5 ? 1 : i % 8 == 5 ? -EBADF : CUT);
	}
	ck_assert_int_eq(bytes_waiting(log_read), count / 8 * 5);
}
END_TEST

START_TEST(rows_in_one_submission_do_not_touch_each_other)
{
	engine_with_log(_i, NULL);
	member(A, FAIL, LINK);
	member(B, RUN, 0);
	member(C, RUN, LINK);
	member(D, RUN, 0);
	member(E, RUN, 0);
	collect(5);

	ck_assert_int_eq(result_of(A), -EBADF);
	ck_assert_int_eq(result_of(B), CUT);
	ck_assert_int_eq(result_of(C), 1);
	ck_assert_int_eq(result_of(D), 1);
	ck_assert_int_eq(result_of(E), 1);
}
END_TEST

START_TEST(what_cannot_be_prepared_stops_nothing_else)
{
	engine_with_log(_i, NULL);
	member(A, RUN, 0);
	member(B, RUN, LINK);
	member(C, BAD_OPCODE, 0);
	member(D, RUN, LINK);
	member(E, RUN, 0);
	member(F, BAD_FLAG, 0);
	member(G, RUN, 0);
	collect(7);

	ck_assert_int_eq(result_of(A), 1);
	ck_assert_int_eq(result_of(B), CUT);
	ck_assert_int_eq(result_of(C), -EINVAL);
	ck_assert_int_eq(result_of(D), 1);
	ck_assert_int_eq(result_of(E), 1);
	ck_assert_int_eq(result_of(F), -EINVAL);
	ck_assert_int_eq(result_of(G), 1);
}
END_TEST

START_TEST(a_link_does_not_reach_into_the_next_submission)
{
	engine_with_log(_i, NULL);
	member(A, FAIL, LINK);
	collect(1);
	member(B, RUN, 0);
	collect(1);
	ck_assert_int_eq(result_of(B), 1);

	member(C, RECV_NEVER, LINK);
	collect(0);
	member(D, RUN, 0);
	collect(1);
	ck_assert_int_eq(result_of(D), 1);
}
END_TEST

START_TEST(links_break_late_as_they_break_early)
{
	int fd, peer;

	engine_with_log(_i, NULL);
	pair_of_unix_sockets(&fd, &peer);
	io_uring_prep_recv(sqe_next(), fd, data, 10, MSG_WAITALL);
	sqe_is(A, LINK);
	member(B, RUN, LINK);
	member(C, RUN, 0);
	collect(0);
	ck_assert_int_eq(write(peer, "abc", 3), 3);
	collect(0);
	fd_empty(peer);
	collect(3);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(result_of(B), CUT);
	ck_assert_int_eq(result_of(C), CUT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine links");
	TCase *tc = engine_case(suite, "links");

	tcase_add_loop_test(tc, a_row_ends_as_the_table_says, 0, engine_count() * ROWS);
	engine_test(tc, a_member_starts_when_the_one_before_is_done);
	engine_test(tc, a_row_can_fill_the_submission_queue);
	engine_test(tc, a_long_one_as_well);
	engine_test(tc, a_row_waits_and_goes_on_as_long_as_the_queue);
	engine_test(tc, rows_go_on_while_the_completion_queue_is_full);
	engine_test(tc, rows_in_one_submission_do_not_touch_each_other);
	engine_test(tc, what_cannot_be_prepared_stops_nothing_else);
	engine_test(tc, a_link_does_not_reach_into_the_next_submission);
	engine_test(tc, links_break_late_as_they_break_early);
	return engine_run(suite);
}

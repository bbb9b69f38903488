/* SPDX-License-Identifier: MIT */
/*
 * Language: a table of traits by opcode, and the checks that follow from them.
 *
 * The checks read the entry and change nothing outside the request, and make no system call: what
 * depends on the state of a file is found out when the entry is attempted.
 */
#include "sqe/language.h"
#include "machine/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* As many as fit into a set of bits. */
#define OPCODES 64

#define SPLICE_FLAGS \
	(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT | SPLICE_F_FD_IN_FIXED)

#define SECOND_NS UINT64_C(1000000000)

#define FLAGS_KNOWN \
	(IOSQE_FIXED_FILE | IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_ASYNC | IOSQE_BUFFER_SELECT)

enum {
	KNOWN = 1,
	BYTES = 2,      /* reads or writes bytes at an offset: fewer than asked for is a failure */
	MESSAGE = 4,    /* sends or receives: fewer is a failure only with MSG_WAITALL */
	SELECTS = 8,    /* may be given a provided buffer */
	VECTOR = 16,    /* addr and len are an array of iovec */
	HEADER = 32,    /* addr is a msghdr */
	PLACE = 64,     /* may put its result into a place of the table of fixed files */
	NO_FIXED = 128, /* no fixed file */
};

static const uint8_t traits[OPCODES] = {
	[IORING_OP_NOP] = KNOWN,
	[IORING_OP_READV] = KNOWN | BYTES | VECTOR,
	[IORING_OP_WRITEV] = KNOWN | BYTES | VECTOR,
	[IORING_OP_FSYNC] = KNOWN,
	[IORING_OP_READ_FIXED] = KNOWN | BYTES,
	[IORING_OP_WRITE_FIXED] = KNOWN | BYTES,
	[IORING_OP_POLL_ADD] = KNOWN,
	[IORING_OP_SENDMSG] = KNOWN | MESSAGE | HEADER,
	[IORING_OP_RECVMSG] = KNOWN | MESSAGE | SELECTS | HEADER,
	[IORING_OP_TIMEOUT] = KNOWN,
	[IORING_OP_ACCEPT] = KNOWN | PLACE,
	[IORING_OP_ASYNC_CANCEL] = KNOWN,
	[IORING_OP_LINK_TIMEOUT] = KNOWN,
	[IORING_OP_CONNECT] = KNOWN,
	[IORING_OP_FALLOCATE] = KNOWN,
	[IORING_OP_OPENAT] = KNOWN | PLACE,
	[IORING_OP_SPLICE] = KNOWN | BYTES,
	[IORING_OP_CLOSE] = KNOWN | NO_FIXED,
	[IORING_OP_STATX] = KNOWN,
	[IORING_OP_READ] = KNOWN | BYTES | SELECTS,
	[IORING_OP_WRITE] = KNOWN | BYTES,
	[IORING_OP_SEND] = KNOWN | MESSAGE,
	[IORING_OP_RECV] = KNOWN | MESSAGE | SELECTS,
	[IORING_OP_SHUTDOWN] = KNOWN,
	[IORING_OP_RENAMEAT] = KNOWN,
	[IORING_OP_UNLINKAT] = KNOWN,
	[IORING_OP_MKDIRAT] = KNOWN,
	[IORING_OP_SYMLINKAT] = KNOWN,
	[IORING_OP_LINKAT] = KNOWN,
	[IORING_OP_SOCKET] = KNOWN | PLACE,
	[SFR__OP_CODE_FTRUNCATE] = KNOWN,
};

static unsigned traits_of(const struct sfr__request *request)
{
	unsigned opcode = request->sqe.opcode;

	return opcode < OPCODES ? traits[opcode] : 0;
}

uint64_t sfr__language_ops(void)
{
	uint64_t ops = 0;
	unsigned i;

	for (i = 0; i < OPCODES; i++)
		if (traits[i])
			ops |= UINT64_C(1) << i;
	return ops;
}

static int time_check(struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	const struct __kernel_timespec *ts = (const void *)(uintptr_t)sqe->addr;

	/* No counting of completions, no clocks but the monotonic one: nobody here asks for them. */
	if (sqe->len != 1 || sqe->off ||
	    sqe->timeout_flags & ~(unsigned)(IORING_TIMEOUT_ABS | IORING_TIMEOUT_ETIME_SUCCESS))
		return -EINVAL;
	if (ts->tv_sec < 0 || ts->tv_nsec < 0)
		return -EINVAL;
	if (__builtin_mul_overflow((uint64_t)ts->tv_sec, SECOND_NS, &request->time_ns) ||
	    __builtin_add_overflow(request->time_ns, (uint64_t)ts->tv_nsec, &request->time_ns))
		request->time_ns = UINT64_MAX;
	return 0;
}

/* Only multishot does a RECVMSG say with its bytes whom they are from. */
static bool is_selecting_header(const struct io_uring_sqe *sqe)
{
	return sqe->opcode == IORING_OP_RECVMSG && sqe->flags & IOSQE_BUFFER_SELECT;
}

static int multishot_check(const struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	switch (sqe->opcode) {
	case IORING_OP_RECV:
	case IORING_OP_RECVMSG:
		if (sqe->ioprio & ~(IORING_RECVSEND_POLL_FIRST | IORING_RECV_MULTISHOT))
			return -EINVAL;
		if (!(sqe->ioprio & IORING_RECV_MULTISHOT))
			return is_selecting_header(sqe) ? -EOPNOTSUPP : 0;
		return sqe->flags & IOSQE_BUFFER_SELECT && !(sqe->msg_flags & MSG_WAITALL)
			       ? 0
			       : -EINVAL;
	case IORING_OP_ACCEPT:
		return sqe->ioprio & ~IORING_ACCEPT_MULTISHOT ? -EINVAL : 0;
	case IORING_OP_SPLICE:
		return sqe->splice_flags & ~SPLICE_FLAGS ? -EINVAL : 0;
	case IORING_OP_POLL_ADD:
		return sqe->len ? -EINVAL : 0; /* neither multishot nor updates */
	default:
		return 0;
	}
}

bool sfr__request_fills_place(const struct sfr__request *request)
{
	return request->sqe.file_index && traits_of(request) & PLACE;
}

void sfr__request_close_on_exec(struct sfr__request *request)
{
	struct io_uring_sqe *sqe = &request->sqe;

	if (sqe->opcode == IORING_OP_OPENAT)
		sqe->open_flags |= O_CLOEXEC;
	else if (sqe->opcode == IORING_OP_ACCEPT)
		sqe->accept_flags |= SOCK_CLOEXEC;
	else
		sqe->off |= SOCK_CLOEXEC; /* of SOCKET: its type */
}

/* One place, and it is named. There is no descriptor whose flag could be set. */
static int place_check(const struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	bool close_on_exec = sqe->opcode == IORING_OP_OPENAT   ? sqe->open_flags & O_CLOEXEC
			     : sqe->opcode == IORING_OP_ACCEPT ? sqe->accept_flags & SOCK_CLOEXEC
							       : sqe->off & SOCK_CLOEXEC;
	bool many = sqe->opcode == IORING_OP_ACCEPT && sqe->ioprio & IORING_ACCEPT_MULTISHOT;

	return close_on_exec || many || sqe->file_index == IORING_FILE_INDEX_ALLOC ? -EINVAL : 0;
}

int sfr__request_check(struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;
	unsigned known = traits_of(request);

	if (!known || sqe->flags & ~FLAGS_KNOWN || sqe->personality)
		return -EINVAL;
	if (sqe->flags & IOSQE_BUFFER_SELECT && !(known & SELECTS))
		return -EOPNOTSUPP;
	if (known & NO_FIXED && sqe->flags & IOSQE_FIXED_FILE)
		return -EBADF;
	if (sqe->opcode == IORING_OP_CLOSE && sqe->file_index && sqe->fd)
		return -EINVAL;
	if (sfr__request_fills_place(request) && place_check(request) < 0)
		return -EINVAL;
	if (sqe->opcode == IORING_OP_TIMEOUT || sqe->opcode == IORING_OP_LINK_TIMEOUT)
		return time_check(request);
	return multishot_check(request);
}

bool sfr__request_is_whole(const struct sfr__request *request)
{
	return traits_of(request) & MESSAGE && request->sqe.msg_flags & MSG_WAITALL &&
	       !(request->sqe.flags & IOSQE_BUFFER_SELECT);
}

uint64_t sfr__request_size(const struct sfr__request *request)
{
	const struct iovec *vectors = (const void *)(uintptr_t)request->sqe.addr;
	uint64_t size = 0, count = request->sqe.len, i;

	if (traits_of(request) & HEADER) {
		const struct msghdr *msg = (const void *)(uintptr_t)request->sqe.addr;

		vectors = msg->msg_iov;
		count = msg->msg_iovlen;
	} else if (!(traits_of(request) & VECTOR)) {
		return request->len;
	}
	for (i = 0; i < count; i++)
		size += vectors[i].iov_len;
	return size;
}

uint32_t sfr__request_front(const struct sfr__request *request)
{
	const struct msghdr *msg = (const void *)(uintptr_t)request->sqe.addr;

	return (uint32_t)(sizeof(struct io_uring_recvmsg_out) + msg->msg_namelen +
			  msg->msg_controllen);
}

bool sfr__request_failed(const struct sfr__request *request, int result)
{
	if (result < 0)
		return !(result == -ETIME && request->sqe.opcode == IORING_OP_TIMEOUT &&
			 request->sqe.timeout_flags & IORING_TIMEOUT_ETIME_SUCCESS);
	if (traits_of(request) & BYTES || sfr__request_is_whole(request))
		return (uint64_t)result < sfr__request_size(request);
	return false;
}

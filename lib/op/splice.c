/* SPDX-License-Identifier: MIT */
/*
 * Splices.
 *
 * A worker of the kernel does each splice. While a splice waits for a socket or a terminal its pipe is locked, and
 * a thread that wants that lock cannot be interrupted. If that is the loop's own thread, because it submits a read
 * of the pipe, or closes it, the loop stands still: no deadline passes, and nothing can be cancelled. While a splice
 * waits for its pipe the kernel releases the lock, and a file makes nobody wait.
 *
 * So whatever is neither pipe nor file is polled first, and then the splice moves no more than is there, or than
 * there is room for. If another operation takes that away in between, the worker can still end up waiting: like
 * receives, splices from one socket, or into one, are to be submitted one after another.
 */
#include "op/splice.h"
#include "machine/kernel.h"
#include "op/build.h"
#include "op/end.h"
#include "op/kind.h"
#include "op/registered.h"
#include "sqe/splice_side.h"
#include <safer_ring/file.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/socket.h>

sfr_op *sfr_splice(sfr_loop *loop, int fd_in, int64_t off_in, int fd_out, int64_t off_out,
		   unsigned len, unsigned flags)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_SPLICE, false);

	if (sfr__op_sound(op))
		io_uring_prep_splice(&op->sqe, fd_in, off_in, fd_out, off_out, len, flags);
	if (sfr__op_sound(op))
		sfr__registered_splice(op);
	if (sfr__op_sound(op) && sfr__loop_owns(loop, fd_in))
		op->result = -EBADF;
	return op;
}

/* How far a splice has come: kept in ioprio of the op's entry, which is 0 in what the kernel gets. */
enum {
	KNOWN = 1,    /* what it waits for */
	ASK_IN = 2,   /* is to be polled yet */
	ASK_OUT = 4,  /* the same */
	INTO_ROOM = 8 /* it was to poll, or has polled, what it moves bytes into */
};

static bool is_name_in(const sfr_op *op)
{
	return op->sqe.splice_flags & SPLICE_F_FD_IN_FIXED;
}

static bool is_name_out(const sfr_op *op)
{
	return sfr__fd_is_name(op->sqe.fd);
}

enum end { PIPE, SOME_FILE, OTHER };

/* What cannot be looked at is nothing to wait for. */
static enum end end_of(const sfr_op *op, int fd)
{
	const struct sfr__system *system = op->loop->engine->system;
	struct stat stat;
	unsigned kind = system->fd_stat(system, fd, &stat) < 0 ? SFR__FD_FILE
							       : sfr__stat_kind(&stat);

	return kind & SFR__FD_FILE ? SOME_FILE : kind & SFR__FD_PIPE ? PIPE : OTHER;
}

/* One of the registered files; of some it is not known what they are. */
static enum end end_of_name(const sfr_op *op, int fd)
{
	return sfr__kind_may_wait(sfr__file_kind(&op->loop->files, fd)) ? OTHER : PIPE;
}

/* What has to be polled of a splice whose descriptors are known, as far as their kinds say. One of them is
 * a pipe, or the kernel refuses it: so with the first mostly both are known. */
static unsigned polls_of(const sfr_op *op)
{
	enum end in, out;

	if (!op->loop->engine->splice_locks || !op->sqe.len)
		return 0;
	in = is_name_in(op) ? end_of_name(op, sfr__registered_splice_in(op))
			    : end_of(op, op->sqe.splice_fd_in);
	if (in == SOME_FILE || (in == OTHER && !is_name_in(op)))
		return in == OTHER ? ASK_IN : 0;
	out = is_name_out(op) ? end_of_name(op, op->sqe.fd) : end_of(op, op->sqe.fd);
	return (in == OTHER ? ASK_IN : 0U) | (out == OTHER ? ASK_OUT : 0U);
}

bool sfr__splice_polls(const sfr_op *op)
{
	bool is_known = !is_name_in(op) && op->sqe.splice_fd_in >= 0 && op->sqe.fd >= 0;

	return op->loop->engine->splice_locks && (!is_known || polls_of(op));
}

static void poll_write(const sfr_op *op, struct io_uring_sqe *sqe, bool in)
{
	const struct io_uring_sqe before = *sqe;
	bool fixed = in ? is_name_in(op) : is_name_out(op);

	*sqe = (struct io_uring_sqe){0};
	io_uring_prep_poll_add(sqe, in ? before.splice_fd_in : before.fd, in ? POLLIN : POLLOUT);
	sqe->user_data = before.user_data;
	sqe->flags = fixed ? IOSQE_FIXED_FILE : 0;
}

/* So many bytes go into what is said to be writable, and does not say so of each: half of a socket's room, as
 * what keeps account of them takes some. */
static uint32_t room_of(const sfr_op *op)
{
	const struct sfr__system *system = op->loop->engine->system;
	uint32_t mem[SK_MEMINFO_VARS] = {0}, used, room;
	socklen_t size = sizeof(mem);

	if (is_name_out(op))
		return PIPE_BUF;
	if (sfr__fd_is_nonblocking(system, op->sqe.fd))
		return UINT32_MAX;
	if (system->option_get(system, op->sqe.fd, SOL_SOCKET, SO_MEMINFO, mem, &size) < 0)
		return PIPE_BUF;
	used = mem[SK_MEMINFO_WMEM_QUEUED] > mem[SK_MEMINFO_WMEM_ALLOC]
		       ? mem[SK_MEMINFO_WMEM_QUEUED]
		       : mem[SK_MEMINFO_WMEM_ALLOC];
	room = mem[SK_MEMINFO_SNDBUF] > used ? (mem[SK_MEMINFO_SNDBUF] - used) / 2 : 0;
	return room > PIPE_BUF ? room : PIPE_BUF;
}

static bool is_ready(const sfr_op *op, int fd, short events)
{
	const struct sfr__system *system = op->loop->engine->system;

	return system->fd_poll(system, fd, events) > 0;
}

/* It would not wait, but end: with what is wrong, or as it was asked not to wait. */
static bool ends_at_once(const sfr_op *op, bool waits_for_in)
{
	const struct sfr__system *system = op->loop->engine->system;
	const struct sfr__side in = sfr__side_of(system, op->sqe.splice_fd_in,
						 op->sqe.splice_off_in);
	const struct sfr__side out = sfr__side_of(system, op->sqe.fd, op->sqe.off);

	if (!sfr__side_may_wait(waits_for_in ? &in : &out))
		return true;
	return !is_name_in(op) && !is_name_out(op) && sfr__sides_are_wrong(&in, &out);
}

/* Mostly a side is ready, which a look finds out faster than a completion; else there is time for another. */
static unsigned state_first(const sfr_op *op)
{
	unsigned polls = op->flags & SFR__OP_IN_ROW ? 0 : polls_of(op); /* else they are known */
	unsigned into = polls & ASK_OUT ? INTO_ROOM : 0;

	if (polls & ASK_IN && !is_name_in(op) &&
	    (is_ready(op, op->sqe.splice_fd_in, POLLIN) || ends_at_once(op, true)))
		polls ^= ASK_IN;
	if (polls & ASK_OUT && !is_name_out(op) &&
	    (is_ready(op, op->sqe.fd, POLLOUT) || ends_at_once(op, false)))
		polls ^= ASK_OUT;
	return KNOWN | polls | into;
}

void sfr__splice_write(sfr_op *op, struct io_uring_sqe *sqe)
{
	if (!op->sqe.ioprio)
		op->sqe.ioprio = (uint16_t)state_first(op);
	sqe->ioprio = 0;
	if (op->sqe.ioprio & (ASK_IN | ASK_OUT)) {
		poll_write(op, sqe, op->sqe.ioprio & ASK_IN);
	} else if (op->sqe.ioprio & INTO_ROOM && sqe->len > PIPE_BUF) {
		uint32_t room = room_of(op);

		sqe->len = sqe->len < room ? sqe->len : room;
	}
}

void sfr__splice_complete(sfr_op *op, int result, unsigned flags)
{
	unsigned state = op->sqe.ioprio, polled = state & ASK_IN ? ASK_IN : state & ASK_OUT;

	(void)flags;
	if (result < 0 || !polled) {
		sfr__op_finish(op, result);
		return;
	}
	op->sqe.ioprio = (uint16_t)(state & ~polled);
	sfr__op_go_on(op, &op->loop->backlog);
}

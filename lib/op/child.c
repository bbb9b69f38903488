/* SPDX-License-Identifier: MIT */
/*
 * Waiting for children.
 *
 * Where the kernel has no opcode for it a pidfd is polled, which is readable once its process has ended,
 * and then the child can be waited for without waiting. One that is traced is its tracer's first; until that
 * one has waited for it, there is nothing to be had, and it is asked for now and then. No descriptor tells of
 * stopped children, or of any of several: without the opcode those cannot be waited for.
 */
#include "base/log.h"
#include "machine/kernel.h"
#include "op/again.h"
#include "op/build.h"
#include "op/end.h"
#include "op/kind.h"
#include <safer_ring/error.h>
#include <safer_ring/system.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS_OF_CHILD (WEXITED | WSTOPPED | WCONTINUED)

/* As the kernel would, whoever waits. */
static int child_check(int idtype, int options)
{
	bool known = idtype == P_ALL || idtype == P_PID || idtype == P_PGID ||
		     idtype == SFR__P_PIDFD;

	if (!known || !(options & EVENTS_OF_CHILD) || options & ~(EVENTS_OF_CHILD | WNOWAIT))
		return -EINVAL;
	return 0;
}

static int unsupported(const sfr_loop *loop)
{
	sfr__log(loop->settings.log.level, SFR_LOG_WARN,
		 "waitid: the engine %s waits for the end of one child here, and for nothing else; "
		 "for that it takes io_uring on Linux 6.7",
		 loop->engine->calls->name);
	return -SFR_EUNSUPPORTED;
}

static void wait_by_opcode(sfr_op *op, int idtype, unsigned id, int options)
{
	io_uring_prep_rw(SFR__OP_CODE_WAITID, &op->sqe, (int)id, NULL, (unsigned)idtype,
			 (uint64_t)(uintptr_t)sfr__buf_data(op->buf));
	op->sqe.file_index = (uint32_t)options;
}

/* That there is such a child is asked at once: of somebody else's a pidfd would tell as well. */
static int wait_by_poll(sfr_op *op, int idtype, unsigned id, int options)
{
	siginfo_t info;
	int fd = (int)id;

	if ((idtype != P_PID && idtype != SFR__P_PIDFD) || (options & ~WNOWAIT) != WEXITED)
		return unsupported(op->loop);
	if (waitid((idtype_t)idtype, (id_t)id, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	    errno != EAGAIN) /* as of a pidfd that does not block */
		return -errno;
	if (idtype == P_PID) {
		fd = (int)syscall(SYS_pidfd_open, (pid_t)id, 0);
		if (fd < 0)
			return errno == ENOSYS ? unsupported(op->loop) : -errno;
		op->flags |= SFR__OP_HOLDS_FD;
	}
	io_uring_prep_poll_add(&op->sqe, fd, POLLIN);
	op->sqe.user_data = (uint64_t)options; /* the engine's entry has another */
	return 0;
}

sfr_op *sfr_waitid(sfr_loop *loop, int idtype, unsigned id, int options, sfr_buf *buf)
{
	sfr_op *op = sfr__op_new_into(loop, SFR__OP_WAITID, buf, sizeof(siginfo_t));

	if (!sfr__op_sound(op))
		return op;
	op->result = child_check(idtype, options);
	if (op->result < 0)
		return op;
	memset(sfr__buf_data(buf), 0,
	       sizeof(siginfo_t)); /* the kernel fills in what it has to say */
	if (loop->engine->ops >> SFR__OP_CODE_WAITID & 1)
		wait_by_opcode(op, idtype, id, options);
	else
		op->result = wait_by_poll(op, idtype, id, options);
	return op;
}

/* The child has ended, unless it is a debugger's to know first. Abandoned, it is left to others. */
static void child_ended(sfr_op *op)
{
	int options = (int)op->sqe.user_data | WNOHANG;
	siginfo_t info = {0};
	int r = waitid((idtype_t)SFR__P_PIDFD, (id_t)op->sqe.fd, &info, options);

	if (r < 0 && errno != EAGAIN) {
		sfr__op_finish(op, -errno);
	} else if (r < 0 || !info.si_pid) {
		sfr__op_go_on_later(op);
	} else {
		memcpy(sfr__buf_data(op->buf), &info, sizeof(info));
		sfr__op_finish(op, 0);
	}
}

void sfr__waitid_complete(sfr_op *op, int result, unsigned flags)
{
	(void)flags;
	if (op->sqe.opcode == IORING_OP_POLL_ADD && result >= 0 && op->state != SFR__OP_ORPHANED)
		child_ended(op);
	else
		sfr__op_finish(op, result);
}

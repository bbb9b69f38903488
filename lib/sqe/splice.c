/* SPDX-License-Identifier: MIT */
/*
 * Splice: each side is asked whether it is ready before any byte is moved.
 *
 * An attempt moves bytes only when both sides were ready, and with SPLICE_F_NONBLOCK. Where that is
 * not enough to keep the call from waiting, it moves no more than there surely is room for.
 */
#include "sqe/splice.h"
#include "sqe/splice_side.h"
#include "sqe/step.h"
#include <errno.h>
#include <limits.h>

/* What is there is moved as far as there is room. A pipe is asked not to wait; not every kernel asks a
 * socket or terminal the same, which takes so little without. */
static int splice_move(const struct sfr__request *request, const struct sfr__side *in,
		       const struct sfr__side *out)
{
	unsigned flags = request->sqe.splice_flags & ~SPLICE_F_FD_IN_FIXED;
	bool may_wait = sfr__side_may_wait(out);
	size_t size = may_wait && request->len > PIPE_BUF ? PIPE_BUF : request->len;
	loff_t off_in = (loff_t)in->off, off_out = (loff_t)out->off;

	return sfr__result_of(splice(in->fd, in->off == SFR__POSITION ? NULL : &off_in, out->fd,
				     out->off == SFR__POSITION ? NULL : &off_out, size,
				     flags | SPLICE_F_NONBLOCK));
}

/* One side is not ready. Who asked not to wait for it, in one way or for pipes in the other, is told. */
static int splice_wait(struct sfr__request *request, const struct sfr__side *side, unsigned step)
{
	if ((request->sqe.splice_flags & SPLICE_F_NONBLOCK && side->kind & SFR__FD_PIPE) ||
	    side->kind & SFR__FD_NONBLOCKING)
		return -EAGAIN;
	request->step = step;
	return SFR__NOT_YET;
}

int sfr__splice_try(struct sfr__request *request)
{
	struct sfr__side in = sfr__side_of(&sfr__plain_system, request->fd_in,
					   request->sqe.splice_off_in);
	struct sfr__side out = sfr__side_of(&sfr__plain_system, request->fd, request->sqe.off);
	int r;

	if (!request->len || sfr__sides_are_wrong(&in, &out))
		return splice_move(request, &in, &out);
	if (!sfr__ready_for(in.fd, POLLIN))
		return splice_wait(request, &in, SFR__STEP_FILLING);
	if (!sfr__ready_for(out.fd, POLLOUT))
		return splice_wait(request, &out, SFR__STEP_EMPTYING);
	if (!((in.kind | out.kind) & SFR__FD_FILE)) {
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
	struct sfr__side in = sfr__side_of(&sfr__plain_system, request->fd_in,
					   request->sqe.splice_off_in);
	struct sfr__side out = sfr__side_of(&sfr__plain_system, request->fd, request->sqe.off);
	int r = splice_move(request, &in, &out);

	if (r != -EAGAIN || request->sqe.splice_flags & SPLICE_F_NONBLOCK)
		return r;
	request->step = SFR__STEP_LATER;
	return SFR__NOT_YET;
}

/* SPDX-License-Identifier: MIT */
/*
 * Polling: once, and again and again.
 */
#include "op/build.h"
#include "op/end.h"
#include "op/kind.h"

sfr_op *sfr_poll(sfr_loop *loop, int fd, unsigned events)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_POLL, false);

	if (!op)
		return NULL;
	io_uring_prep_poll_add(&op->sqe, fd, events);
	return op;
}

sfr_op *sfr_poll_multi(sfr_loop *loop, int fd, unsigned events)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_POLL_MULTI, false);

	if (!op)
		return NULL;
	io_uring_prep_poll_add(&op->sqe, fd, events);
	return op;
}

/* Not the kernel's multishot: that tells when something is new, and this whenever it is there. */
void sfr__poll_multi_complete(sfr_op *op, int result, unsigned flags)
{
	(void)flags;
	if (result < 0) {
		sfr__op_finish(op, result);
		return;
	}
	sfr__op_go_on(op, &op->loop->backlog);
	sfr__op_deliver(op, result, NULL);
}

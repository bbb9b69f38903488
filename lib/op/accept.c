/* SPDX-License-Identifier: MIT */
/*
 * Accepting: once, and again and again. Where the engine has no multishot accept, an accept is submitted anew for
 * each connection.
 */
#include "machine/kernel.h"
#include "op/build.h"
#include "op/end.h"
#include "op/kind.h"
#include <sys/socket.h>

sfr_op *sfr_accept(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_ACCEPT, false);

	if (!op)
		return NULL;
	io_uring_prep_accept(&op->sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	return op;
}

sfr_op *sfr_accept_multi(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_ACCEPT_MULTI, false);

	if (!op)
		return NULL;
	if (sfr__has(loop->engine->features, SFR__FEATURE_ACCEPT_MULTI))
		io_uring_prep_multishot_accept(&op->sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	else
		io_uring_prep_accept(&op->sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	return op;
}

void sfr__accept_multi_complete(sfr_op *op, int result, unsigned flags)
{
	bool more = flags & IORING_CQE_F_MORE;

	if (result < 0 && !more) {
		sfr__op_finish(op, result);
		return;
	}
	if (more)
		sfr__op_step(op, SFR__EV_CQE_MORE);
	else
		sfr__op_go_on(op, &op->loop->backlog);
	sfr__op_deliver(op, result, NULL);
}

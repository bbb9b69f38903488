/* SPDX-License-Identifier: MIT */
/*
 * Modifiers: what can be said of an op between building and submitting it.
 */
#include "op/inherit.h"
#include "op/kind.h"
#include "op/start.h"
#include <errno.h>
#include <sys/socket.h>

sfr_op *sfr_within(sfr_op *op, uint64_t ns)
{
	if (!op || sfr__op_check(op) < 0)
		return op;
	if (sfr__deadline_set(&op->loop->deadlines, op, ns))
		op->flags |= SFR__OP_TIMED;
	else if (op->result == 0 || sfr__op_is_hollow(op))
		op->result = -ENOMEM;
	return op;
}

sfr_op *sfr_all(sfr_op *op)
{
	if (!op || sfr__op_check(op) < 0)
		return op;
	if (op->result < 0 && !sfr__op_is_hollow(op))
		return op;
	if (sfr__op_is(op, SFR__KIND_ENDS)) /* nothing of it can be left over */
		return op;
	if (!sfr__op_is(op, SFR__KIND_LENGTH)) {
		op->result = -EINVAL;
		return op;
	}
	if (sfr__op_is(op, SFR__KIND_MESSAGE))
		op->sqe.msg_flags |= MSG_WAITALL; /* the engine goes on by itself, mostly */
	op->flags |= SFR__OP_WHOLE;
	return op;
}

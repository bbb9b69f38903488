/* SPDX-License-Identifier: MIT */
/*
 * Messages between loops: a value in the target's mailbox.
 *
 * The sender's op is done as soon as the value is left there: its result says that there was
 * somebody to send to, not that the handler has run.
 */
#include "op/msg.h"
#include "base/log.h"
#include "op/build.h"
#include "op/end.h"
#include "op/kind.h"
#include <safer_ring/system.h>
#include <errno.h>

/* Other loops ask whether there is a handler; only the loop's own thread reads what it is called with. */
void sfr_loop_on_msg(sfr_loop *loop, sfr_msg_fn *fn, void *arg)
{
	if (sfr__loop_check(loop, "a handler of messages was set") < 0)
		return;
	loop->on_msg_arg = arg;
	atomic_store(&loop->on_msg, fn);
}

sfr_op *sfr_msg(sfr_loop *loop, sfr_loop *target, uint64_t value)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_MSG, false);

	if (!op)
		return NULL;
	op->sqe.addr = (uint64_t)(uintptr_t)target;
	op->sqe.off = value;
	if (!target)
		op->result = -EFAULT;
	return op;
}

/* In a child of fork a loop of the parent's is a copy that nobody turns. */
static int value_send(sfr_loop *target, uint64_t value)
{
	if (sfr__pool_is_forked(target->pool))
		return sfr__pool_foreign(target->pool, "a message was sent");
	return atomic_load(&target->on_msg) ? sfr__mailbox_send(&target->mailbox, value)
					    : -ENOTCONN;
}

/* The value is on its way before this returns, so those of one sender stay in order. */
void sfr__msg_start(sfr_op *op)
{
	int r = value_send((sfr_loop *)(uintptr_t)op->sqe.addr, op->sqe.off);

	sfr__op_step(op, SFR__EV_TAKEN);
	sfr__op_finish_later(op, SFR__EV_CQE_LAST, r);
}

void sfr__msg_arrived(sfr_loop *loop, uint64_t value)
{
	sfr_msg_fn *fn = atomic_load(&loop->on_msg);

	if (!fn) {
		sfr__log(loop->settings.log.level, SFR_LOG_WARN,
			 "a message was dropped: its handler was removed before it arrived");
		return;
	}
	loop->called++;
	fn(loop, value, loop->on_msg_arg);
}

/* SPDX-License-Identifier: MIT */
/*
 * Raw ops: what of a caller's entry is refused, and the completions of what the library does not
 * understand.
 *
 * Flags that would reach beyond the one entry are refused before it is submitted. All others are
 * the caller's business.
 */
#include "base/log.h"
#include "op/build.h"
#include "op/end.h"
#include "op/kind.h"
#include <safer_ring/error.h>
#include <safer_ring/system.h>
#include <errno.h>

/* What would reach past the one entry, or keep its completion or its buffer from the loop. */
#define FLAGS_REFUSED                                                               \
	(IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_IO_DRAIN | IOSQE_BUFFER_SELECT | \
	 IOSQE_CQE_SKIP_SUCCESS)

/* As many opcodes as fit into an engine's set of them; from there on it cannot be asked. */
#define OPCODES 64

static bool engine_knows(const struct sfr__engine *engine, unsigned opcode)
{
	return opcode < OPCODES && engine->ops >> opcode & 1;
}

static int sqe_check(const sfr_loop *loop, const struct io_uring_sqe *sqe)
{
	if (!sqe)
		return -EFAULT;
	if (sqe->flags & FLAGS_REFUSED)
		return -EINVAL;
	if (engine_knows(loop->engine, sqe->opcode))
		return 0;
	sfr__log(loop->settings.log.level, SFR_LOG_WARN, "raw: the engine %s has no opcode %u here",
		 loop->engine->calls->name, sqe->opcode);
	return -SFR_EUNSUPPORTED;
}

sfr_op *sfr_raw(sfr_loop *loop, const struct io_uring_sqe *sqe, sfr_buf *buf)
{
	sfr_op *op = buf ? sfr__op_new_with(loop, SFR__OP_RAW, buf)
			 : sfr__op_new(loop, SFR__OP_RAW, false);

	if (!sfr__op_sound(op))
		return op;
	op->result = buf && buf->next ? -EINVAL : sqe_check(loop, sqe);
	if (op->result == 0)
		op->sqe = *sqe;
	return op;
}

/* Whether it is multishot the library does not know. One that was asked to end and goes on was between
 * two completions when the request looked for it, and is asked again. */
void sfr__raw_complete(sfr_op *op, int result, unsigned flags)
{
	if (!(flags & IORING_CQE_F_MORE)) {
		sfr__op_finish(op, result);
		return;
	}
	sfr__op_step(op, SFR__EV_CQE_MORE);
	if (op->state != SFR__OP_IN_FLIGHT && sfr__list_empty(&op->hook))
		sfr__list_append(&op->loop->cancels, &op->hook);
	sfr__op_deliver(op, result, NULL);
}

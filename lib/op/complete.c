/* SPDX-License-Identifier: MIT */
/*
 * Completing: what a completion means for its op, and which ops go on after one.
 */
#include "op/complete.h"
#include "machine/kernel.h"
#include "op/again.h"
#include "op/chain.h"
#include "op/child.h"
#include "op/datagram.h"
#include "op/end.h"
#include "op/gathered.h"
#include "op/normal.h"
#include "op/raw.h"
#include "op/receive.h"
#include "op/send_zc.h"
#include "op/splice.h"
#include <safer_ring/error.h>
#include <errno.h>

static void accept_multi_complete(sfr_op *op, int result, bool more)
{
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

/* A part is done. True if others are left, and the entry is ready to go on with them. */
static bool whole_advance(sfr_op *op, uint32_t count)
{
	if (op->sqe.off != SFR__POSITION &&
	    !sfr__op_is(op, SFR__KIND_MESSAGE)) /* else at the file's position */
		op->sqe.off += count;
	if (sfr__unlikely(op->flags & SFR__OP_GATHERED))
		return sfr__op_gather_advance(op, count);
	op->sqe.addr += count;
	op->sqe.len -= count;
	return op->sqe.len > 0;
}

/* Not the kernel's multishot: that tells when something is new, and this whenever it is there. */
static void poll_multi_complete(sfr_op *op, int result)
{
	if (result < 0) {
		sfr__op_finish(op, result);
		return;
	}
	sfr__op_go_on(op, &op->loop->backlog);
	sfr__op_deliver(op, result, NULL);
}

/* A part that ends it all leaves it to op_outcome() to say how far it came. */
static void whole_complete(sfr_op *op, int result)
{
	if (result <= 0) {
		sfr__op_finish(op, result);
		return;
	}
	sfr__op_came(op);
	if (whole_advance(op, (uint32_t)result) && op->state == SFR__OP_IN_FLIGHT)
		sfr__op_go_on(op, &op->loop->backlog);
	else
		sfr__op_finish(op, 0);
}

/* A completion of a kind with steps. True if it is the end of the op, or of one part, and not dealt with. */
static bool is_end(sfr_op *op, int *result, unsigned flags)
{
	switch (op->kind) {
	case SFR__OP_RECV_MULTI:
	case SFR__OP_READ_MULTI:
	case SFR__OP_RECVFROM_MULTI:
		sfr__receive_complete(op, *result, flags);
		return false;
	case SFR__OP_ACCEPT_MULTI:
		accept_multi_complete(op, *result, flags & IORING_CQE_F_MORE);
		return false;
	case SFR__OP_RECVFROM:
		sfr__recvfrom_complete(op, *result);
		return false;
	case SFR__OP_POLL_MULTI:
		poll_multi_complete(op, *result);
		return false;
	case SFR__OP_RAW:
		sfr__raw_complete(op, *result, flags & IORING_CQE_F_MORE);
		return false;
	case SFR__OP_WAITID:
		sfr__child_complete(op, *result);
		return false;
	case SFR__OP_SPLICE:
		sfr__splice_complete(op, *result);
		return false;
	case SFR__OP_SEND_ZC:
		return sfr__send_zc_is_done(op, result, flags);
	default:
		return true;
	}
}

void sfr__op_complete(sfr_op *op, int result, unsigned flags)
{
	if (sfr__unlikely(result < 0)) {
		if (sfr__chain_broke(op, &result))
			return;
		result = sfr__result_normal(op, result);
		if (result == -EAGAIN && sfr__op_waits(op)) {
			sfr__op_try_again(op);
			return;
		}
	}
	if (sfr__unlikely(op->sqe.off == SFR__POSITION) && result > 0)
		sfr__position_mend(op, result);
	if (sfr__op_is(op, SFR__KIND_STEPS) && !is_end(op, &result, flags))
		return;
	if (sfr__unlikely(op->flags & SFR__OP_WHOLE))
		whole_complete(op, result);
	else
		sfr__op_finish(op, result);
}

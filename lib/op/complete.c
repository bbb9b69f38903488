/* SPDX-License-Identifier: MIT */
/*
 * Completing: what a completion means for its op, and which ops go on after one.
 */
#include "op/complete.h"
#include "machine/kernel.h"
#include "op/again.h"
#include "op/end.h"
#include "op/gathered.h"
#include "op/kind.h"
#include "op/normal.h"
#include "op/row.h"
#include <safer_ring/error.h>
#include <errno.h>

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

void sfr__op_part_done(sfr_op *op, int result)
{
	if (sfr__unlikely(op->flags & SFR__OP_WHOLE))
		whole_complete(op, result);
	else
		sfr__op_finish(op, result);
}

void sfr__op_complete(sfr_op *op, int result, unsigned flags)
{
	if (sfr__unlikely(result < 0)) {
		if (sfr__row_broke(op, &result))
			return;
		result = sfr__result_normal(op, result);
		if (result == -EAGAIN && sfr__op_waits(op)) {
			sfr__op_try_again(op);
			return;
		}
	}
	if (sfr__unlikely(op->sqe.off == SFR__POSITION) && result > 0 && op->kind != SFR__OP_RAW)
		sfr__position_mend(op, result);
	if (sfr__op_is(op, SFR__KIND_STEPS))
		sfr__kinds[op->kind].complete(op, result, flags);
	else
		sfr__op_part_done(op, result);
}

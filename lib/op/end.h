/* SPDX-License-Identifier: MIT */
/*
 * The end of an op, and each call before it.
 */
#ifndef SFR_LIB_OP_END_H
#define SFR_LIB_OP_END_H

#include "loop/loop.h"

/* One call of a multishot op; its end; and its end, of which it is told later in this turn. */
void sfr__op_deliver(sfr_op *op, int result, sfr_buf *buf);
void sfr__op_finish(sfr_op *op, int result);
void sfr__op_finish_later(sfr_op *op, enum sfr__op_event event, int result);

/* The engine is done with an op that goes on: put it on a list to be armed again, or let it end if it was
 * asked to. */
void sfr__op_go_on(sfr_op *op, struct sfr__hook *queue);

/* A held op (op/row.h) will not start: it is called back at once, so only in a turn. */
void sfr__op_fail(sfr_op *op, int result);

/* Call back what is DONE by now. */
void sfr__ops_call_ready(sfr_loop *loop);

/* Forget an op that was never submitted; what it carried is the caller's again. */
sfr_buf *sfr__op_unbuild(sfr_op *op);

/* Discard what was built and neither submitted nor discarded: it would keep its buffers for ever. */
void sfr__ops_forget_built(sfr_loop *loop);

#endif

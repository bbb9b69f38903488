/* SPDX-License-Identifier: MIT */
/*
 * Cancelling and letting go.
 */
#ifndef SFR_LIB_OP_CANCEL_H
#define SFR_LIB_OP_CANCEL_H

#include "loop/loop.h"

/* Ask an op that is submitted to end. */
void sfr__op_cancel(sfr_op *op);

/* The same for the op of a ticket; nothing if it is gone. */
void sfr__ticket_cancel(sfr_loop *loop, sfr_ticket ticket);

/* Nobody wants to know any more: no callback, and what the op wins is reclaimed. */
void sfr__op_abandon(sfr_op *op);

/* Cancel every op there is, but those that close and shut down. */
void sfr__ops_cancel_all(sfr_loop *loop);

/* The answer to a request to cancel an op. */
void sfr__op_cancel_answered(sfr_op *op, int result);

#endif

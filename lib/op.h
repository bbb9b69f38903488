/*
 * Ops: their way from submission to callback.
 */
#ifndef SFR_LIB_OP_H
#define SFR_LIB_OP_H

#include "loop.h"

/* Submit, without asking whether the loop drains: for what ends soon and must happen. */
sfr_ticket sfr__op_submit(sfr_op *op, sfr_done *done, void *arg);

/* An op that sends a chain of buffers from a send queue, at most SFR__GATHER_MAX of them; its callback
 * gets the chain as it is. NULL without memory. */
sfr_op *sfr__op_send_chain(sfr_loop *loop, int fd, sfr_buf *chain);

/* Have a multishot receive poll first, and receive into a buffer of the slab when there is something:
 * for engines without rings of provided buffers. */
void sfr__op_poll_to_receive(sfr_op *op, int fd);

/* Whether it is the caller's to submit or discard; if not, that is misuse, and reported. */
bool sfr__op_is_building(const sfr_op *op);

/* Forget an op that was never submitted; what it carried is the caller's again. */
sfr_buf *sfr__op_unbuild(sfr_op *op);

/* Whether it calls back more than once. */
bool sfr__op_is_multishot(const sfr_op *op);

/* Ask an op that is submitted to end. */
void sfr__op_cancel(sfr_op *op);

/* Nobody wants to know any more: no callback, and what the op wins is reclaimed. */
void sfr__op_abandon(sfr_op *op);

/* Cancel every op there is, but those that close and shut down. */
void sfr__ops_cancel_all(sfr_loop *loop);

/* A completion for an op; and the answer to a request to cancel it. */
void sfr__op_complete(sfr_op *op, int result, unsigned flags);
void sfr__op_cancel_answered(sfr_op *op, int result);

/* Write what waits to the engine's queue. True if something still waits that the engine can make room
 * for: then the loop must not sleep. */
bool sfr__ops_flush(sfr_loop *loop);

/* Call back what is DONE by now. */
void sfr__ops_call_ready(sfr_loop *loop);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Multishot receives.
 */
#ifndef SFR_LIB_OP_RECEIVE_H
#define SFR_LIB_OP_RECEIVE_H

#include "loop/loop.h"

/* As sfr_recv_multi(), of a descriptor that is known to be a stream's. */
sfr_op *sfr__op_recv_stream(sfr_loop *loop, int fd);

/* Arrivals that were kept for want of memory: they are delivered now, as far as there is some. While the loop drains
 * they are lost, or it would wait for memory. */
void sfr__receives_recall(sfr_loop *loop);

/* Whether some wait for a ring to have room. */
static inline bool sfr__receives_wait(const struct sfr__recv_ring *recv)
{
	return !sfr__list_empty(&recv->parked) || !sfr__list_empty(&recv->served);
}

/* Those that found nothing in this ring, and would find some in the other one, wait for that instead. */
void sfr__receives_make_do(sfr_loop *loop, enum sfr__recv_group group);

/* The sqe.ioprio of one that is armed while receives are rationed. */
uint16_t sfr__receive_ration(const sfr_op *op);

/* Those that polled and found no block of the slab: as many go on as there are blocks now. */
void sfr__receives_feed(sfr_loop *loop);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Multishot receives.
 */
#ifndef SFR_LIB_OP_RECEIVE_H
#define SFR_LIB_OP_RECEIVE_H

#include "loop/loop.h"

/* Whether some wait for the ring to have buffers. */
static inline bool sfr__receives_wait(const sfr_loop *loop)
{
	return !sfr__list_empty(&loop->parked) || !sfr__list_empty(&loop->served);
}

/* The sqe.ioprio of one that is armed while receives are rationed. */
uint16_t sfr__receive_ration(const sfr_op *op);

/* Those that polled and found no block of the slab: as many go on as there are blocks now. */
void sfr__receives_feed(sfr_loop *loop);

#endif

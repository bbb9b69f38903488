/* SPDX-License-Identifier: MIT */
/*
 * Errands: ops that a worker of the loop does, because they are blocking functions of the caller's, or
 * because the kernel here has no opcode for them.
 */
#ifndef SFR_LIB_OP_ERRAND_H
#define SFR_LIB_OP_ERRAND_H

#include "loop/loop.h"

/* Have it done, from state QUEUED on. 0 or -errno. */
int sfr__errand_start(sfr_op *op);

/* Take it back. False if it has begun: then it ends by itself. */
bool sfr__errand_stop(sfr_op *op);

/* Complete those that are done. */
void sfr__errands_collect(sfr_loop *loop);

/* Before there is any, and when there is none. */
void sfr__errands_init(sfr_loop *loop);
void sfr__errands_fini(sfr_loop *loop);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * An op is written to the engine's queue.
 */
#ifndef SFR_LIB_OP_WRITE_H
#define SFR_LIB_OP_WRITE_H

#include "loop/loop.h"

/* Write its entry to the engine's queue. NULL if there is no room. */
struct io_uring_sqe *sfr__op_write(sfr_op *op);

#endif

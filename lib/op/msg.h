/* SPDX-License-Identifier: MIT */
/*
 * Values from loop to loop: by way of the target's mailbox, on every engine. MSG_RING would be a second
 * way, which a target on another engine, or on an older kernel, does not have.
 */
#ifndef SFR_LIB_OP_MSG_H
#define SFR_LIB_OP_MSG_H

#include "loop/loop.h"

/* A value is there: call who takes it. */
void sfr__msg_arrived(sfr_loop *loop, uint64_t value);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The flush, once a turn.
 */
#ifndef SFR_LIB_OP_FLUSH_H
#define SFR_LIB_OP_FLUSH_H

#include "loop/loop.h"

/* Write what waits to the engine's queue. True if something still waits that the engine can make room
 * for: then the loop must not sleep. */
bool sfr__ops_flush(sfr_loop *loop);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Ops that wait for a signal. Such an op has no SQE: from its submission to its end it is in flight, and
 * on its loop's list.
 */
#ifndef SFR_LIB_OP_ON_SIGNAL_H
#define SFR_LIB_OP_ON_SIGNAL_H

#include "loop/loop.h"

/* Call back those whose signal has arrived. */
void sfr__signals_tell(sfr_loop *loop);

#endif

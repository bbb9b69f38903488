/* SPDX-License-Identifier: MIT */
/*
 * Sending without a copy.
 */
#ifndef SFR_LIB_OP_SEND_ZC_H
#define SFR_LIB_OP_SEND_ZC_H

#include "loop/op_slot.h"

/* A completion for such a send. True if it was the last of one part, and *result is what that came to. */
bool sfr__send_zc_is_done(sfr_op *op, int *result, unsigned flags);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The lines of ops, for sfr_loop_dump().
 */
#ifndef SFR_LIB_OP_DUMP_H
#define SFR_LIB_OP_DUMP_H

#include "loop/dump.h"

/* A line for each op that is not free. */
void sfr__ops_dump(struct sfr__dump *dump);

#endif

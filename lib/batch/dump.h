/* SPDX-License-Identifier: MIT */
/*
 * The lines of batches, for sfr_loop_dump().
 */
#ifndef SFR_LIB_BATCH_DUMP_H
#define SFR_LIB_BATCH_DUMP_H

#include "loop/dump.h"

/* A line for each batch of the loop, and one for each op of a batch that runs, until that op has ended. */
void sfr__batches_dump(struct sfr__dump *dump);

#endif

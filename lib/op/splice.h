/* SPDX-License-Identifier: MIT */
/*
 * For the rest of the ops: the splice.
 */
#ifndef SFR_LIB_OP_SPLICE_H
#define SFR_LIB_OP_SPLICE_H

#include "loop/op_cell.h"

/* Its entry, as far as it was copied: make it a poll, if that is due. */
void sfr__splice_write(sfr_op *op, struct io_uring_sqe *sqe);

/* Whether it is more than one entry, or that is not known yet: what is in a place of the registered files may be
 * another when it starts. */
bool sfr__splice_polls(const sfr_op *op);

#endif

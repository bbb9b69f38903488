/*
 * Fixed: the slab registered with the engine, so that reads and writes need not look up its pages.
 *
 * Tried when the first read or write is built: servers that only receive and send never pay for it.
 * Registered memory is locked, and so are the rings of all loops of a user: more than half of what may
 * be locked is left to them.
 */
#ifndef SFR_LIB_FIXED_H
#define SFR_LIB_FIXED_H

#include "loop.h"

/* Make an SQE that reads or writes a given buffer one of the fixed kind, if that is possible. */
void sfr__fixed_apply(sfr_loop *loop, struct io_uring_sqe *sqe, const sfr_buf *buf);

#endif

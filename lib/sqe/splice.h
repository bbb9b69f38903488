/* SPDX-License-Identifier: MIT */
/*
 * Splice: bytes from one descriptor to another, each of which may have to be waited for.
 *
 * What the system refuses it refuses before it waits. Files may wait for their disk, so a worker moves their
 * bytes, and does not wait for the pipe.
 */
#ifndef SFR_LIB_SQE_SPLICE_H
#define SFR_LIB_SQE_SPLICE_H

#include "sqe/request.h"

/* As sfr__syscall_try() and sfr__syscall_do(). */
int sfr__splice_try(struct sfr__request *request);
int sfr__splice_do(struct sfr__request *request);

#endif

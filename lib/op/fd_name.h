/* SPDX-License-Identifier: MIT */
/*
 * Names of descriptors, and how a descriptor is written for people.
 *
 * An op carries an int that is a descriptor, the name of a registered file (loop/files.h), or the name of a
 * descriptor that an op of the same batch will win. Those are below every descriptor, and above the names of
 * registered files. A name says of which batch it is, so that one of another is told apart.
 */
#ifndef SFR_LIB_OP_FD_NAME_H
#define SFR_LIB_OP_FD_NAME_H

#include "loop/files.h"
#include "loop/op_cell.h"

enum { SFR__FD_INDEX_BITS = 15, SFR__FD_SERIAL_BITS = 15 };

#define SFR__BATCH_FDS_FIRST (INT_MIN + SFR__FILES_MAX)
#define SFR__BATCH_FDS_END \
	(SFR__BATCH_FDS_FIRST + (1 << (SFR__FD_INDEX_BITS + SFR__FD_SERIAL_BITS)))

static inline bool sfr__fd_is_of_batch(int fd)
{
	return fd >= SFR__BATCH_FDS_FIRST && fd < SFR__BATCH_FDS_END;
}

/* The name of the first op's descriptor; those of the others follow. */
static inline int sfr__batch_fd_first(unsigned serial)
{
	return SFR__BATCH_FDS_FIRST +
	       (int)((serial & ((1U << SFR__FD_SERIAL_BITS) - 1)) << SFR__FD_INDEX_BITS);
}

/* Room for what is written. */
#define SFR__FD_TEXT 40

/* "fd 7", "registered file 2", "descriptor of batch op 1", "the working directory". Returns out. */
const char *sfr__fd_print(int fd, char out[SFR__FD_TEXT]);

/* The same of what an op is on. NULL if that is nothing, or its arguments were wrong, so that it has no entry. */
const char *sfr__op_fd_print(const sfr_op *op, char out[SFR__FD_TEXT]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Position: the place in a file where a read or write without an offset begins.
 *
 * io_uring does not always move it by what its result says. A transfer that is cut short by an error (the disk
 * is full, RLIMIT_FSIZE, a bad sector, a bad address) reports what was done and leaves the position where it
 * was, so what is written next goes over it; and a read or write of an O_DIRECT file that completes later
 * never moves it. At the end of a file and before Linux 6.0 it does move. The result alone does not tell.
 *
 * So the position is noted when the entry is written. Where the result gives reason to doubt and the position
 * is still the same, it is moved. That costs a system call for each read or write at the position of a file,
 * and none for pipes, sockets and terminals, which have no position: which numbers are theirs is remembered.
 * Such a number may be closed behind our back and be a file's by then. Then nothing was noted, as it is not for
 * what is started by the kernel behind another op; what is known then is that a short write does not move it.
 */
#ifndef SFR_LIB_POSITION_H
#define SFR_LIB_POSITION_H

#include "array.h"
#include <safer_ring/op.h>

struct io_uring_sqe;

struct sfr__positions {
	struct sfr__array kinds; /* a byte by descriptor: whether it has a position, if known */
	struct sfr__array kept;  /* an int by slot: a descriptor of its file, plus 1; 0: none */
};

void sfr__positions_init(struct sfr__positions *positions);
void sfr__positions_fini(struct sfr__positions *positions);

/* An op without offset is being written to the engine's queue, as this entry. */
void sfr__position_note(sfr_op *op, struct io_uring_sqe *sqe);

/* And so much of it is done. */
void sfr__position_mend(const sfr_op *op, int result);

/* A descriptor is about to be closed: the next of that number is another. */
void sfr__position_forget(sfr_loop *loop, int fd);

/* These files were registered: they are kept at hand if they have positions. And a slot has lost its file; and
 * so have all. */
void sfr__positions_keep(sfr_loop *loop, const int *fds, unsigned count);
void sfr__position_slot_emptied(sfr_loop *loop, unsigned slot);
void sfr__positions_drop(struct sfr__positions *positions);

#endif

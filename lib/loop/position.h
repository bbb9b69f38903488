/* SPDX-License-Identifier: MIT */
/*
 * Position: the place in a file where a read or write without an offset begins.
 *
 * io_uring does not always move the position by what its result says. When an error cuts a transfer short (the disk
 * is full, RLIMIT_FSIZE, a bad sector, a bad address), the result is what was done, but the position stays, so the
 * next write overwrites what was just written. A read or write of an O_DIRECT file that completes later never moves
 * the position. At the end of a file, and before Linux 6.0, the position does move. The result alone does not tell.
 *
 * So the position is noted when the entry is written. If the result may be one of these cases and the position is
 * still the same, it is moved. That costs a system call for each read or write at the position of a file, and none
 * for pipes, sockets and terminals, which have no position: the loop remembers which descriptors are such. The
 * program may have closed such a descriptor without the loop, and its number may be a file's now; then nothing was
 * noted. Nor is it for a write that the kernel starts behind another op. In both cases a short write is taken for
 * one that did not move the position.
 */
#ifndef SFR_LIB_LOOP_POSITION_H
#define SFR_LIB_LOOP_POSITION_H

#include "base/array.h"
#include <safer_ring/op.h>

struct io_uring_sqe;

struct sfr__positions {
	/* a byte by descriptor: whether it has a position, if known; or whose it is */
	struct sfr__array kinds;
	struct sfr__array kept; /* an int by place: a descriptor of its file, plus 1; 0: none */
};

void sfr__positions_init(struct sfr__positions *positions);
void sfr__positions_fini(struct sfr__positions *positions); /* after sfr__positions_drop() */

/* An op of ours without offset is being written to the engine's queue as this entry: note the position of its file. */
void sfr__position_note(sfr_op *op, struct io_uring_sqe *sqe);

/* The op ended with this result: move the position, if the engine did not. */
void sfr__position_mend(const sfr_op *op, int result);

/* A descriptor is about to be closed: forget what is known of its number. */
void sfr__position_forget(sfr_loop *loop, int fd);

/* These files were registered: keep a copy of each descriptor whose file has a position. Then: one place has lost its
 * file; all places have. */
void sfr__positions_keep(sfr_loop *loop, const int *fds, unsigned count);
void sfr__position_place_emptied(sfr_loop *loop, unsigned place);
void sfr__positions_drop(sfr_loop *loop);

/* Whether a descriptor is the loop's own copy of one that was registered. And a bit for each that is, by its
 * number modulo 64. */
bool sfr__position_is_kept(const struct sfr__positions *positions, int fd);
uint64_t sfr__positions_kept(const struct sfr__positions *positions);

#endif

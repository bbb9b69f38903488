/* SPDX-License-Identifier: MIT */
/*
 * Ring: an io_uring, and the memory that it shares with the program.
 *
 * liburing's structure for it is not used: what its fields hold differs from one release to the next, and
 * a program built with one release runs with another. Of liburing there are its system calls, and the
 * helpers of its headers that fill in an entry.
 */
#ifndef SFR_LIB_MACHINE_RING_H
#define SFR_LIB_MACHINE_RING_H

#include <liburing.h>

struct sfr__ring {
	int fd;
	unsigned flags; /* IORING_SETUP_... of them */

	/* Submission: the entry at position p is sqes[p & (sq_entries - 1)]. */
	struct io_uring_sqe *sqes;
	unsigned sq_entries;
	unsigned *sq_head, *sq_tail, *sq_flags;

	/* Completion. */
	struct io_uring_cqe *cqes;
	unsigned cq_entries;
	unsigned *cq_head, *cq_tail;

	void *mapped; /* all of this but the sqes */
	size_t mapped_size;
};

/*
 * Make one. The parameters say what is asked for, and then what was granted. 0 or -errno: -EINVAL also where
 * the kernel is older than Linux 5.11.
 */
int sfr__ring_open(struct sfr__ring *ring, unsigned entries, struct io_uring_params *params);
void sfr__ring_close(struct sfr__ring *ring);

#endif

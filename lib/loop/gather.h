/* SPDX-License-Identifier: MIT */
/*
 * Gather: the message header and vectors of one send or write of a chain.
 *
 * The kernel may read them until the operation completes, so they live beside the op, not on a stack.
 * Spare ones are kept: a steady state allocates none.
 */
#ifndef SFR_LIB_LOOP_GATHER_H
#define SFR_LIB_LOOP_GATHER_H

#include <safer_ring/buffer.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SFR__GATHER_USUAL 64 /* parts; what spare ones have room for */
#define SFR__GATHER_MAX 1024 /* that one system call takes */

struct sfr__gather {
	struct msghdr msg;
	struct sfr__gather *next;
	uint64_t done;                /* bytes of the chain that earlier system calls took */
	uint32_t capacity;            /* of vectors */
	struct sockaddr_storage name; /* of whom it is sent to */
	struct iovec vectors[];
};

/* One for that many parts, or as many as one system call takes: a spare one, else from the heap; NULL
 * without memory. *allocs counts the latter. */
struct sfr__gather *sfr__gather_take(struct sfr__gather **spare, size_t parts, uint64_t *allocs);
void sfr__gather_give(struct sfr__gather **spare, struct sfr__gather *gather);
void sfr__gather_free_all(struct sfr__gather **spare);

/* Point it at a chain of given buffers, from byte `done` on, as far as it has room. */
void sfr__gather_fill(struct sfr__gather *gather, const sfr_buf *chain);

#endif

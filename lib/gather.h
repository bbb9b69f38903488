/*
 * Gather: the message header and vectors of one gathered send.
 *
 * The kernel may read them until the send completes, so they live beside the op, not on a stack. Spare
 * ones are kept: a steady state allocates none.
 */
#ifndef SFR_LIB_GATHER_H
#define SFR_LIB_GATHER_H

#include <safer_ring/buffer.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SFR__GATHER_MAX 64

struct sfr__gather {
	struct msghdr msg;
	struct iovec vectors[SFR__GATHER_MAX];
	struct sfr__gather *next;
};

/* One from the spare ones, else from the heap; NULL without memory. *allocs counts the latter. */
struct sfr__gather *sfr__gather_take(struct sfr__gather **spare, uint64_t *allocs);
void sfr__gather_give(struct sfr__gather **spare, struct sfr__gather *gather);
void sfr__gather_free_all(struct sfr__gather **spare);

/* Point it at a chain of given buffers, as many as fit. */
void sfr__gather_fill(struct sfr__gather *gather, const sfr_buf *chain);

#endif

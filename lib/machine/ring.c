/* SPDX-License-Identifier: MIT */
/*
 * Ring: the system call, two mappings, and the pointers into them that the kernel's offsets give.
 *
 * An array of indexes that older kernels read is filled once with 0, 1, 2 and so on: entries are
 * taken in the order in which they lie.
 */
#include "machine/ring.h"
#include "machine/kernel.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static void *ring_map(int fd, size_t size, off_t what)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
			    what);

	return memory == MAP_FAILED ? NULL : memory;
}

static size_t sqes_size(const struct sfr__ring *ring)
{
	return ring->sq_entries * sizeof(struct io_uring_sqe);
}

/* Both queues are in one piece, in either order. */
static size_t rings_size(const struct io_uring_params *params)
{
	size_t sq = params->sq_off.array + params->sq_entries * sizeof(unsigned);
	size_t cq = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);

	return sq > cq ? sq : cq;
}

/* Where the kernel has an array of the order in which entries are taken: they are taken as they come. */
static void order_fill(unsigned *array, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		array[i] = i;
}

static void ring_attach(struct sfr__ring *ring, const struct io_uring_params *params)
{
	unsigned char *at = ring->mapped;

	ring->flags = params->flags;
	ring->sq_head = (void *)(at + params->sq_off.head);
	ring->sq_tail = (void *)(at + params->sq_off.tail);
	ring->sq_flags = (void *)(at + params->sq_off.flags);
	ring->cqes = (void *)(at + params->cq_off.cqes);
	ring->cq_entries = params->cq_entries;
	ring->cq_head = (void *)(at + params->cq_off.head);
	ring->cq_tail = (void *)(at + params->cq_off.tail);
	if (!(params->flags & IORING_SETUP_NO_SQARRAY))
		order_fill((void *)(at + params->sq_off.array), ring->sq_entries);
}

int sfr__ring_open(struct sfr__ring *ring, unsigned entries, struct io_uring_params *params)
{
	int r = io_uring_setup(entries, params);

	if (r < 0)
		return r;
	*ring = (struct sfr__ring){.fd = r, .sq_entries = params->sq_entries};
	r = -EINVAL;
	if (!(params->features &
	      IORING_FEAT_EXT_ARG)) /* of Linux 5.11; that of one mapping is older */
		goto fail;
	ring->mapped_size = rings_size(params);
	ring->mapped = ring_map(ring->fd, ring->mapped_size, IORING_OFF_SQ_RING);
	if (ring->mapped)
		ring->sqes = ring_map(ring->fd, sqes_size(ring), IORING_OFF_SQES);
	if (!ring->mapped || !ring->sqes) {
		r = -errno;
		goto fail;
	}
	ring_attach(ring, params);
	return 0;
fail:
	sfr__ring_close(ring);
	return r;
}

void sfr__ring_close(struct sfr__ring *ring)
{
	if (ring->sqes)
		(void)munmap(ring->sqes, sqes_size(ring)); /* ours, whole: it cannot fail */
	if (ring->mapped)
		(void)munmap(ring->mapped, ring->mapped_size);
	(void)close(ring->fd);
}

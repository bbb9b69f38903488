/* SPDX-License-Identifier: MIT */
/*
 * Nops on plain liburing: what an operation costs before anyone wraps it. bench_nop.c is the same loop
 * on the library.
 */
#include "nop.h"
#include <liburing.h>

static struct io_uring ring;

static void batch_run(unsigned batch)
{
	struct io_uring_cqe *cqe;
	unsigned head;
	unsigned done = 0;

	for (unsigned i = 0; i < batch; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_nop(sqe);
		sqe->user_data = i;
	}
	while (done < batch) {
		unsigned count = 0;

		if (io_uring_submit_and_wait(&ring, 1) < 0)
			abort();
		io_uring_for_each_cqe(&ring, head, cqe)
		{
			if (cqe->res != 0)
				abort();
			count++;
		}
		io_uring_cq_advance(&ring, count);
		done += count;
	}
}

int main(int argc, char **argv)
{
	struct nop_options options = nop_options_read(argc, argv);
	int r = io_uring_queue_init(4096, &ring,
				    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);

	if (r < 0) {
		fprintf(stderr, "raw_nop: io_uring_queue_init: %s\n", strerror(-r));
		return 1;
	}
	(void)io_uring_register_ring_fd(&ring); /* saves a lookup per enter; works without */
	nop_measure(&options, batch_run);
	io_uring_queue_exit(&ring);
	return 0;
}

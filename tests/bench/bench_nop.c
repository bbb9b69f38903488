/* SPDX-License-Identifier: MIT */
/*
 * Nops through the library: built, submitted, turned, called back. raw_nop.c is the same loop on plain
 * liburing.
 */
#include "nop.h"
#include <safer_ring/loop.h>
#include <safer_ring/op.h>

static sfr_loop *loop;
static unsigned back;

static void nop_back(sfr_loop *of, int result, sfr_buf *buf, void *arg)
{
	(void)of;
	(void)buf;
	(void)arg;
	if (result != 0)
		abort();
	back++;
}

static void batch_run(unsigned batch)
{
	back = 0;
	for (unsigned i = 0; i < batch; i++) {
		if (!sfr_submit(sfr_nop(loop), nop_back, NULL))
			abort();
	}
	while (back < batch) {
		if (sfr_loop_step(loop, -1) < 0)
			abort();
	}
}

int main(int argc, char **argv)
{
	struct nop_options options = nop_options_read(argc, argv);
	int r = sfr_loop_new(&loop, NULL);

	if (r < 0) {
		fprintf(stderr, "bench_nop: sfr_loop_new: error %d\n", r);
		return 1;
	}
	nop_measure(&options, batch_run);
	return sfr_loop_free(loop) < 0;
}

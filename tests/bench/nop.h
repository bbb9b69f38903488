/* SPDX-License-Identifier: MIT */
/*
 * What raw_nop and bench_nop share: their options, and measuring a few times to print the median.
 */
#ifndef BENCH_NOP_H
#define BENCH_NOP_H

#include <getopt.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOP_BATCH_MAX 4096
#define NOP_REPETITIONS 7

struct nop_options {
	unsigned batch;
	double seconds; /* of all repetitions together */
};

static inline struct nop_options nop_options_read(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{"batch", required_argument, NULL, 'b'},
						{"seconds", required_argument, NULL, 's'},
						{0}};
	struct nop_options read = {.batch = 32, .seconds = 1};
	bool help = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'b')
			read.batch = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 's')
			read.seconds = strtod(optarg, NULL);
		else
			help = true, read.batch = c == 'h' ? read.batch : 0;
	}
	if (help || read.batch < 1 || read.batch > NOP_BATCH_MAX || !(read.seconds > 0) ||
	    read.seconds > 3600 || optind < argc) {
		help = help && read.batch;
		fprintf(help ? stdout : stderr, "usage: %s [--batch N, 1 to %d] [--seconds S]\n",
			argv[0], NOP_BATCH_MAX);
		exit(help ? 0 : 2);
	}
	return read;
}

static inline uint64_t nop_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Nanoseconds per nop over some time. The clock is read once in 64 batches, so it does not count. */
static inline double nop_once(unsigned batch, double seconds, void (*batch_run)(unsigned batch))
{
	uint64_t begin = nop_clock();
	uint64_t end = begin + (uint64_t)(seconds * 1e9);
	uint64_t count = 0;
	uint64_t now;

	do {
		for (int i = 0; i < 64; i++)
			batch_run(batch);
		count += (uint64_t)64 * batch;
		now = nop_clock();
	} while (now < end);
	return (double)(now - begin) / (double)count;
}

static inline int nop_compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

static inline void nop_measure(const struct nop_options *options, void (*batch_run)(unsigned batch))
{
	double slice = options->seconds / (NOP_REPETITIONS + 1);
	double ns[NOP_REPETITIONS];

	(void)nop_once(options->batch, slice, batch_run); /* warms up */
	for (int i = 0; i < NOP_REPETITIONS; i++)
		ns[i] = nop_once(options->batch, slice, batch_run);
	qsort(ns, NOP_REPETITIONS, sizeof(ns[0]), nop_compare);
	printf("%.2f ns per nop (batch %u; median of %d, from %.2f to %.2f)\n",
	       ns[NOP_REPETITIONS / 2], options->batch, NOP_REPETITIONS, ns[0],
	       ns[NOP_REPETITIONS - 1]);
}

#endif

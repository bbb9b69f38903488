/* SPDX-License-Identifier: MIT */
/*
 * How long a cache line takes from one core to another and back, halved.
 *
 *	bounce CORE CORE
 *
 * Virtual cores move: this time changes by a factor of five between one phase and the next, and every
 * server's cost with it. Only runs of one phase can be compared.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 3000
#define REPETITIONS 15

static _Alignas(64) atomic_uint ball;

static void core_pin(const char *text)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(strtoul(text, NULL, 10), &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0) {
		perror("bounce: sched_setaffinity");
		exit(1);
	}
}

/* Even numbers are for one side, odd ones for the other. They go on from one repetition to the next. */
static void play(unsigned begin, unsigned end)
{
	for (unsigned i = begin; i < end; i += 2) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != i)
			;
		atomic_store_explicit(&ball, i + 1, memory_order_release);
	}
}

static void *other_side(void *core)
{
	core_pin(core);
	play(1, 2 * ROUNDS * REPETITIONS);
	return NULL;
}

static double repetition(unsigned index)
{
	unsigned first = 2 * ROUNDS * index;
	struct timespec begin;
	struct timespec end;
	double ns;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	play(first, first + 2 * ROUNDS);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ns = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
	return ns / (2 * ROUNDS);
}

static int compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	double ns[REPETITIONS];
	pthread_t thread;

	if (argc != 3) {
		fprintf(stderr, "usage: bounce CORE CORE\n"
				"prints how long a cache line takes between two cores\n");
		return argc == 2 ? 0 : 2; /* --help */
	}
	core_pin(argv[1]);
	if (pthread_create(&thread, NULL, other_side, argv[2]) != 0) {
		fprintf(stderr, "bounce: no thread\n");
		return 1;
	}
	for (unsigned i = 0; i < REPETITIONS; i++)
		ns[i] = repetition(i);
	pthread_join(thread, NULL);
	qsort(ns, REPETITIONS, sizeof(ns[0]), compare);
	printf("%.0f ns\n", ns[REPETITIONS / 2]);
	return 0;
}

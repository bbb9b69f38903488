/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: what a hundred thousand that wait cost a turn, and how late they are on an idle loop.
 */
#include <safer_ring.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TURNS 200000
#define MS UINT64_C(1000000)
#define HOUR (3600 * 1000 * MS)

static uint64_t *due, *late;
static unsigned fired;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "deadlines: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

static sfr_loop *loop_of(unsigned count)
{
	sfr_config *config;
	sfr_loop *loop;
	char ops[32];

	snprintf(ops, sizeof(ops), "%u", count + 64);
	check(sfr_config_new(&config, "default"), "no configuration");
	check(sfr_config_set(config, "ring.ops_max", ops, NULL), "ring.ops_max");
	check(sfr_loop_new(&loop, config), "cannot make a loop");
	sfr_config_free(config);
	return loop;
}

/*
 * What they cost while they wait.
 */

static uint64_t moved(sfr_loop *loop)
{
	sfr_loop_stats stats;

	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	return stats.timers_moved;
}

static void waiting(unsigned count)
{
	sfr_loop *loop = loop_of(count);
	uint64_t begin, moved_before;
	unsigned i;

	for (i = 0; i < count; i++)
		sfr_submit(sfr_within(sfr_timeout(loop, 2 * HOUR), HOUR + i * MS), NULL, NULL);
	for (i = 0; i < TURNS / 10; i++)
		check(sfr_await(sfr_nop(loop), NULL), "a nop");
	moved_before = moved(loop);
	begin = now_ns();
	for (i = 0; i < TURNS; i++)
		check(sfr_await(sfr_nop(loop), NULL), "a nop");
	printf("%12u %12.0f %18.4f\n", count, (double)(now_ns() - begin) / TURNS,
	       (double)(moved(loop) - moved_before) / TURNS);
	check(sfr_loop_drain(loop, -1), "draining");
	check(sfr_loop_free(loop), "freeing");
}

/*
 * How late they are.
 */

static void passed(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	size_t i = (size_t)(uintptr_t)arg;

	(void)loop;
	(void)buf;
	check(result == -ETIMEDOUT ? 0 : -EPROTO, "an operation that its deadline did not end");
	late[fired++] = now_ns() - due[i];
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The row of one measurement. Returns the worst. */
static uint64_t row_print(const char *name, unsigned count)
{
	qsort(late, count, sizeof(*late), by_size);
	printf("%12s %10.0f %10.0f %10.0f %10.0f\n", name, (double)late[count / 2] / 1000,
	       (double)late[count / 100 * 99] / 1000, (double)late[count / 1000 * 999] / 1000,
	       (double)late[count - 1] / 1000);
	return late[count - 1];
}

/* How late the machine itself is: a thread that does nothing but sleep until the next of as many times. */
static uint64_t sleeping(unsigned count, uint64_t span_ns)
{
	uint64_t at = now_ns() + 10 * MS;
	unsigned i;

	for (i = 0; i < count; i++) {
		struct timespec until;

		at += span_ns / count;
		until = (struct timespec){(time_t)(at / 1000000000), (long)(at % 1000000000)};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		late[i] = now_ns() - at;
	}
	return row_print("bare sleep", count);
}

static uint64_t firing(unsigned count, uint64_t span_ns)
{
	sfr_loop *loop = loop_of(count);
	unsigned i;

	due = calloc(count, sizeof(*due));
	late = calloc(count, sizeof(*late));
	check(due && late ? 0 : -ENOMEM, "memory");
	for (i = 0; i < count; i++) {
		uint64_t ns = 500 * MS + span_ns / count * i;

		due[i] = now_ns() + ns;
		sfr_submit(sfr_within(sfr_timeout(loop, HOUR), ns), passed, (void *)(uintptr_t)i);
	}
	check(sfr_loop_run(loop), "running");
	check(sfr_loop_free(loop), "freeing");
	return row_print("deadlines", fired);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"count", required_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	unsigned count = 100000;
	uint64_t worst;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (option != 'c')
			return puts("usage: deadlines [--count N]\n\n"
				    "What N deadlines that wait cost a turn, and how late they are on an idle loop;\n"
				    "the target is 2 ms (default: 100,000, over 5 seconds)."),
			       option != 'h';
		count = (unsigned)strtoul(optarg, NULL, 10);
	}
	if (count < 1000)
		return fputs("deadlines: --count is at least 1000\n", stderr), 2;
	printf("%12s %12s %18s\n", "waiting", "ns/turn", "timers moved/turn");
	waiting(0);
	waiting(count);
	printf("\n%12s %10s %10s %10s %10s\n", "late by", "p50 us", "p99 us", "p99.9 us", "max us");
	fflush(stdout);
	worst = firing(count, 5000 * MS);
	if (worst <= 2 * MS)
		puts("all within 2 ms");
	else if (sleeping(count, 5000 * MS) > 2 * MS)
		puts("not all within 2 ms, and neither is the machine: try again where it is quiet");
	else
		puts("not all within 2 ms, although the machine is");
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A small file opened, read and closed, one after the other: as a batch with kernel links and without, as
 * three operations, and by system calls. What a row saves is turns.
 */
#include <safer_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAYS = 4, ROUNDS = 9, SIZE = 4096 };

static char name[] = "/tmp/safer-ring-row-XXXXXX";
static int files = 20000;

struct way {
	const char *name, *links;
	int (*read_once)(struct way *way);
	sfr_loop *loop;
	sfr_batch *batch;
	int file;
	double us[ROUNDS], ratio[ROUNDS], enters;
};

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "row: %s (%s)\n", what, sfr_strerror(result));
	unlink(name);
	exit(EXIT_FAILURE);
}

/* Returns the bytes that were read. */
static int by_batch(struct way *way)
{
	sfr_batch *batch = way->batch;
	sfr_buf *buf = sfr_buf_get(way->loop, SIZE);
	sfr_op *op = sfr_openat(way->loop, AT_FDCWD, name, O_RDONLY, 0);
	int open = sfr_batch_add(batch, sfr_into(op, way->file)), fd = sfr_batch_fd(batch, open);
	int read = sfr_batch_then(batch, open, sfr_read(way->loop, fd, buf));
	int close = sfr_batch_add(batch, sfr_close(way->loop, fd)), got = -1;

	check(sfr_batch_after_any(batch, close, read), "building");
	check(-sfr_batch_await(batch), "the batch");
	check(sfr_batch_result(batch, read, &got), "reading");
	check(sfr_batch_reset(batch), "again");
	return got;
}

static int by_operations(struct way *way)
{
	sfr_buf *buf = sfr_buf_get(way->loop, SIZE);
	int fd = sfr_await(sfr_openat(way->loop, AT_FDCWD, name, O_RDONLY, 0), NULL);
	int got = sfr_await(sfr_read(way->loop, fd, buf), NULL);

	check(sfr_await(sfr_close(way->loop, fd), NULL), "closing");
	return got;
}

static int by_system_calls(struct way *way)
{
	static char bytes[SIZE];
	int fd = open(name, O_RDONLY | O_CLOEXEC), got = (int)read(fd, bytes, SIZE);

	(void)way;
	(void)close(fd); /* only read from */
	return got;
}

static struct way ways[WAYS] = {
	{.name = "a batch, kernel links", .links = "auto", .read_once = by_batch},
	{.name = "a batch, no kernel links", .links = "off", .read_once = by_batch},
	{.name = "three operations, awaited", .links = "auto", .read_once = by_operations},
	{.name = "three system calls", .read_once = by_system_calls},
};

static void way_begin(struct way *way, const char *engine)
{
	sfr_config *config;
	int none = -1;

	check(sfr_config_new(&config, "default"), "no configuration");
	check(sfr_config_set(config, "features.links", way->links, NULL), "features.links");
	check(sfr_config_set(config, "engine", engine, NULL), "engine");
	check(sfr_loop_new(&way->loop, config), "cannot make a loop");
	sfr_config_free(config);
	check(sfr_files_register(way->loop, &none, 1, &way->file), "no place for a file");
	way->batch = sfr_batch_new(way->loop);
	check(way->batch ? 0 : -errno, "no batch");
}

static void way_end(struct way *way)
{
	sfr_batch_free(way->batch);
	check(sfr_loop_free(way->loop), "freeing");
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static uint64_t enters_of(const struct way *way)
{
	sfr_loop_stats stats = {0};

	if (way->loop)
		sfr_loop_stats_get(way->loop, &stats, sizeof(stats));
	return stats.enters;
}

static void measure(struct way *way, int round)
{
	uint64_t enters = enters_of(way);
	double begin = now_us();
	int i;

	for (i = 0; i < files; i++)
		check(way->read_once(way) == SIZE ? 0 : -EIO, way->name);
	way->us[round] = (now_us() - begin) / files;
	way->ratio[round] = way->us[round] / ways[0].us[round];
	way->enters = (double)(enters_of(way) - enters) / files;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void way_print(struct way *way)
{
	qsort(way->us, ROUNDS, sizeof(way->us[0]), by_value);
	qsort(way->ratio, ROUNDS, sizeof(way->ratio[0]), by_value);
	printf("%-26s %8.2f %8.2f %6.2f-%-6.2f", way->name, way->us[ROUNDS / 2],
	       way->ratio[ROUNDS / 2], way->ratio[0], way->ratio[ROUNDS - 1]);
	if (way->loop)
		printf(" %12.2f\n", way->enters);
	else
		printf(" %12s\n", "-");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"engine", required_argument, NULL, 'e'},
						{"help", no_argument, NULL, 'h'},
						{"quick", no_argument, NULL, 'q'},
						{NULL, 0, NULL, 0}};
	static const char contents[SIZE];
	const char *engine = "auto";
	int fd, round, i, option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'e')
			engine = optarg;
		else if (option == 'q')
			files = 1000;
		else
			return puts("usage: row [--quick] [--engine NAME]\n\n"
				    "Opens, reads and closes a file of 4 KiB 20,000 times in each of four ways,\n"
				    "9 times in turns. Shown are medians; ratios are to the first way, within a\n"
				    "round. --quick: 1,000 times."),
			       option != 'h';
	}
	fd = mkstemp(name);
	check(fd < 0 || write(fd, contents, SIZE) != SIZE ? -errno : 0, name);
	close(fd);
	for (i = 0; i < WAYS; i++)
		if (ways[i].links)
			way_begin(&ways[i], engine);
	for (round = -1; round < ROUNDS; round++) /* the first to warm up */
		for (i = 0; i < WAYS; i++)
			measure(&ways[i], round < 0 ? 0 : round);

	printf("engine %s\n%-26s %8s %8s %-13s %12s\n", sfr_loop_engine(ways[0].loop), "",
	       "us/file", "ratio", "  (spread)", "enters/file");
	for (i = 0; i < WAYS; i++) {
		way_print(&ways[i]);
		if (ways[i].loop)
			way_end(&ways[i]);
	}
	unlink(name);
	return 0;
}

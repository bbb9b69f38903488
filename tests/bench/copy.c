/* SPDX-License-Identifier: MIT */
/*
 * Copying a file: as batches with and without kernel links, as independent operations, and by cp, in turns.
 */
#include <safer_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, BLOCK = 64 * 1024, BUFFERS = 16, ROUNDS_MAX = 99, WAYS = 4 };

static char source_name[4096], target_name[4096 + 8];
static uint64_t size;
static int source, target;

static void check(int64_t result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "copy: %s (%s)\n", what, sfr_strerror((int)result));
	unlink(source_name);
	unlink(target_name);
	exit(EXIT_FAILURE);
}

/*
 * A batch for a window of blocks: the recipe.
 */

static void copied(sfr_loop *loop, int64_t result, void *arg)
{
	(void)loop;
	(void)arg;
	check(result, "a batch");
	check(result == (int64_t)size ? 0 : -EIO, "a batch copied only a part");
}

static void by_batches(sfr_loop *loop)
{
	sfr_batch *batch = sfr_copy_range(loop, source, 0, target, 0, size, copied, NULL);

	check(batch ? 0 : -errno, "a batch");
}

/*
 * As examples/file_copy.c does, without looking for holes: each buffer goes on with the next block.
 */

static uint64_t begun;

static sfr_done block_read;

static void next_block(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	check(result < (int)buf->len ? -EIO : 0, "writing");
	if (begun < size)
		sfr_submit(sfr_all(sfr_read_at(loop, source, buf, begun)), block_read,
			   (void *)(uintptr_t)begun);
	else
		sfr_buf_release(buf);
	begun += BLOCK;
}

static void block_read(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	check(result, "reading");
	sfr_submit(sfr_all(sfr_write_at(loop, target, buf, (uintptr_t)arg)), next_block, NULL);
}

static void by_operations(sfr_loop *loop)
{
	int i;

	begun = 0;
	for (i = 0; i < BUFFERS; i++)
		next_block(loop, 0, sfr_buf_get(loop, BLOCK), NULL);
}

static void by_cp(void)
{
	extern char **environ;
	char *const argv[] = {"cp",        "--reflink=never", "--sparse=never",
			      source_name, target_name,       NULL};
	pid_t child;
	int status = -1;

	check(-posix_spawnp(&child, "cp", NULL, NULL, argv, environ), "cp");
	waitpid(child, &status, 0);
	check(status == 0 ? 0 : -EIO, "cp");
}

/*
 * Measuring.
 */

struct way {
	const char *name, *links;
	void (*begin)(sfr_loop *loop);
	sfr_loop *loop;
	double ms[ROUNDS_MAX], cpu[ROUNDS_MAX], ratio[ROUNDS_MAX], cpu_ratio[ROUNDS_MAX], enters;
};

static struct way ways[WAYS] = {
	{.name = "independent operations", .links = "auto", .begin = by_operations},
	{.name = "batches, kernel links", .links = "auto", .begin = by_batches},
	{.name = "batches, no kernel links", .links = "off", .begin = by_batches},
	{.name = "cp"},
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double cpu_ms(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static uint64_t enters_of(sfr_loop *loop)
{
	sfr_loop_stats stats;

	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	return stats.enters;
}

static void loop_make(struct way *way, const char *engine)
{
	sfr_config *config;

	check(sfr_config_new(&config, "default"), "no configuration");
	check(sfr_config_set(config, "features.links", way->links, NULL), "features.links");
	check(sfr_config_set(config, "engine", engine, NULL), "engine");
	check(sfr_loop_new(&way->loop, config), "cannot make a loop");
	sfr_config_free(config);
}

static void copy_once(struct way *way, int round)
{
	int who = way->loop ? RUSAGE_SELF : RUSAGE_CHILDREN;
	uint64_t enters = way->loop ? enters_of(way->loop) : 0;
	double begin, cpu;

	check(ftruncate(target, 0) ? -errno : 0, target_name);
	begin = now_ms();
	cpu = cpu_ms(who);
	if (way->loop) {
		way->begin(way->loop);
		check(sfr_loop_run(way->loop), "running");
	} else {
		by_cp();
	}
	way->ms[round] = now_ms() - begin;
	way->cpu[round] = cpu_ms(who) - cpu;
	way->ratio[round] = way->ms[round] / ways[0].ms[round];
	way->cpu_ratio[round] = way->cpu[round] / ways[0].cpu[round];
	if (way->loop)
		way->enters = (double)(enters_of(way->loop) - enters) /
			      ((double)size / (double)MIB);
}

/* What was copied last is the same. */
static bool is_identical(void)
{
	void *a = mmap(NULL, size, PROT_READ, MAP_SHARED, source, 0);
	void *b = mmap(NULL, size, PROT_READ, MAP_SHARED, target, 0);
	struct stat stat;
	bool same = fstat(target, &stat) == 0 && (uint64_t)stat.st_size == size &&
		    a != MAP_FAILED && b != MAP_FAILED && memcmp(a, b, size) == 0;

	munmap(a, size);
	munmap(b, size);
	return same;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), by_value);
	return values[count / 2];
}

static void way_print(struct way *way, int rounds)
{
	double ratio = median(way->ratio, rounds);

	printf("%-26s %8.0f %8.0f %8.2f %6.2f-%-6.2f %9.2f", way->name, median(way->ms, rounds),
	       median(way->cpu, rounds), ratio, way->ratio[0], way->ratio[rounds - 1],
	       median(way->cpu_ratio, rounds));
	if (way->loop)
		printf(" %11.2f\n", way->enters);
	else
		printf(" %11s\n", "-");
}

/* A file of noise, so that nothing can save itself the work; and one to be its copy. */
static void files_make(const char *dir)
{
	static uint64_t block[BLOCK / 8];
	uint64_t state = 88172645463325252U, at;
	struct statvfs room;
	size_t i;

	if (statvfs(dir, &room) == 0 && room.f_bavail * room.f_frsize < size * 5 / 2)
		check(-ENOSPC, dir);
	snprintf(source_name, sizeof(source_name), "%s/safer-ring-copy-XXXXXX", dir);
	source = mkstemp(source_name);
	check(source < 0 ? -errno : 0, dir);
	snprintf(target_name, sizeof(target_name), "%s.target", source_name);
	target = open(target_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	check(target < 0 ? -errno : 0, dir);
	for (at = 0; at < size; at += BLOCK) {
		for (i = 0; i < BLOCK / 8; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			block[i] = state;
		}
		check(pwrite(source, block, BLOCK, (off_t)at) == BLOCK ? 0 : -ENOSPC, dir);
	}
}

static const char usage[] =
	"usage: copy [--quick] [--rounds N] [--dir DIR] [--engine NAME]\n\n"
	"Copies 1 GiB in DIR (default /dev/shm) as independent operations, as batches with and without\n"
	"kernel links, and by cp, N times each (default 9), in turns. Blocks have 64 KiB, and 16 of them\n"
	"are in flight. Shown are medians; ratios are to independent operations, within a round.\n"
	"--quick: 128 MiB, 3 rounds.\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"dir", required_argument, NULL, 'd'},    {"engine", required_argument, NULL, 'e'},
		{"help", no_argument, NULL, 'h'},         {"quick", no_argument, NULL, 'q'},
		{"rounds", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
	const char *dir = "/dev/shm", *engine = "auto";
	int rounds = 9, round, i, option;

	size = (uint64_t)1024 * MIB;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd')
			dir = optarg;
		else if (option == 'e')
			engine = optarg;
		else if (option == 'q')
			size = (uint64_t)128 * MIB, rounds = 3;
		else if (option == 'r')
			rounds = atoi(optarg);
		else
			return fputs(usage, stdout), option != 'h';
	}
	if (rounds < 1 || rounds > ROUNDS_MAX)
		return fputs("copy: --rounds is from 1 to 99\n", stderr), 2;
	files_make(dir);
	for (i = 0; i < WAYS; i++)
		if (ways[i].begin)
			loop_make(&ways[i], engine);
	for (round = -1; round < rounds; round++) /* the first to warm up */
		for (i = 0; i < WAYS; i++) {
			copy_once(&ways[i], round < 0 ? 0 : round);
			check(is_identical() ? 0 : -EIO, "the copy is not the same");
		}

	printf("%llu MiB in %s, %d rounds, engine %s\n", (unsigned long long)size / MIB, dir,
	       rounds, sfr_loop_engine(ways[0].loop));
	printf("%-26s %8s %8s %8s %-13s %9s %11s\n", "", "ms", "CPU ms", "ratio", "  (spread)",
	       "CPU ratio", "enters/MiB");
	for (i = 0; i < WAYS; i++) {
		way_print(&ways[i], rounds);
		sfr_loop_free(ways[i].loop);
	}
	unlink(source_name);
	unlink(target_name);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The command line, a process for each seed, and the numbers that a seed gives.
 */
#include "seeds.h"
#include "patience.h"
#include "worlds.h"
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
	x = (x ^ x >> 27) * 0x94d049bb133111ebU;
	return x ^ x >> 31;
}

void choices_begin(uint64_t seed, uint64_t step)
{
	state = mix(seed * 0x9e3779b97f4a7c15U + mix(step));
}

uint32_t choice(uint32_t below)
{
	state += 0x9e3779b97f4a7c15U;
	return (uint32_t)(mix(state) >> 32) % below;
}

/*
 * A seed that fails.
 */

static const struct seeds *the_seeds;
static char command[128]; /* that runs the seed again */

static void explain(void)
{
	if (the_seeds->explain)
		the_seeds->explain();
	fprintf(stderr, "to see it again: %s --repeat 100\n", command);
}

void seed_fail(const char *file, int line, const char *what, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "\n%s:%d: broken: %s: ", file, line, what);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	explain();
	abort();
}

/* It is the end of this process whatever it was in the middle of. */
static void too_late(int signo)
{
	(void)signo;
	fprintf(stderr, "\nnot done after %d s\n", PATIENCE_S);
	explain();
	_exit(EXIT_FAILURE);
}

static bool seed_passes(uint64_t seed, int world, int ops)
{
	int status, used;
	pid_t child;

	used = snprintf(command, sizeof(command), "%s --seed %" PRIu64 " --world %d",
			the_seeds->program, seed, world);
	if (the_seeds->ops)
		snprintf(command + used, sizeof(command) - (size_t)used, " --ops %d", ops);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		signal(SIGALRM, too_late);
		alarm(PATIENCE_S);
		the_seeds->run(seed, world, ops);
		exit(EXIT_SUCCESS);
	}
	must(child > 0 && waitpid(child, &status, 0) == child, "a process");
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGABRT)
		fprintf(stderr, "\nended by signal %d; to see it again: %s\n", WTERMSIG(status),
			command);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/*
 * The command line.
 */

struct wish {
	long seeds, first, world, repeat, ops;
};

static int usage(int status)
{
	bool ops = the_seeds->ops != 0;

	printf("usage: %s [--seeds N] [--seed S] [--world W]%s [--repeat N]\n"
	       "\n"
	       "%s\n"
	       "\n"
	       "  --seeds N   how many seeds, from --seed on (default 50)\n"
	       "  --seed S    the first (default 1)\n"
	       "  --world W   only this world (default: by seed)\n",
	       the_seeds->program, ops ? " [--ops N]" : "", the_seeds->about);
	if (ops)
		printf("  --ops N     operations for each seed (default %d)\n", the_seeds->ops);
	printf("  --repeat N  each seed so many times (default 1)\n"
	       "\n"
	       "Exit status: 0 if no seed failed.\n");
	return status;
}

static int each_seed(const struct wish *wish)
{
	long passed = 0, failed = 0, i, count = wish->seeds * wish->repeat;

	for (i = 0; i < count; i++) {
		long seed = wish->first + i / wish->repeat;
		long world = wish->world < 0 ? seed % world_count() : wish->world;
		bool right = seed_passes((uint64_t)seed, (int)world, (int)wish->ops);

		passed += right;
		failed += !right;
		if (!right)
			printf("not ok - seed %ld\n", seed);
		if (isatty(STDOUT_FILENO))
			fprintf(stderr, "\r%ld of %ld seeds", i + 1, count);
	}
	printf("\n");
	the_seeds->sum_up();
	printf("%ld passed, %ld failed\n", passed, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int seeds_run(const struct seeds *seeds, int argc, char **argv)
{
	static const struct option options[] = {{"seeds", required_argument, NULL, 'n'},
						{"seed", required_argument, NULL, 's'},
						{"world", required_argument, NULL, 'w'},
						{"repeat", required_argument, NULL, 'r'},
						{"help", no_argument, NULL, 'h'},
						{"ops", required_argument, NULL, 'o'},
						{NULL, 0, NULL, 0}};
	struct wish wish = {.first = 1, .world = -1, .repeat = 1, .ops = seeds->ops};
	int option;

	the_seeds = seeds;
	while ((option = getopt_long(argc, argv, "n:s:w:o:r:h", options, NULL)) != -1) {
		long value = optarg ? strtol(optarg, NULL, 10) : 0;

		if (option == 'n')
			wish.seeds = value;
		else if (option == 's')
			wish.first = value, wish.seeds += !wish.seeds;
		else if (option == 'w')
			wish.world = value;
		else if (option == 'o' && seeds->ops)
			wish.ops = value;
		else if (option == 'r')
			wish.repeat = value;
		else
			return usage(option == 'h' ? 0 : 2);
	}
	if (!world_count() || wish.world >= world_count() || wish.ops > seeds->ops_max)
		return usage(2);
	wish.seeds = wish.seeds ? wish.seeds : 50;
	return each_seed(&wish);
}

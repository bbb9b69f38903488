/* SPDX-License-Identifier: MIT */
/*
 * Atomic replace: a file gets new contents at once, whatever happens meanwhile.
 *
 *	generate | atomic_replace FILE
 *
 * Shows buffers that are chained to one write, and a recipe: a batch that writes another file, syncs and
 * renames it. At every moment, even after a crash, FILE is what it was or what it is to be, whole.
 */
#include <safer_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)64 * 1024)

static int result;

static void check(int r, const char *what, const char *advice)
{
	if (r >= 0)
		return;
	fprintf(stderr, "atomic_replace: %s (%s): %s\n", what, sfr_strerror(r), advice);
	exit(EXIT_FAILURE);
}

/* All of standard input, as a chain of buffers. */
static sfr_buf *input_read(sfr_loop *loop)
{
	sfr_buf *chain = NULL, *piece;
	int got;

	do {
		piece = sfr_buf_get(loop, PIECE);
		check(piece ? 0 : -errno, "the contents are too long",
		      "allow more in buffers.budget, in the file that SAFER_RING_CONFIG names");
		got = sfr_await(sfr_all(sfr_read(loop, STDIN_FILENO, piece)), &piece);
		check(got, "cannot read standard input", "nothing was changed");
		chain = sfr_buf_append(chain, piece);
	} while (got == (int)PIECE);
	return chain;
}

static void replaced(sfr_loop *loop, int r, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)arg;
	result = r;
	sfr_buf_release(buf);
}

static int usage(bool asked)
{
	fputs("usage: atomic_replace FILE\n"
	      "Give FILE what comes from standard input, at once, when all of it is there.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL);
	sfr_batch_plan_info plan;
	sfr_batch *batch;
	sfr_loop *loop;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 2)
		return usage(option == 'h');
	sfr_log_to(sfr_log_stderr, NULL);
	check(sfr_loop_new(&loop, NULL), "cannot make a loop", "try `safer-ring doctor`");

	batch = sfr_replace_file(loop, AT_FDCWD, argv[1], 0644, input_read(loop), replaced, NULL);
	check(batch ? 0 : -errno, argv[1], "give the name of a file");
	check(sfr_batch_plan(batch, &plan), "no plan", "nothing was changed");
	fprintf(stderr, "%u operations: %s\n", plan.ops, plan.text);
	check(sfr_loop_run(loop), "the loop ended", "look at FILE, and at what is beside it");
	check(result, argv[1],
	      "its old contents are there, unless only the sync at the end failed");
	return sfr_loop_free(loop) < 0;
}

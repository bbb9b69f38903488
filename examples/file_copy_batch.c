/* SPDX-License-Identifier: MIT */
/*
 * File copy with batches: a window of blocks at a time, each a read and the write that waits for it.
 *
 *	file_copy_batch FROM TO
 *
 * Shows writes that inherit what was read, a batch that is filled again and again, and its plan: one
 * kernel row for each block.
 */
#include <safer_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { BLOCKS = 16, BLOCK = 64 * 1024 };

static void check(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "\nfile_copy_batch: %s (%s)\n", what, sfr_strerror(result));
		exit(EXIT_FAILURE);
	}
}

/* Operations 0, 2, ... read, and 1, 3, ... write. */
static void window_fill(sfr_loop *loop, sfr_batch *batch, int from, int to, uint64_t off)
{
	for (int i = 0; i < BLOCKS; i++, off += BLOCK) {
		sfr_buf *buf = sfr_buf_get(loop, BLOCK);
		int read = sfr_batch_add(batch, sfr_all(sfr_read_at(loop, from, buf, off)));

		sfr_batch_then(batch, read, sfr_all(sfr_write_at(loop, to, NULL, off)));
	}
}

/* Run the window. Returns the bytes that were copied without a gap: 0 at the end of the file. What ended a
 * block short, an error perhaps, is met again at the beginning of the next window, and there has a name. */
static unsigned window_copy(sfr_batch *batch)
{
	int written = BLOCK, copied = 0;

	check(sfr_batch_await(batch), "cannot run the batch");
	check(sfr_batch_error(batch, NULL), "cannot copy: is there room for it?");
	for (int i = 0; i < BLOCKS && written == BLOCK; i++, copied += written)
		(void)sfr_batch_result(batch, 2 * i + 1, &written); /* all have ended */
	check(sfr_batch_reset(batch), "cannot use it again");       /* and the buffers go back */
	return (unsigned)copied;
}

static int usage(bool asked)
{
	fputs("usage: file_copy_batch FROM TO\n"
	      "Copy a file by batches of linked reads and writes.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL);
	struct stat source, dest;
	sfr_batch_plan_info plan;
	sfr_batch *batch;
	sfr_loop *loop;
	unsigned copied = 1;
	int from, to, flags = O_WRONLY | O_CREAT | O_TRUNC;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 3)
		return usage(option == 'h');
	check(sfr_loop_new(&loop, NULL), "cannot make a loop: ask `safer-ring doctor`");
	check(from = sfr_await(sfr_openat(loop, AT_FDCWD, argv[1], O_RDONLY, 0), NULL), argv[1]);
	if (!fstat(from, &source) && !stat(argv[2], &dest) && dest.st_ino == source.st_ino &&
	    dest.st_dev == source.st_dev)
		check(-EINVAL, "they are the same file: name another one");
	check(to = sfr_await(sfr_openat(loop, AT_FDCWD, argv[2], flags, 0644), NULL), argv[2]);
	check((batch = sfr_batch_new(loop)) ? 0 : -errno, "cannot make a batch");
	for (uint64_t off = 0; copied > 0; off += copied) {
		window_fill(loop, batch, from, to, off);
		if (off == 0 && sfr_batch_plan(batch, &plan) == 0)
			fprintf(stderr, "%u rows of linked operations: %s\n", plan.chains,
				plan.text);
		copied = window_copy(batch);
		fprintf(stderr, "\r%lu KiB", (unsigned long)((off + copied) >> 10));
	}
	sfr_batch_free(batch);
	check(sfr_await(sfr_close(loop, to), NULL), argv[2]);
	return fputc('\n', stderr), sfr_loop_free(loop) < 0;
}

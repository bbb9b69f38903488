/* SPDX-License-Identifier: MIT */
/*
 * File copy: many blocks in flight at once, each read and written where it belongs.
 *
 *	file_copy FROM TO
 *
 * Shows owned buffers that travel from a read to a write and back, operations that go on until all of
 * a block is done, and awaiting where there is nothing else to do. Blocks of zeros become holes.
 */
#include <safer_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((uint64_t)64 * 1024)
#define BUFFERS 32
#define CREATE (O_WRONLY | O_CREAT | O_TRUNC)

static int from, to, busy = BUFFERS;
static uint64_t size, begun, finished;
static sfr_ticket progress;
static sfr_done block_read;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "\nfile_copy: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

/* The buffer goes on with the next block that nobody has begun; its offset is what the callbacks get. */
static void next_block(sfr_loop *loop, sfr_buf *buf)
{
	uint64_t off = begun;

	begun += BLOCK;
	if (off < size) {
		sfr_submit(sfr_all(sfr_read_at(loop, from, buf, off)), block_read, (void *)off);
		return;
	}
	sfr_buf_release(buf);
	if (--busy == 0)
		sfr_cancel(loop, progress);
}

static void block_written(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	check(result >= 0 && result < (int)buf->len ? -ENOSPC : result, "cannot write");
	finished += buf->len;
	next_block(loop, buf);
}

static void block_read(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	check(result, "cannot read");
	if (buf->len && (buf->data[0] || memcmp(buf->data, buf->data + 1, buf->len - 1)))
		sfr_submit(sfr_all(sfr_write_at(loop, to, buf, (uintptr_t)arg)), block_written,
			   NULL);
	else
		block_written(loop, (int)buf->len, buf, NULL); /* a hole */
}

static void show_progress(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop, (void)buf, (void)arg;
	fprintf(stderr, "\r[%-40.*s] %lu of %lu KiB%s", (int)(size ? finished * 40 / size : 40),
		"########################################", (unsigned long)(finished >> 10),
		(unsigned long)(size >> 10), result < 0 ? "\n" : "");
}

static int usage(bool asked)
{
	fputs("usage: file_copy FROM TO\n"
	      "Copy a file, many blocks at a time; blocks of zeros become holes.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL);
	struct stat source, dest;
	sfr_loop *loop;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 3)
		return usage(option == 'h');
	sfr_log_to(sfr_log_stderr, NULL);
	check(sfr_loop_new(&loop, NULL), "cannot make a loop");
	check(from = sfr_await(sfr_openat(loop, AT_FDCWD, argv[1], O_RDONLY, 0), NULL), argv[1]);
	check(fstat(from, &source) || !S_ISREG(source.st_mode) ? -EINVAL : 0, argv[1]);
	if (!stat(argv[2], &dest) && dest.st_ino == source.st_ino && dest.st_dev == source.st_dev)
		check(-EINVAL, "they are the same file");
	check(to = sfr_await(sfr_openat(loop, AT_FDCWD, argv[2], CREATE, 0644), NULL), argv[2]);
	size = (uint64_t)source.st_size;
	progress = sfr_submit(sfr_interval(loop, 50000000), show_progress, NULL);
	for (int i = 0; i < BUFFERS; i++)
		next_block(loop, sfr_buf_get(loop, BLOCK));
	check(sfr_loop_run(loop), "the loop ended");
	check(sfr_await(sfr_ftruncate(loop, to, size), NULL), argv[2]); /* a hole at the end */
	check(sfr_await(sfr_close(loop, to), NULL), argv[2]);
	check(sfr_loop_free(loop), "something is still in flight");
	return 0;
}

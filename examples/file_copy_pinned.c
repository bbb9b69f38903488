/* SPDX-License-Identifier: MIT */
/*
 * File copy through memory of the program's own, which the kernel keeps pinned.
 *
 *	file_copy_pinned FROM TO
 *
 * Shows buffers that wrap the caller's memory, registered so that no read or write looks up its pages,
 * and used again and again in a plain loop: each goes to the kernel and comes back.
 */
#include <safer_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE ((size_t)256 * 1024)

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "file_copy_pinned: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

static int usage(bool asked)
{
	fputs("usage: file_copy_pinned FROM TO\n"
	      "Copy a file through memory that the kernel keeps pinned.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL);
	sfr_loop *loop;
	sfr_buf *buf;
	uint64_t off;
	void *memory = aligned_alloc(4096, SIZE);
	struct stat source, dest;
	int from, to, got, put;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 3)
		return usage(option == 'h');
	sfr_log_to(sfr_log_stderr, NULL);
	check(memory ? 0 : -ENOMEM, "no memory");
	check(sfr_loop_new(&loop, NULL), "cannot make a loop");
	check(from = sfr_await(sfr_openat(loop, AT_FDCWD, argv[1], O_RDONLY, 0), NULL), argv[1]);
	check(fstat(from, &source) ? -errno : 0, argv[1]);
	if (!stat(argv[2], &dest) && dest.st_ino == source.st_ino && dest.st_dev == source.st_dev)
		check(-EINVAL, "they are the same file");
	check(to = sfr_await(
		      sfr_openat(loop, AT_FDCWD, argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644),
		      NULL),
	      argv[2]);

	buf = sfr_buf_wrap(loop, memory, SIZE, NULL, NULL);
	check(buf ? 0 : -errno, "no buffer");
	if (sfr_buffers_register(loop, &buf, 1) < 0)
		fputs("file_copy_pinned: not pinned, and a little slower for it\n", stderr);

	for (off = 0;; off += (uint64_t)got) {
		check(got = sfr_await(sfr_all(sfr_read_at(loop, from, buf, off)), &buf), argv[1]);
		if (got == 0)
			break;
		check(put = sfr_await(sfr_all(sfr_write_at(loop, to, buf, off)), &buf), argv[2]);
		check(put < got ? -ENOSPC : 0, argv[2]);
	}

	(void)sfr_buffers_unregister(loop, &buf); /* it is ours in any case */
	sfr_buf_release(buf);
	free(memory);
	check(sfr_await(sfr_close(loop, from), NULL), argv[1]);
	check(sfr_await(sfr_close(loop, to), NULL), argv[2]);
	check(sfr_loop_free(loop), "something is still in flight");
	return 0;
}

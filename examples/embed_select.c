/* SPDX-License-Identifier: MIT */
/*
 * Embedded in select(): a file is copied in a loop; whoever presses Enter is told how far it is.
 *
 *	embed_select FROM TO
 *
 * Shows all that a host has to do: watch one descriptor, prepare before it sleeps, step when that wakes it.
 * Standard input is the host's own, and the loop never hears of it.
 */
#include <safer_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

static bool copying = true;

static void check(int result, const char *what, const char *advice)
{
	if (result >= 0)
		return;
	fprintf(stderr, "embed_select: %s (%s): %s\n", what, sfr_strerror(result), advice);
	exit(EXIT_FAILURE);
}

static int file_open(const char *path, int flags, const char *advice)
{
	int fd = open(path, flags | O_CLOEXEC, 0666);

	check(fd < 0 ? -errno : 0, path, advice);
	return fd;
}

static void copied(sfr_loop *loop, int64_t result, void *arg)
{
	(void)loop;
	check(result < 0 ? (int)result : 0, arg, "remove it: it is not whole");
	copying = false;
}

/* False at the end: then there is nobody to tell. */
static bool person_asks(int to)
{
	char line[256];
	struct stat now;
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	if (n > 0 && fstat(to, &now) == 0)
		printf("%lld KiB so far\n", (long long)now.st_size >> 10), fflush(stdout);
	return n > 0;
}

static int usage(bool asked)
{
	fputs("usage: embed_select FROM TO\n"
	      "Copy to a new file, and tell whoever presses Enter how far it is.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL);
	bool person = true;
	int from, to, fd;
	sfr_loop *loop;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 3)
		return usage(option == 'h');
	from = file_open(argv[1], O_RDONLY, "name a file that can be read");
	to = file_open(argv[2], O_WRONLY | O_CREAT | O_EXCL, "name a new file");

	check(sfr_loop_new(&loop, NULL), "cannot make a loop", "ask `safer-ring doctor`");
	check(fd = sfr_loop_fd(loop), "cannot show the loop", "allow more files: ulimit -n");
	if (!sfr_copy_range(loop, from, 0, to, 0, UINT64_MAX, copied, argv[2]))
		check(-errno, "cannot begin", "is there memory?");
	while (copying) {
		fd_set set; /* of small descriptors only, which those of a small program are */

		FD_ZERO(&set);
		FD_SET(fd, &set);
		if (person)
			FD_SET(STDIN_FILENO, &set);
		sfr_loop_prepare(loop);
		if (select(fd + 1, &set, NULL, NULL, NULL) < 0)
			continue; /* EINTR: the set says nothing */
		if (FD_ISSET(fd, &set))
			check(sfr_loop_step(loop, 0), "the loop ended", "look at TO");
		if (FD_ISSET(STDIN_FILENO, &set))
			person = person_asks(to);
	}
	check(close(to) < 0 ? -errno : 0, argv[2], "is the disk full?");
	return sfr_loop_free(loop) < 0;
}

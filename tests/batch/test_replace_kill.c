/* SPDX-License-Identifier: MIT */
/*
 * Replacing a file, in a process that is killed at any moment: whoever looks finds one of the contents,
 * whole.
 */
#include "world.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64 * 1024, KILLS_URING = 200, KILLS_EPOLL = 50, WAIT_US_MAX = 3000 };

static char dir_name[64];
static int dir;

/* In the child: the file is one letter, then the next, for ever. A byte to the parent once there is a loop. */
static void replace_for_ever(int world, int ready)
{
	char why[256], letter = 'A';
	sfr_config *config = worlds_config(world, NULL, why, sizeof(why));
	sfr_loop *loop;

	if (!config || sfr_loop_new(&loop, config) < 0 || write(ready, "x", 1) != 1)
		_exit(1);
	for (;; letter = letter == 'Z' ? 'A' : (char)(letter + 1)) {
		sfr_buf *buf = sfr_buf_get(loop, SIZE);

		if (!buf)
			_exit(2);
		memset(buf->data, letter, SIZE);
		buf->len = SIZE;
		if (!sfr_replace_file(loop, dir, "file", 0600, buf, NULL, NULL) ||
		    sfr_loop_run(loop) < 0)
			_exit(3);
	}
}

/* One letter, of the right length. Returns it. */
static char letter_of_file(void)
{
	static char contents[2 * SIZE];
	int fd = openat(dir, "file", O_RDONLY | O_CLOEXEC), i;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, contents, sizeof(contents)), SIZE);
	close(fd);
	for (i = 1; i < SIZE; i++)
		ck_assert_int_eq(contents[i], contents[0]);
	return contents[0];
}

/* What those that were killed left behind. Returns how many. */
static int leftovers_remove(void)
{
	DIR *list = opendir(dir_name);
	struct dirent *entry;
	int count = 0;

	ck_assert_ptr_nonnull(list);
	while ((entry = readdir(list))) {
		size_t length = strlen(entry->d_name);

		if (strncmp(entry->d_name, ".file.", 6) != 0)
			continue;
		ck_assert_str_eq(entry->d_name + length - 4, ".tmp");
		ck_assert_int_eq(unlinkat(dir, entry->d_name, 0), 0);
		count++;
	}
	closedir(list);
	return count;
}

static void killed_once(int world)
{
	int fds[2], status;
	struct timespec time = {.tv_nsec = rand() % (WAIT_US_MAX * 1000)};
	pid_t child;
	char byte;

	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		replace_for_ever(world, fds[1]);
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	nanosleep(&time, NULL);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* A process for each kill: a tenth of them where that is slow, as the plain build does them all. */
static int kills_of(int usual)
{
#ifdef __SANITIZE_ADDRESS__
	return usual / 10;
#else
	return getenv("SFR_FEW_WORLDS") || getenv("SFR_EMULATED") ? usual / 10 : usual;
#endif
}

/* Worlds are told apart by what they are made of: the first one on each engine. */
static void killed_often(int world, int kills)
{
	unsigned seed = (unsigned)time(NULL);
	int i, changes = 0, left = 0;
	char letter = 'A', before;
	int fd;

	srand(seed);
	snprintf(dir_name, sizeof(dir_name), "/tmp/safer-ring-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir_name));
	dir = owned_fd(open(dir_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	fd = openat(dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	for (i = 0; i < SIZE; i++)
		ck_assert_int_eq(write(fd, "A", 1), 1);
	close(fd);

	for (i = 0; i < kills; i++) {
		before = letter;
		killed_once(world);
		letter = letter_of_file();
		changes += letter != before;
		left += leftovers_remove();
	}
	printf("%s: %d kills, seed %u: %d found the file changed, %d left another name\n",
	       worlds_name(world), kills, seed, changes, left);
	if (kills >= KILLS_EPOLL) /* else it may always have been killed before it began */
		ck_assert_int_gt(changes + left, 0);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	ck_assert_int_eq(rmdir(dir_name), 0);
}

static int world_named(const char *name)
{
	int i;

	for (i = 0; i < world_count(); i++)
		if (strcmp(worlds_name(i), name) == 0)
			return i;
	return -1;
}

START_TEST(on_uring_the_file_is_whole_after_each_kill)
{
	int world = world_named("uring, as it comes");

	if (world >= 0) /* else it was said that there is none */
		killed_often(world, kills_of(KILLS_URING));
}
END_TEST

START_TEST(on_epoll_the_file_is_whole_after_each_kill)
{
	killed_often(world_named("epoll"), kills_of(KILLS_EPOLL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replacing, killed");
	TCase *tc = world_case(suite, "kill -9");

	tcase_add_test(tc, on_uring_the_file_is_whole_after_each_kill);
	tcase_add_test(tc, on_epoll_the_file_is_whole_after_each_kill);
	return world_run(suite);
}

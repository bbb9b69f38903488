/* SPDX-License-Identifier: MIT */
/*
 * What the ops need is made in a directory of the test's own; each file has a name that no other
 * has had, so ops of one test do not meet.
 */
#include "quick.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char dir_name[64], name[32], new_name[32];
static int dir, made;

void quick_dir_make(void)
{
	snprintf(dir_name, sizeof(dir_name), "/tmp/safer-ring-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir_name));
	dir = owned_fd(open(dir_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC));
}

void quick_dir_remove(void)
{
	DIR *all = opendir(dir_name);
	struct dirent *entry;

	while ((entry = readdir(all)))
		if (entry->d_name[0] != '.' && unlinkat(dir, entry->d_name, 0))
			ck_assert_int_eq(unlinkat(dir, entry->d_name, AT_REMOVEDIR), 0);
	closedir(all);
	ck_assert_int_eq(rmdir(dir_name), 0);
}

/* Two names that nothing has. */
static void names_next(void)
{
	snprintf(name, sizeof(name), "%d", made);
	snprintf(new_name, sizeof(new_name), "%d-new", made++);
}

/* A file, and a second name for it that nothing has. */
static int file_next(void)
{
	names_next();
	return openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void file_named(void)
{
	close(file_next());
}

static sfr_op *quick_shutdown(sfr_loop *loop)
{
	int a, b;

	pair_of_unix_sockets(&a, &b);
	return sfr_shutdown(loop, a, SHUT_RDWR);
}

static sfr_op *quick_close(sfr_loop *loop)
{
	return sfr_close(loop, dup(dir));
}

static sfr_op *quick_socket(sfr_loop *loop)
{
	return sfr_socket(loop, AF_INET, SOCK_STREAM, 0);
}

static sfr_op *quick_openat(sfr_loop *loop)
{
	return sfr_openat(loop, dir, ".", O_DIRECTORY, 0);
}

static sfr_op *quick_statx(sfr_loop *loop)
{
	return sfr_statx(loop, dir, "", AT_EMPTY_PATH, STATX_BASIC_STATS, sfr_buf_get(loop, 512));
}

static sfr_op *quick_fsync(sfr_loop *loop)
{
	return sfr_fsync(loop, owned_fd(file_next()));
}

static sfr_op *quick_fdatasync(sfr_loop *loop)
{
	return sfr_fdatasync(loop, owned_fd(file_next()));
}

static sfr_op *quick_fallocate(sfr_loop *loop)
{
	return sfr_fallocate(loop, owned_fd(file_next()), 0, 0, 4096);
}

static sfr_op *quick_ftruncate(sfr_loop *loop)
{
	return sfr_ftruncate(loop, owned_fd(file_next()), 4096);
}

static sfr_op *quick_unlinkat(sfr_loop *loop)
{
	file_named();
	return sfr_unlinkat(loop, dir, name, 0);
}

static sfr_op *quick_renameat(sfr_loop *loop)
{
	file_named();
	return sfr_renameat(loop, dir, name, dir, new_name, 0);
}

static sfr_op *quick_mkdirat(sfr_loop *loop)
{
	names_next();
	return sfr_mkdirat(loop, dir, name, 0700);
}

static sfr_op *quick_linkat(sfr_loop *loop)
{
	file_named();
	return sfr_linkat(loop, dir, name, dir, new_name, 0);
}

static sfr_op *quick_symlinkat(sfr_loop *loop)
{
	names_next();
	return sfr_symlinkat(loop, "nowhere", dir, name);
}

static void nobody_minds(sfr_loop *loop, uint64_t value, void *arg)
{
	(void)loop, (void)value, (void)arg;
}

static sfr_op *quick_msg(sfr_loop *loop)
{
	sfr_loop_on_msg(loop, nobody_minds, NULL);
	return sfr_msg(loop, loop, 7);
}

static int done_at_once(void *arg)
{
	(void)arg;
	return 7;
}

static sfr_op *quick_work(sfr_loop *loop)
{
	return sfr_work(loop, done_at_once, NULL);
}

const struct quick_kind quick_kinds[] = {
	{"nop", false, false, false, sfr_nop},
	{"shutdown", true, false, false, quick_shutdown},
	{"close", true, false, false, quick_close},
	{"socket", false, false, true, quick_socket},
	{"openat", false, false, true, quick_openat},
	{"statx", false, true, false, quick_statx},
	{"fsync", false, false, false, quick_fsync},
	{"fdatasync", false, false, false, quick_fdatasync},
	{"fallocate", false, false, false, quick_fallocate},
	{"ftruncate", false, false, false, quick_ftruncate},
	{"unlinkat", false, false, false, quick_unlinkat},
	{"renameat", false, false, false, quick_renameat},
	{"mkdirat", false, false, false, quick_mkdirat},
	{"linkat", false, false, false, quick_linkat},
	{"symlinkat", false, false, false, quick_symlinkat},
	{"msg", true, false, false, quick_msg},
	{"work", false, false, false, quick_work},
};

const int quick_count = sizeof(quick_kinds) / sizeof(quick_kinds[0]);

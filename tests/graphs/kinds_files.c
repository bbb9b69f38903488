/* SPDX-License-Identifier: MIT */
/*
 * Files as a whole, and directories.
 */
#include "kinds.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* linux/stat.h, which not every C library agrees with. */
enum { BASIC_STATS = 0x7ff, STATS_SIZE = 256 };

static bool fsync_choose(struct trial *trial, int n)
{
	descriptor_choose(trial, n, WINS_OUT, trial->files->out, trial->files->out_name);
	outcome(trial, n, 0, -1);
	return true;
}

static bool bad_fsync_choose(struct trial *trial, int n)
{
	member_of(trial, n)->fd = trial->files->ready[0];
	outcome(trial, n, -EINVAL, -1);
	return true;
}

static sfr_op *fsync_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return (n & 1) ? sfr_fsync(trial->files->loop, descriptor(trial, n))
		       : sfr_fdatasync(trial->files->loop, descriptor(trial, n));
}

static bool ftruncate_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	m->ends[0] = m->fd = memfd_create("graphs", MFD_CLOEXEC);
	outcome(trial, n, 0, -1);
	return true;
}

static bool bad_ftruncate_choose(struct trial *trial, int n)
{
	member_of(trial, n)->fd = trial->files->readonly;
	outcome(trial, n, -EINVAL, -1);
	return true;
}

static sfr_op *ftruncate_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_ftruncate(trial->files->loop, descriptor(trial, n), 77);
}

static void ftruncate_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];
	struct stat stat;

	if (m->ends[0] >= 0)
		must(fstat(m->ends[0], &stat) == 0 && stat.st_size == (done ? 77 : 0),
		     "%d: its length", n);
}

static sfr_op *fallocate_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_fallocate(trial->files->loop, descriptor(trial, n), 0, 0, 1);
}

static bool bad_fallocate_choose(struct trial *trial, int n)
{
	member_of(trial, n)->fd = trial->files->readonly;
	outcome(trial, n, -EBADF, -1);
	return true;
}

static void path_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	snprintf(m->path, sizeof(m->path), "%s/%d-%d", trial->files->dir, trial->lane, n);
	snprintf(m->other_path, sizeof(m->other_path), "%s/%d-%d-other", trial->files->dir,
		 trial->lane, n);
}

/* Makes a file to be found by its path. */
static void path_make(const struct member *m)
{
	int fd = open(m->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	must(fd >= 0, "a file");
	close(fd);
}

static bool path_is(const char *path)
{
	struct stat stat;

	return lstat(path, &stat) == 0;
}

static bool mkdir_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	path_choose(trial, n);
	m->fd = -1;
	(void)(chance(60) && winner_use(trial, n, winner_choose(trial, n, WINS_DIR)));
	if (fails(trial)) {
		path_make(m);
		outcome(trial, n, -EEXIST, -1);
	} else {
		outcome(trial, n, 0, -1);
	}
	return true;
}

static sfr_op *mkdir_build(struct trial *trial, int n, sfr_buf *buf)
{
	const struct member *m = &trial->members[n];

	(void)buf;
	return m->winner >= 0 ? sfr_mkdirat(trial->files->loop, descriptor(trial, n),
					    strrchr(m->path, '/') + 1, 0700)
			      : sfr_mkdirat(trial->files->loop, AT_FDCWD, m->path, 0700);
}

static void mkdir_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];
	struct stat stat;
	bool is = lstat(m->path, &stat) == 0;

	must((is && S_ISDIR(stat.st_mode)) == done, "%d: its directory is there or not", n);
	if (is)
		must((done ? rmdir : unlink)(m->path) == 0, "it goes");
}

static bool unlink_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	path_choose(trial, n);
	if (!fails(trial))
		path_make(m);
	outcome(trial, n, path_is(m->path) ? 0 : -ENOENT, -1);
	return true;
}

static sfr_op *unlink_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_unlinkat(trial->files->loop, AT_FDCWD, trial->members[n].path, 0);
}

static void unlink_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];
	bool was = trial->model.nodes[n].own == 0;

	must(path_is(m->path) == (was && !done), "%d: its file is there or not", n);
	(void)unlink(m->path); /* it may be gone */
}

static sfr_op *rename_build(struct trial *trial, int n, sfr_buf *buf)
{
	const struct member *m = &trial->members[n];

	(void)buf;
	return sfr_renameat(trial->files->loop, AT_FDCWD, m->path, AT_FDCWD, m->other_path, 0);
}

static void rename_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];

	unlink_check(trial, n, done);
	must(path_is(m->other_path) == done, "%d: its file has the other name or not", n);
	(void)unlink(m->other_path); /* it may not be there */
}

static bool symlink_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	path_choose(trial, n);
	if (fails(trial))
		path_make(m);
	outcome(trial, n, path_is(m->path) ? -EEXIST : 0, -1);
	return true;
}

static sfr_op *symlink_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_symlinkat(trial->files->loop, "somewhere", AT_FDCWD, trial->members[n].path);
}

static void symlink_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];
	bool was = trial->model.nodes[n].own == -EEXIST;

	must(path_is(m->path) == (was || done), "%d: its link is there or not", n);
	(void)unlink(m->path); /* it may not be there */
}

static bool statx_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	if (room_of(m) < STATS_SIZE)
		return false;
	snprintf(m->path, sizeof(m->path), "%s", fails(trial) ? "/tmp/not/there" : "/tmp");
	outcome(trial, n, path_is(m->path) ? 0 : -ENOENT, -1);
	return true;
}

static sfr_op *statx_build(struct trial *trial, int n, sfr_buf *buf)
{
	return sfr_statx(trial->files->loop, AT_FDCWD, trial->members[n].path, 0, BASIC_STATS, buf);
}

static bool splice_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	must(pipe2(m->ends, O_CLOEXEC) == 0, "a pipe");
	m->fd = m->ends[1];
	m->other_fd = trial->files->source;
	m->len = 1 + choice(BLOCK);
	outcome(trial, n, source_choose(trial, m, m->len), (int)m->len);
	return true;
}

static sfr_op *splice_build(struct trial *trial, int n, sfr_buf *buf)
{
	const struct member *m = &trial->members[n];

	(void)buf;
	return sfr_splice(trial->files->loop, trial->files->source, (int64_t)m->offset,
			  descriptor(trial, n), -1, m->len, 0);
}

static void splice_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];
	unsigned char bytes[BLOCK];
	ssize_t r, i;

	must(fcntl(m->ends[0], F_SETFL, O_NONBLOCK) == 0, "a pipe that does not block");
	r = read(m->ends[0], bytes, sizeof(bytes));
	must((r > 0 ? r : 0) == (done ? trial->actual[n] : 0), "%d: %zd bytes are in its pipe", n,
	     r);
	for (i = 0; i < r; i++)
		must(bytes[i] == source_byte(m->offset + (uint64_t)i), "%d: byte %zd", n, i);
}

const struct kind kinds_of_files[] = {
	{"fsync", 0, 3, fsync_choose, fsync_build, NULL},
	{"failing fsync", FAILS, 2, bad_fsync_choose, fsync_build, NULL},
	{"ftruncate", 0, 1, ftruncate_choose, ftruncate_build, ftruncate_check},
	{"failing ftruncate", FAILS, 1, bad_ftruncate_choose, ftruncate_build, NULL},
	{"failing fallocate", FAILS, 1, bad_fallocate_choose, fallocate_build, NULL},
	{"mkdirat", 0, 2, mkdir_choose, mkdir_build, mkdir_check},
	{"unlinkat", 0, 2, unlink_choose, unlink_build, unlink_check},
	{"renameat", 0, 2, unlink_choose, rename_build, rename_check},
	{"symlinkat", 0, 1, symlink_choose, symlink_build, symlink_check},
	{"statx", CARRIES, 2, statx_choose, statx_build, NULL},
	{"splice", LINKS, 2, splice_choose, splice_build, splice_check},
	{0},
};

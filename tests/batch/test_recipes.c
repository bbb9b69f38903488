/* SPDX-License-Identifier: MIT */
/*
 * Recipes: copying, replacing, reading, sending; each as it should be, with each step failing, cancelled and
 * drained at each turn, and without memory.
 */
#include "world.h"
#include "allocations.h"
#include "loop/loop.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A loop, and a directory of the test's own.
 */

#define FEW "buffers.count=24 buffers.size=4KiB"

static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 65536, 65537, 300001};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static char dir_name[64];
static int dir;
static unsigned char bytes[400000], found[400000];

static sfr_loop *loop_and_dir(int world, const char *more)
{
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 2654435761U >> 13);
	snprintf(dir_name, sizeof(dir_name), "/tmp/safer-ring-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir_name));
	dir = owned_fd(open(dir_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	return loop_in(world, more);
}

/* How many names there are in the directory. */
static int names_left(void)
{
	DIR *list = opendir(dir_name);
	int count = -2;

	ck_assert_ptr_nonnull(list);
	while (readdir(list))
		count++;
	closedir(list);
	return count;
}

static void dir_gone(void)
{
	ck_assert_int_eq(rmdir(dir_name), 0);
}

static void file_write(const char *name, const void *contents, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, contents, size), (ssize_t)size);
	close(fd);
}

static bool file_is(const char *name, const void *contents, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	ck_assert_msg(fd >= 0, "no file %s", name);
	n = read(fd, found, sizeof(found));
	close(fd);
	return n == (ssize_t)size && memcmp(found, contents, size) == 0;
}

static sfr_buf *buf_of(sfr_loop *loop, size_t size)
{
	sfr_buf *buf = sfr_buf_from(loop, bytes, size);

	ck_assert_ptr_nonnull(buf);
	return buf;
}

/* What writes past this size gets -EFBIG, as on a full disk; less than a block of it is written first. */
static void file_size_limit(rlim_t size)
{
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){size, RLIM_INFINITY}), 0);
}

/*
 * Copying.
 */

static struct {
	int calls;
	int64_t result;
} copy_seen;

static void copy_seen_forget(void)
{
	copy_seen.calls = 0;
	copy_seen.result = 0;
}

static void record_copy(sfr_loop *loop, int64_t result, void *arg)
{
	(void)loop;
	(void)arg;
	copy_seen.calls++;
	copy_seen.result = result;
}

/* A file with so many of the bytes; and one without. */
static int file_of(size_t size)
{
	int fd = empty_file();

	ck_assert_int_eq(pwrite(fd, bytes, size, 0), (ssize_t)size);
	return fd;
}

static bool is_copy(int fd, size_t size)
{
	return pread(fd, found, sizeof(found), 0) == (ssize_t)size &&
	       memcmp(found, bytes, size) == 0;
}

static int64_t copy_all(sfr_loop *loop, int from, uint64_t off_in, int to, uint64_t off_out,
			uint64_t len)
{
	copy_seen_forget();
	ck_assert_ptr_nonnull(
		sfr_copy_range(loop, from, off_in, to, off_out, len, record_copy, NULL));
	turn_until(loop, &copy_seen.calls, 1);
	ck_assert_int_eq(copy_seen.calls, 1);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	ck_assert_uint_eq(stat_held(loop), 0);
	return copy_seen.result;
}

START_TEST(a_copy_of_any_size_is_identical)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int i;

	for (i = 0; i < SIZES; i++) {
		int from = file_of(sizes[i]), to = empty_file(), known = empty_file();

		ck_assert_int_eq(copy_all(loop, from, 0, to, 0, UINT64_MAX), (int64_t)sizes[i]);
		ck_assert(is_copy(to, sizes[i]));
		ck_assert_int_eq(copy_all(loop, from, 0, known, 0, sizes[i]), (int64_t)sizes[i]);
		ck_assert(is_copy(known, sizes[i]));
	}
	dir_gone();
}
END_TEST

START_TEST(large_buffers_copy_as_well_and_go_back)
{
	sfr_loop *loop = loop_and_dir(_i, "buffers.budget=16MiB");
	int from = file_of(300001), to = empty_file();

	ck_assert_int_eq(copy_all(loop, from, 0, to, 0, UINT64_MAX), 300001);
	ck_assert(is_copy(to, 300001));
	dir_gone();
}
END_TEST

START_TEST(a_range_is_copied_to_where_it_belongs_and_nothing_else)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(100000), to = file_of(200000);

	ck_assert_int_eq(copy_all(loop, from, 100, to, 50001, 77777), 77777);

	ck_assert_int_eq(pread(to, found, sizeof(found), 0), 200000);
	ck_assert(memcmp(found, bytes, 50001) == 0);
	ck_assert(memcmp(found + 50001, bytes + 100, 77777) == 0);
	ck_assert(memcmp(found + 127778, bytes + 127778, 72222) == 0);
	dir_gone();
}
END_TEST

START_TEST(a_copy_ends_where_the_file_does)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(70000), to = empty_file();

	ck_assert_int_eq(copy_all(loop, from, 0, to, 0, 1000000), 70000);
	ck_assert(is_copy(to, 70000));
	ck_assert_int_eq(copy_all(loop, from, 70000, to, 0, 1000), 0);
	ck_assert_int_eq(copy_all(loop, from, 0, to, 0, 0), 0);
	ck_assert(is_copy(to, 70000));
	dir_gone();
}
END_TEST

START_TEST(one_buffer_is_enough_to_copy_and_none_is_said_at_once)
{
	sfr_loop *loop = loop_and_dir(_i, "buffers.count=1 buffers.size=4KiB");
	int from = file_of(70000), to = empty_file();
	sfr_buf *only;

	ck_assert_int_eq(copy_all(loop, from, 0, to, 0, UINT64_MAX), 70000);
	ck_assert(is_copy(to, 70000));

	copy_seen_forget();
	only = sfr_buf_get(loop, 4096);
	errno = 0;
	ck_assert_ptr_null(sfr_copy_range(loop, from, 0, to, 0, 10, record_copy, NULL));
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	sfr_buf_release(only);
	ck_assert_int_eq(copy_seen.calls, 0);
	dir_gone();
}
END_TEST

START_TEST(a_copy_tells_of_the_first_error)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(70000), to = empty_file();
	int full = owned_fd(open("/dev/full", O_WRONLY | O_CLOEXEC));

	ck_assert_int_eq(copy_all(loop, full, 0, to, 0, UINT64_MAX), -EBADF);
	ck_assert_int_eq(copy_all(loop, -1, 0, to, 0, 10), -EBADF);
	ck_assert_int_eq(copy_all(loop, from, 0, full, 0, UINT64_MAX), -ENOSPC);
	ck_assert_int_eq(copy_all(loop, from, 0, full, 0, 70000), -ENOSPC);
	dir_gone();
}
END_TEST

/* A part of a block is written; only the attempt to go on tells why not all of it. */
START_TEST(a_write_that_is_short_is_no_success)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(70000), to = empty_file();

	file_size_limit(30000);
	ck_assert_int_eq(copy_all(loop, from, 0, to, 0, UINT64_MAX), -EFBIG);
	ck_assert_int_eq(copy_all(loop, from, 0, to, 0, 70000), -EFBIG);
	file_size_limit(RLIM_INFINITY);
	ck_assert_int_eq(copy_all(loop, from, 0, to, 0, UINT64_MAX), 70000);
	ck_assert(is_copy(to, 70000));
	dir_gone();
}
END_TEST

START_TEST(offsets_that_leave_the_numbers_are_refused)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int fd = empty_file();
	uint64_t max = INT64_MAX;
	const uint64_t wrong[][3] = {{max + 1, 0, 0},       {0, max + 1, 0},
				     {max, 0, 1},           {0, max - 5, 6},
				     {0, 0, max + 1},       {UINT64_MAX, 0, UINT64_MAX},
				     {1, 1, UINT64_MAX - 1}};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		errno = 0;
		ck_assert_ptr_null(sfr_copy_range(loop, fd, wrong[i][0], fd, wrong[i][1],
						  wrong[i][2], record_copy, NULL));
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(copy_all(loop, fd, max, fd, max, 0), 0);
	dir_gone();
}
END_TEST

START_TEST(each_block_is_one_row)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(70000), to = empty_file();
	bool links = sfr__has(loop->engine->features, SFR__FEATURE_LINKS);
	sfr_batch_plan_info plan;
	sfr_batch *batch;

	copy_seen_forget();
	batch = sfr_copy_range(loop, from, 0, to, 0, 50000, record_copy, NULL);
	ck_assert_int_eq(sfr_batch_plan(batch, &plan), 0);

	ck_assert_uint_eq(plan.chains, links ? 13 : 0);
	ck_assert_uint_eq(plan.links, links ? 13 : 0);
	turn_until(loop, &copy_seen.calls, 1);
	ck_assert_int_eq(copy_seen.result, 50000);
	dir_gone();
}
END_TEST

/* As docs/batches.md draws it. */
START_TEST(a_replacement_is_written_synced_and_closed_in_one_row)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	bool links = sfr__has(loop->engine->features, SFR__FEATURE_LINKS);
	sfr_batch_plan_info plan;
	sfr_batch *batch = sfr_replace_file(loop, dir, "file", 0600, buf_of(loop, 10), record,
					    &seen);

	ck_assert_int_eq(sfr_batch_plan(batch, &plan), 0);
	ck_assert_str_eq(plan.text,
			 links ? "0; 1 waits for 0; 2 =link=> 3 =hard=> 4; 2 waits for 1; "
				 "5 waits for 0, 3, 4; 6 =hard=> 7; 6 waits for 0, 5"
			       : "0; 1 waits for 0; 2 waits for 1; 3 waits for 1, 2; "
				 "4 waits for 1, 3; 5 waits for 0, 3, 4; 6 waits for 0, 5; "
				 "7 waits for 0, 6");
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(a_copy_that_nobody_waits_for_is_made)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(70000), to = empty_file();

	ck_assert_ptr_nonnull(sfr_copy_range(loop, from, 0, to, 0, UINT64_MAX, NULL, NULL));
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert(is_copy(to, 70000));
	dir_gone();
}
END_TEST

/* Up to so many turns, unless the callback came before. */
static void turns(sfr_loop *loop, int count, const int *calls)
{
	while (count-- > 0 && !*calls)
		ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
}

START_TEST(a_copy_can_be_cancelled_in_each_turn)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(300000), to = empty_file(), n, cancelled = 0;
	sfr_batch *batch;

	for (n = 0, copy_seen.result = -ECANCELED; copy_seen.result == -ECANCELED; n++) {
		ck_assert_int_lt(n, 1000);
		copy_seen_forget();
		batch = sfr_copy_range(loop, from, 0, to, 0, UINT64_MAX, record_copy, NULL);
		turns(loop, n, &copy_seen.calls);
		if (!copy_seen.calls)
			ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		turn_until(loop, &copy_seen.calls, 1);
		cancelled += copy_seen.result == -ECANCELED;
		ck_assert_uint_eq(stat_held(loop), 0);
	}
	ck_assert_int_gt(cancelled, 0);
	ck_assert_int_eq(copy_seen.result, 300000);
	ck_assert(is_copy(to, 300000));
	dir_gone();
}
END_TEST

static sfr_batch *cancelled_by_nop;

static void cancel_batch(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)result;
	(void)buf;
	(void)arg;
	ck_assert_int_eq(sfr_batch_cancel(cancelled_by_nop), 0);
}

/* When it is asked for all operations of the first window may have succeeded already. */
START_TEST(a_request_that_loses_all_races_still_ends_a_copy)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(300000), to = empty_file();

	copy_seen_forget();
	sfr_submit(sfr_nop(loop), cancel_batch, NULL);
	cancelled_by_nop = sfr_copy_range(loop, from, 0, to, 0, 300000, record_copy, NULL);
	turn_until(loop, &copy_seen.calls, 1);

	ck_assert_int_eq(copy_seen.result, -ECANCELED);
	dir_gone();
}
END_TEST

START_TEST(a_copy_can_be_drained_in_each_turn)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int from = file_of(300000), to = empty_file(), n;

	for (n = 0, copy_seen.result = -ECANCELED; copy_seen.result == -ECANCELED; n++) {
		ck_assert_int_lt(n, 1000);
		copy_seen_forget();
		ck_assert_ptr_nonnull(
			sfr_copy_range(loop, from, 0, to, 0, 300000, record_copy, NULL));
		turns(loop, n, &copy_seen.calls);
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		ck_assert_int_eq(copy_seen.calls, 1);
		ck_assert_uint_eq(stat_held(loop), 0);
	}
	ck_assert_int_eq(copy_seen.result, 300000);
	ck_assert(is_copy(to, 300000));
	dir_gone();
}
END_TEST

/*
 * The example of the manual: its lines are those of include/safer_ring/batch.h, docs/batches.md and README.md,
 * which test_batches_page.c compares.
 */

static void copied_block(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	int op = -1;

	(void)loop;
	ck_assert_int_eq(sfr_batch_error(batch, &op), 0);
	++*(int *)arg;
}

START_TEST(the_example_of_the_manual_copies_a_block)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	bool links = sfr__has(loop->engine->features, SFR__FEATURE_LINKS);
	int from = file_of(1000), to = empty_file(), size = 4096, calls = 0, r;
	int *arg = &calls;
	sfr_batch_plan_info plan;
	sfr_batch_done *copied = copied_block;

	sfr_batch *copy = sfr_batch_new(loop);
	int read = sfr_batch_add(copy, sfr_read_at(loop, from, sfr_buf_get(loop, size), 0));
	int write = sfr_batch_then(copy, read, sfr_all(sfr_write_at(loop, to, NULL, 0)));
	sfr_batch_then(copy, write, sfr_fsync(loop, to));
	r = sfr_batch_submit(copy, copied, arg); // the first error of any line above

	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(sfr_batch_plan(copy, &plan), 0);
	if (links)
		ck_assert_str_eq(plan.text, "0 =link=> 1 =link=> 2");
	turn_until(loop, &calls, 1);
	ck_assert(is_copy(to, 1000));
	sfr_batch_free(copy);
	dir_gone();
}
END_TEST

/*
 * Replacing.
 */

/* Begin to replace and wait for the end; the buffer that came back is released. */
static int replaced(sfr_loop *loop, const char *path, sfr_buf *buf)
{
	seen = (struct seen){0};
	ck_assert_ptr_nonnull(sfr_replace_file(loop, dir, path, 0640, buf, record, &seen));
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	seen_release(&seen);
	return seen.result;
}

START_TEST(a_file_is_replaced_whatever_its_size)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	struct stat stat;
	int i;

	umask(0);
	for (i = 0; i < SIZES; i++) {
		ck_assert_int_eq(replaced(loop, "file", buf_of(loop, sizes[i])), 0);
		ck_assert(file_is("file", bytes, sizes[i]));
	}

	ck_assert_int_eq(fstatat(dir, "file", &stat, 0), 0);
	ck_assert_uint_eq(stat.st_mode & 07777, 0640);
	ck_assert_int_eq(names_left(), 1);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(the_buffer_of_a_replacement_comes_back_unchanged)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	sfr_buf *buf = buf_of(loop, 1000), *again = same(buf);
	sfr_batch *batch;

	seen = (struct seen){0};
	batch = sfr_replace_file(loop, dir, "file", 0600, buf, record, &seen);
	ck_assert_ptr_nonnull(batch);
	turn_until(loop, &seen.calls, 1);

	ck_assert_ptr_eq(seen.buf, again);
	ck_assert_uint_eq(seen.buf->len, 1000);
	ck_assert(memcmp(seen.buf->data, bytes, 1000) == 0);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(a_chain_of_buffers_becomes_one_file)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	sfr_buf *chain = NULL;
	int i;

	for (i = 9; i >= 0; i--)
		chain = sfr_buf_append(sfr_buf_from(loop, bytes + i * 4096, 4096), chain);
	ck_assert_int_eq(replaced(loop, "file", chain), 0);

	ck_assert(file_is("file", bytes, 40960));
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(a_path_may_lead_through_directories)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	char path[128];

	ck_assert_int_eq(mkdirat(dir, "sub", 0700), 0);
	ck_assert_int_eq(replaced(loop, "sub/file", buf_of(loop, 10)), 0);
	ck_assert(file_is("sub/file", bytes, 10));
	ck_assert_int_eq(replaced(loop, "./sub//file", buf_of(loop, 11)), 0);
	ck_assert(file_is("sub/file", bytes, 11));
	snprintf(path, sizeof(path), "%s/sub/file", dir_name);
	ck_assert_int_eq(replaced(loop, path, buf_of(loop, 12)), 0);
	ck_assert(file_is("sub/file", bytes, 12));

	ck_assert_int_eq(unlinkat(dir, "sub/file", 0), 0);
	ck_assert_int_eq(unlinkat(dir, "sub", AT_REMOVEDIR), 0);
	dir_gone();
}
END_TEST

START_TEST(a_name_may_be_as_long_as_names_may_be)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	ck_assert_int_eq(replaced(loop, name, buf_of(loop, 10)), 0);
	ck_assert(file_is(name, bytes, 10));
	ck_assert_int_eq(unlinkat(dir, name, 0), 0);
	dir_gone();
}
END_TEST

START_TEST(what_cannot_be_the_name_of_a_file_is_refused)
{
	static const char *const paths[] = {"", "/", "dir/", ".", "..", "dir/..", NULL};
	sfr_loop *loop = loop_and_dir(_i, FEW);
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		errno = 0;
		ck_assert_ptr_null(sfr_replace_file(loop, dir, paths[i], 0600, buf_of(loop, 10),
						    record, &seen));
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_uint_eq(stat_held(loop), 0);
	ck_assert_int_eq(seen.calls, 0);
	dir_gone();
}
END_TEST

/* Each step in turn: the directory, the other name, writing, renaming. */
START_TEST(what_fails_leaves_the_old_contents_and_no_other_name)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);

	file_write("file", "old", 3);
	ck_assert_int_eq(mkdirat(dir, "taken", 0700), 0);
	ck_assert_int_eq(replaced(loop, "none/file", buf_of(loop, 10)), -ENOENT);
	ck_assert_int_eq(replaced(loop, "file/file", buf_of(loop, 10)), -ENOTDIR);
	ck_assert_int_eq(replaced(loop, "/proc/none", buf_of(loop, 10)), -ENOENT);
	ck_assert_int_eq(replaced(loop, "file", NULL), -SFR_EPOOLEMPTY);
	ck_assert_int_eq(replaced(loop, "taken", buf_of(loop, 10)), -EISDIR);
	file_size_limit(0);
	ck_assert_int_eq(replaced(loop, "file", buf_of(loop, 10)), -EFBIG);
	file_size_limit(5000);
	ck_assert_int_eq(replaced(loop, "file", buf_of(loop, 10000)), -ENOSPC); /* short */
	file_size_limit(RLIM_INFINITY);

	ck_assert(file_is("file", "old", 3));
	ck_assert_int_eq(names_left(), 2);
	ck_assert_int_eq(unlinkat(dir, "taken", AT_REMOVEDIR), 0);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(a_name_that_is_too_long_fails_when_it_is_to_be_used)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	char name[300];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(replaced(loop, name, buf_of(loop, 10)), -ENAMETOOLONG);
	dir_gone();
}
END_TEST

/* Whatever has been done: old or new, whole; the result says which, but for the sync of the directory. */
static bool replaced_or_not(void)
{
	bool is_new = file_is("file", bytes, 70000);

	ck_assert(is_new || file_is("file", "old", 3));
	ck_assert_int_eq(names_left(), 1);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert(seen.result == 0 || seen.result == -ECANCELED);
	ck_assert(is_new || seen.result < 0);
	ck_assert_uint_eq(seen.buf->len, 70000);
	seen_release(&seen);
	return seen.result == 0;
}

START_TEST(a_replacement_can_be_cancelled_in_each_turn)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	sfr_batch *batch;
	bool done = false;
	int n;

	for (n = 0; !done; n++) {
		ck_assert_int_lt(n, 1000);
		file_write("file", "old", 3);
		seen = (struct seen){0};
		batch = sfr_replace_file(loop, dir, "file", 0600, buf_of(loop, 70000), record,
					 &seen);
		turns(loop, n, &seen.calls);
		if (!seen.calls)
			(void)sfr_batch_cancel(batch); /* it may be at removing the other name */
		turn_until(loop, &seen.calls, 1);
		done = replaced_or_not();
	}
	ck_assert_int_gt(n, 1);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(a_replacement_can_be_drained_in_each_turn)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	bool done = false;
	int n;

	for (n = 0; !done; n++) {
		ck_assert_int_lt(n, 1000);
		file_write("file", "old", 3);
		seen = (struct seen){0};
		ck_assert_ptr_nonnull(sfr_replace_file(loop, dir, "file", 0600, buf_of(loop, 70000),
						       record, &seen));
		turns(loop, n, &seen.calls);
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		done = replaced_or_not();
	}
	ck_assert_int_gt(n, 1);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(a_replacement_that_failed_can_be_drained_in_each_turn)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int n;

	ck_assert_int_eq(mkdirat(dir, "taken", 0700), 0);
	for (n = 0, seen.result = -ECANCELED; seen.result == -ECANCELED; n++) {
		ck_assert_int_lt(n, 1000);
		seen = (struct seen){0};
		ck_assert_ptr_nonnull(sfr_replace_file(loop, dir, "taken", 0600, buf_of(loop, 10),
						       record, &seen));
		turns(loop, n, &seen.calls);
		ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		ck_assert_int_eq(seen.calls, 1);
		ck_assert_int_eq(names_left(), 1);
		seen_release(&seen);
	}
	ck_assert_int_eq(seen.result, -EISDIR);
	ck_assert_int_eq(unlinkat(dir, "taken", AT_REMOVEDIR), 0);
	dir_gone();
}
END_TEST

/*
 * Reading.
 */

static int file_read(sfr_loop *loop, const char *path, sfr_buf *buf)
{
	seen_release(&seen);
	seen = (struct seen){0};
	ck_assert_ptr_nonnull(sfr_read_file(loop, dir, path, buf, record, &seen));
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	return seen.result;
}

START_TEST(a_file_is_read_whatever_its_size)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int i;

	for (i = 0; i < SIZES; i++) {
		sfr_buf *buf = sfr_buf_get(loop, sizes[i] + 1);

		memset(buf->data, 'x', buf->cap);
		file_write("file", bytes, sizes[i]);
		ck_assert_int_eq(file_read(loop, "file", buf), (int)sizes[i]);
		ck_assert_uint_eq(seen.buf->len, sizes[i]);
		ck_assert(memcmp(seen.buf->data, bytes, sizes[i]) == 0);
	}
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(a_file_that_is_larger_than_the_buffer_fills_it)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);

	file_write("file", bytes, 5000);
	ck_assert_int_eq(file_read(loop, "file", sfr_buf_get(loop, 4096)), 4096);
	ck_assert_uint_eq(seen.buf->cap, 4096);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

static bool is_drained(void *arg)
{
	int left = -1;

	ck_assert_int_eq(ioctl(*(int *)arg, FIONREAD, &left), 0);
	return left == 0;
}

/* As files of /proc and pipes are. */
START_TEST(what_comes_in_parts_is_read_to_the_last)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	sfr_buf *buf = sfr_buf_get(loop, 100);
	int fifo, i;

	buf->cap = 10;
	ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
	fifo = owned_fd(openat(dir, "fifo", O_RDWR | O_CLOEXEC));
	ck_assert_int_eq(write(fifo, bytes, 3), 3);
	ck_assert_ptr_nonnull(sfr_read_file(loop, dir, "fifo", buf, record, &seen));
	turn_until_true(loop, is_drained, &fifo);
	for (i = 0; i < 5; i++)
		ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
	ck_assert_int_eq(write(fifo, bytes + 3, 7), 7);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, 10);
	ck_assert(memcmp(seen.buf->data, bytes, 10) == 0);
	ck_assert_int_eq(unlinkat(dir, "fifo", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(what_cannot_be_opened_or_read_is_told)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	sfr_buf *buf = sfr_buf_get(loop, 100), *again = same(buf);

	ck_assert_int_eq(file_read(loop, "none", buf), -ENOENT);
	ck_assert_ptr_eq(seen.buf, again);
	ck_assert_int_eq(file_read(loop, ".", sfr_buf_get(loop, 100)), -EISDIR);
	ck_assert_int_eq(file_read(loop, NULL, sfr_buf_get(loop, 100)), -EFAULT);
	ck_assert_int_eq(file_read(loop, ".", NULL), -SFR_EPOOLEMPTY);
	dir_gone();
}
END_TEST

START_TEST(reading_can_be_cancelled_in_each_turn)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	sfr_batch *batch;
	int n;

	file_write("file", bytes, 4000);
	for (n = 0, seen.result = -ECANCELED; seen.result == -ECANCELED; n++) {
		ck_assert_int_lt(n, 1000);
		seen_release(&seen);
		seen = (struct seen){0};
		batch = sfr_read_file(loop, dir, "file", sfr_buf_get(loop, 4096), record, &seen);
		turns(loop, n, &seen.calls);
		if (!seen.calls)
			ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		turn_until(loop, &seen.calls, 1);
		ck_assert_ptr_nonnull(seen.buf);
	}
	ck_assert_int_eq(seen.result, 4000);
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

/*
 * Sending.
 */

/* A connection whose one end is the recipe's to close, and the other the fixture's. */
static int connection(int *peer)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*peer = owned_fd(fds[1]);
	return fds[0];
}

static bool is_closed(int fd)
{
	return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

/* Receive until the end. */
static size_t received(sfr_loop *loop, int peer)
{
	size_t count = 0;
	ssize_t n;

	for (;;) {
		n = recv(peer, found + count, sizeof(found) - count, MSG_DONTWAIT);
		if (n == 0)
			return count;
		if (n > 0)
			count += (size_t)n;
		else if (errno == EAGAIN)
			ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
		else
			return count; /* reset: what was sent is there before that */
	}
}

START_TEST(what_is_sent_arrives_and_then_the_end_does)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int i, peer;

	for (i = 0; i < SIZES; i++) {
		int fd = connection(&peer);

		seen_release(&seen);
		seen = (struct seen){0};
		ck_assert_ptr_nonnull(
			sfr_send_close(loop, fd, buf_of(loop, sizes[i]), record, &seen));
		ck_assert_uint_eq(received(loop, peer), sizes[i]);
		ck_assert(memcmp(found, bytes, sizes[i]) == 0);
		turn_until(loop, &seen.calls, 1);
		ck_assert_int_eq(seen.result, (int)sizes[i]);
		ck_assert_uint_eq(seen.buf->len, sizes[i]);
		ck_assert(is_closed(fd));
	}
	dir_gone();
}
END_TEST

START_TEST(who_cannot_send_closes_all_the_same)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int peer, fd = connection(&peer);

	ck_assert_int_eq(shutdown(peer, SHUT_RDWR), 0);
	ck_assert_ptr_nonnull(sfr_send_close(loop, fd, buf_of(loop, 100), record, &seen));
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, -EPIPE);
	ck_assert(is_closed(fd));
	dir_gone();
}
END_TEST

/* Neither the buffer nor the descriptor stays behind a peer that does not read. */
START_TEST(a_send_that_waits_can_be_cancelled_and_drained)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	int peer, fd, drain;

	for (drain = 0; drain < 2; drain++) {
		sfr_batch *batch;
		int small = 4096;

		fd = connection(&peer);
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
		seen_release(&seen);
		seen = (struct seen){0};
		batch = sfr_send_close(loop, fd, buf_of(loop, 300000), record, &seen);
		turns(loop, 5, &seen.calls);
		ck_assert_int_eq(seen.calls, 0);
		if (drain)
			ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
		else
			ck_assert_int_eq(sfr_batch_cancel(batch), 0);
		turn_until(loop, &seen.calls, 1);
		ck_assert_msg(seen.result == -ECANCELED ||
				      (seen.result > 0 && seen.result < 300000),
			      "%d", seen.result);
		ck_assert_uint_eq(seen.buf->len, 300000);
		ck_assert(is_closed(fd));
	}
	dir_gone();
}
END_TEST

/*
 * Without memory.
 */

static sfr_batch *copy_start(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_buf_release(buf);
	return sfr_copy_range(loop, fd, 0, fd, 100000, 70000, record_copy, NULL);
}

static sfr_batch *replace_start(sfr_loop *loop, int fd, sfr_buf *buf)
{
	(void)fd;
	return sfr_replace_file(loop, dir, "file", 0600, buf, record, &seen);
}

static sfr_batch *read_start(sfr_loop *loop, int fd, sfr_buf *buf)
{
	(void)fd;
	return sfr_read_file(loop, dir, "file", buf, record, &seen);
}

static sfr_batch *send_start(sfr_loop *loop, int fd, sfr_buf *buf)
{
	sfr_batch *batch = sfr_send_close(loop, fd, buf, record, &seen);

	if (!batch) /* it is still ours */
		close(fd);
	return batch;
}

static sfr_batch *(*const starts[])(sfr_loop *loop, int fd, sfr_buf *buf) = {
	copy_start,
	replace_start,
	read_start,
	send_start,
};

/* With one allocation after the other failing. */
START_TEST(without_memory_a_recipe_is_refused_or_ends_in_order)
{
	sfr_loop *loop = loop_and_dir(_i, FEW);
	size_t kind;
	long made;
	int n, peer, refused, fd;

	for (kind = 0; kind < sizeof(starts) / sizeof(starts[0]); kind++) {
		refused = 0;
		for (n = 1; n < 1000; n++) {
			sfr_buf *buf = buf_of(loop, 100);
			sfr_batch *batch;
			int err, turn;

			file_write("file", "old", 3);
			fd = starts[kind] == send_start ? connection(&peer) : file_of(70000);
			seen_release(&seen);
			seen = (struct seen){0};
			copy_seen_forget();
			allocations_watch(n);
			batch = starts[kind](loop, fd, buf);
			err = errno;
			for (turn = 0; batch && turn < 1000 && !seen.calls && !copy_seen.calls;
			     turn++)
				sfr_loop_step(loop, 1000000);
			made = allocations_end();
			ck_assert_int_eq(seen.calls + copy_seen.calls, batch ? 1 : 0);
			if (!batch)
				ck_assert_int_eq(err, ENOMEM);
			seen_release(&seen);
			ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
			ck_assert_uint_eq(stat_held(loop), 0);
			ck_assert_int_eq(names_left(), 1);
			refused += !batch;
			if (made < n)
				break;
		}
		ck_assert_int_lt(n, 1000);
		ck_assert_int_gt(refused, 0);
		ck_assert(starts[kind] == copy_start ? copy_seen.result == 70000
						     : seen.result >= 0);
	}
	ck_assert_int_eq(unlinkat(dir, "file", 0), 0);
	dir_gone();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("recipes");
	TCase *tc;

	tc = world_case(suite, "copying");
	world_test(tc, a_copy_of_any_size_is_identical);
	world_test(tc, large_buffers_copy_as_well_and_go_back);
	world_test(tc, a_range_is_copied_to_where_it_belongs_and_nothing_else);
	world_test(tc, a_copy_ends_where_the_file_does);
	world_test(tc, one_buffer_is_enough_to_copy_and_none_is_said_at_once);
	world_test(tc, a_copy_tells_of_the_first_error);
	world_test(tc, a_write_that_is_short_is_no_success);
	world_test(tc, offsets_that_leave_the_numbers_are_refused);
	world_test(tc, each_block_is_one_row);
	world_test(tc, a_copy_that_nobody_waits_for_is_made);
	world_test(tc, a_copy_can_be_cancelled_in_each_turn);
	world_test(tc, a_request_that_loses_all_races_still_ends_a_copy);
	world_test(tc, a_copy_can_be_drained_in_each_turn);
	world_test(tc, the_example_of_the_manual_copies_a_block);
	tc = world_case(suite, "replacing");
	world_test(tc, a_replacement_is_written_synced_and_closed_in_one_row);
	world_test(tc, a_file_is_replaced_whatever_its_size);
	world_test(tc, the_buffer_of_a_replacement_comes_back_unchanged);
	world_test(tc, a_chain_of_buffers_becomes_one_file);
	world_test(tc, a_path_may_lead_through_directories);
	world_test(tc, a_name_may_be_as_long_as_names_may_be);
	world_test(tc, what_cannot_be_the_name_of_a_file_is_refused);
	world_test(tc, what_fails_leaves_the_old_contents_and_no_other_name);
	world_test(tc, a_name_that_is_too_long_fails_when_it_is_to_be_used);
	world_test(tc, a_replacement_can_be_cancelled_in_each_turn);
	world_test(tc, a_replacement_can_be_drained_in_each_turn);
	world_test(tc, a_replacement_that_failed_can_be_drained_in_each_turn);
	tc = world_case(suite, "reading");
	world_test(tc, a_file_is_read_whatever_its_size);
	world_test(tc, a_file_that_is_larger_than_the_buffer_fills_it);
	world_test(tc, what_comes_in_parts_is_read_to_the_last);
	world_test(tc, what_cannot_be_opened_or_read_is_told);
	world_test(tc, reading_can_be_cancelled_in_each_turn);
	tc = world_case(suite, "sending");
	world_test(tc, what_is_sent_arrives_and_then_the_end_does);
	world_test(tc, who_cannot_send_closes_all_the_same);
	world_test(tc, a_send_that_waits_can_be_cancelled_and_drained);
	tc = world_case(suite, "without memory");
	world_test(tc, without_memory_a_recipe_is_refused_or_ends_in_order);
	return world_run(suite);
}

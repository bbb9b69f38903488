/* SPDX-License-Identifier: MIT */
/*
 * Files, on every engine.
 */
#include "engine_world.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POSITION ((uint64_t)-1) /* use and move the file's own position */

static char data[256];

static void read_next(int name, int fd, unsigned size, uint64_t offset)
{
	io_uring_prep_read(sqe_next(), fd, data, size, offset);
	sqe_is(name, 0);
}

static void write_next(int name, int fd, const char *text, uint64_t offset)
{
	io_uring_prep_write(sqe_next(), fd, text, (unsigned)strlen(text), offset);
	sqe_is(name, 0);
}

static int position(int fd)
{
	return (int)lseek(fd, 0, SEEK_CUR);
}

static void assert_content(int fd, const char *text)
{
	char content[256] = {0};

	ck_assert_int_eq(pread(fd, content, sizeof(content) - 1, 0), (int)strlen(text));
	ck_assert_str_eq(content, text);
}

/*
 * Reading and writing.
 */

START_TEST(reading_at_an_offset_leaves_the_position_where_it_is)
{
	int fd;

	engine_in(_i, NULL);
	fd = file_with("0123456789");
	read_next(A, fd, 4, 3);
	collect(1);

	ck_assert_int_eq(result_of(A), 4);
	ck_assert_mem_eq(data, "3456", 4);
	ck_assert_int_eq(position(fd), 0);
}
END_TEST

START_TEST(reading_without_an_offset_moves_the_position)
{
	int fd;

	engine_in(_i, NULL);
	fd = file_with("0123456789");
	read_next(A, fd, 4, POSITION);
	collect(1);
	ck_assert_int_eq(position(fd), 4);
	read_next(B, fd, 100, POSITION);
	collect(1);
	ck_assert_int_eq(position(fd), 10);

	ck_assert_int_eq(result_of(A), 4);
	ck_assert_int_eq(result_of(B), 6);
	ck_assert_mem_eq(data, "456789", 6);
}
END_TEST

START_TEST(a_file_ends_with_a_short_read_and_then_zero)
{
	int fd;

	engine_in(_i, NULL);
	fd = file_with("0123456789");
	read_next(A, fd, 100, 0);
	read_next(B, fd, 100, 10);
	read_next(C, fd, 100, 1000);
	collect(3);

	ck_assert_int_eq(result_of(A), 10);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert_int_eq(result_of(C), 0);
}
END_TEST

START_TEST(writing_at_an_offset_leaves_the_position_where_it_is)
{
	int fd;

	engine_in(_i, NULL);
	fd = file_with("0123456789");
	write_next(A, fd, "abc", 8);
	collect(1);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(position(fd), 0);
	assert_content(fd, "01234567abc");
}
END_TEST

START_TEST(writing_without_an_offset_moves_the_position)
{
	int fd;

	engine_in(_i, NULL);
	fd = file_with("0123456789");
	write_next(A, fd, "abc", POSITION);
	collect(1);
	write_next(B, fd, "de", POSITION);
	collect(1);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(position(fd), 5);
	assert_content(fd, "abcde56789");
}
END_TEST

START_TEST(several_pieces_are_read_and_written_as_one)
{
	char in[2][8] = {{0}};
	struct iovec from[] = {{"abc", 3}, {"", 0}, {"defg", 4}};
	struct iovec to[] = {{in[0], 2}, {in[1], 8}};
	int fd;

	engine_in(_i, NULL);
	fd = empty_file();
	io_uring_prep_writev(sqe_next(), fd, from, 3, 1);
	sqe_is(A, IOSQE_IO_LINK);
	io_uring_prep_readv(sqe_next(), fd, to, 2, 1);
	sqe_is(B, 0);
	collect_now();
	if (!differs("small_arguments")) { /* only the bytes must stay where they are */
		memset(from, 0, sizeof(from));
		memset(to, 0, sizeof(to));
	}
	collect(is_pending(A) + is_pending(B));

	ck_assert_int_eq(result_of(A), 7);
	ck_assert_int_eq(result_of(B), 7);
	ck_assert_mem_eq(in[0], "ab", 2);
	ck_assert_mem_eq(in[1], "cdefg", 5);
}
END_TEST

START_TEST(pieces_move_the_position_too)
{
	struct iovec iov = {data, 4};
	int fd;

	engine_in(_i, NULL);
	fd = file_with("0123456789");
	io_uring_prep_readv(sqe_next(), fd, &iov, 1, POSITION);
	sqe_is(A, 0);
	collect(1);
	io_uring_prep_writev(sqe_next(), fd, &iov, 1, POSITION);
	sqe_is(B, 0);
	collect(1);

	ck_assert_int_eq(position(fd), 8);
	assert_content(fd, "0123012389");
}
END_TEST

START_TEST(reading_and_writing_nothing_is_zero)
{
	int fd;

	engine_in(_i, NULL);
	fd = file_with("0123456789");
	read_next(A, fd, 0, 0);
	write_next(B, fd, "", 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 0);
	ck_assert_int_eq(result_of(B), 0);
	assert_content(fd, "0123456789");
}
END_TEST

START_TEST(what_cannot_be_read_or_written_says_why)
{
	int only_write, only_read, directory;

	engine_in(_i, NULL);
	directory = owned_fd(open("/tmp", O_RDONLY | O_DIRECTORY));
	only_write = owned_fd(open("/dev/null", O_WRONLY));
	only_read = owned_fd(open("/dev/null", O_RDONLY));
	read_next(A, directory, 10, 0);
	read_next(B, only_write, 10, 0);
	write_next(C, only_read, "abc", 0);
	read_next(D, 1 << 20, 10, 0);
	write_next(E, -1, "abc", 0);
	collect(5);

	ck_assert_int_eq(result_of(A), -EISDIR);
	ck_assert_int_eq(result_of(B), -EBADF);
	ck_assert_int_eq(result_of(C), -EBADF);
	ck_assert_int_eq(result_of(D), -EBADF);
	ck_assert_int_eq(result_of(E), -EBADF);
}
END_TEST

START_TEST(an_address_without_memory_is_an_error)
{
	char *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (under_valgrind()) /* which speaks up when the interpreter tries */
		return;
	engine_in(_i, NULL);
	io_uring_prep_read(sqe_next(), file_with("abc"), nowhere, 3, 0);
	sqe_is(A, 0);
	io_uring_prep_write(sqe_next(), empty_file(), nowhere, 3, 0);
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), -EFAULT);
	ck_assert_int_eq(result_of(B), -EFAULT);
	munmap(nowhere, 4096);
}
END_TEST

/*
 * What else is done with files.
 */

START_TEST(files_are_synced_and_pipes_cannot_be)
{
	int read_end, write_end;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	io_uring_prep_fsync(sqe_next(), file_with("abc"), 0);
	sqe_is(A, 0);
	io_uring_prep_fsync(sqe_next(), file_with("abc"), IORING_FSYNC_DATASYNC);
	sqe_is(B, 0);
	io_uring_prep_fsync(sqe_next(), read_end, 0);
	sqe_is(C, 0);
	io_uring_prep_fsync(sqe_next(), 1 << 20, 0);
	sqe_is(D, 0);
	collect(4);

	ck_assert_int_eq(result_of(A), 0);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert_int_eq(result_of(C), -EINVAL);
	ck_assert_int_eq(result_of(D), -EBADF);
}
END_TEST

START_TEST(files_are_opened_and_closed)
{
	char name[] = "/tmp/safer-ring-test-XXXXXX", path[sizeof(name)];
	int fd;

	engine_in(_i, NULL);
	close(mkstemp(name));
	unlink(name);
	memcpy(path, name, sizeof(name));
	io_uring_prep_openat(sqe_next(), AT_FDCWD, path, O_CREAT | O_RDWR | O_CLOEXEC, 0640);
	sqe_is(A, 0);
	collect_now();
	if (!differs("small_arguments"))
		path[5] = 'x'; /* it was read when the entry was taken */
	collect(is_pending(A));
	fd = result_of(A);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(unlink(name), 0);

	io_uring_prep_close(sqe_next(), fd);
	sqe_is(B, 0);
	collect(1);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	io_uring_prep_close(sqe_next(), fd);
	sqe_is(C, 0);
	collect(1);
	ck_assert_int_eq(result_of(C), -EBADF);
}
END_TEST

START_TEST(what_cannot_be_opened_says_why)
{
	engine_in(_i, NULL);
	io_uring_prep_openat(sqe_next(), AT_FDCWD, "/nowhere/nothing", O_RDONLY, 0);
	sqe_is(A, 0);
	io_uring_prep_openat(sqe_next(), AT_FDCWD, "/tmp", O_WRONLY, 0);
	sqe_is(B, 0);
	io_uring_prep_openat(sqe_next(), 1 << 20, "nothing", O_RDONLY, 0);
	sqe_is(C, 0);
	collect(3);

	ck_assert_int_eq(result_of(A), -ENOENT);
	ck_assert_int_eq(result_of(B), -EISDIR);
	ck_assert_int_eq(result_of(C), -EBADF);
}
END_TEST

START_TEST(closing_does_not_end_what_waits)
{
	int read_end, write_end, fd;

	engine_in(_i, NULL);
	pair_of_pipe_ends(&read_end, &write_end);
	fd = dup(read_end);
	read_next(A, fd, 10, 0);
	collect(0);
	io_uring_prep_close(sqe_next(), fd);
	sqe_is(B, 0);
	collect(1);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert(is_pending(A));

	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	collect(1);
	ck_assert_int_eq(result_of(A), 3);
}
END_TEST

/* The close comes to pass in the middle of what the arrival sets off. */
START_TEST(nor_does_closing_by_a_row_that_it_wakes)
{
	int near, far, fd;

	engine_in(_i, NULL);
	pair_of_unix_sockets(&near, &far);
	fd = dup(near);
	io_uring_prep_recv(sqe_next(), fd, data, 10, 0);
	sqe_is(A, IOSQE_IO_LINK);
	io_uring_prep_close(sqe_next(), fd);
	sqe_is(B, 0);
	io_uring_prep_poll_add(sqe_next(), fd, POLLPRI);
	sqe_is(C, 0);
	collect(0);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	collect(2);
	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert(is_pending(C));

	fd_empty(far);
	collect(1);
	ck_assert_int_eq(result_of(C) & POLLHUP, POLLHUP);
}
END_TEST

START_TEST(files_tell_about_themselves)
{
	static struct statx about;

	engine_in(_i, NULL);
	io_uring_prep_statx(sqe_next(), file_with("0123456789"), "", AT_EMPTY_PATH, STATX_SIZE,
			    &about);
	sqe_is(A, 0);
	io_uring_prep_statx(sqe_next(), AT_FDCWD, "/nowhere/nothing", 0, STATX_SIZE, &about);
	sqe_is(B, 0);
	collect(2);

	ck_assert_int_eq(result_of(A), 0);
	ck_assert_uint_eq(about.stx_size, 10);
	ck_assert_int_eq(result_of(B), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine files");
	TCase *tc = engine_case(suite, "reading and writing");

	engine_test(tc, reading_at_an_offset_leaves_the_position_where_it_is);
	engine_test(tc, reading_without_an_offset_moves_the_position);
	engine_test(tc, a_file_ends_with_a_short_read_and_then_zero);
	engine_test(tc, writing_at_an_offset_leaves_the_position_where_it_is);
	engine_test(tc, writing_without_an_offset_moves_the_position);
	engine_test(tc, several_pieces_are_read_and_written_as_one);
	engine_test(tc, pieces_move_the_position_too);
	engine_test(tc, reading_and_writing_nothing_is_zero);
	engine_test(tc, what_cannot_be_read_or_written_says_why);
	engine_test(tc, an_address_without_memory_is_an_error);
	tc = engine_case(suite, "the rest");
	engine_test(tc, files_are_synced_and_pipes_cannot_be);
	engine_test(tc, files_are_opened_and_closed);
	engine_test(tc, what_cannot_be_opened_says_why);
	engine_test(tc, closing_does_not_end_what_waits);
	engine_test(tc, nor_does_closing_by_a_row_that_it_wakes);
	engine_test(tc, files_tell_about_themselves);
	return engine_run(suite);
}

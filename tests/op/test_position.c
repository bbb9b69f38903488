/* SPDX-License-Identifier: MIT */
/*
 * The position of a file moves by what was read or written, also where that was less than was asked for.
 */
#include "pending.h"
#include <safer_ring/batch.h>
#include <safer_ring/error.h>
#include <safer_ring/registry.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096
#define BEGIN 100 /* a place in the last page of a file that cannot grow */

static long position(int fd)
{
	return (long)lseek(fd, 0, SEEK_CUR);
}

/* A file with room for so many bytes, and never for more; it is at byte BEGIN. */
static int full_file(size_t size)
{
	int fd = owned_fd(memfd_create("full", MFD_CLOEXEC | MFD_ALLOW_SEALING));

	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	ck_assert_int_eq(lseek(fd, BEGIN, SEEK_SET), BEGIN);
	return fd;
}

static sfr_buf *buf_of(sfr_loop *loop, char letter, size_t len)
{
	sfr_buf *buf = sfr_buf_get(loop, len);

	memset(buf->data, letter, len);
	buf->len = (uint32_t)len;
	return buf;
}

/* From BEGIN on there are so many of one letter, and then of the other, up to the end. */
static void assert_letters(int fd, char first, size_t count, char second, size_t end)
{
	char *bytes = calloc(1, end);
	size_t i;

	ck_assert_int_eq(pread(fd, bytes, end, 0), (ssize_t)end);
	for (i = BEGIN; i < end; i++)
		ck_assert_msg(bytes[i] == (i < BEGIN + count ? first : second), "byte %zu is %c", i,
			      bytes[i]);
	free(bytes);
}

/* No file may become larger than this. */
static void limit_files(rlim_t size)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/*
 * Short writes.
 */

START_TEST(a_short_write_moves_the_position_by_what_it_wrote)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = full_file(2 * PAGE);

	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, buf_of(loop, 'a', 3 * PAGE)), NULL),
			 2 * PAGE - BEGIN);
	ck_assert_int_eq(position(fd), 2 * PAGE);
	ck_assert_int_lt(sfr_await(sfr_write(loop, fd, buf_of(loop, 'b', PAGE)), NULL), 0);

	ck_assert_int_eq(position(fd), 2 * PAGE);
	assert_letters(fd, 'a', 2 * PAGE - BEGIN, 'b', 2 * PAGE);
}
END_TEST

START_TEST(what_is_written_next_follows_it)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_file();

	ck_assert_int_eq(lseek(fd, BEGIN, SEEK_SET), BEGIN);
	limit_files(PAGE + 7);
	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, buf_of(loop, 'a', 2 * PAGE)), NULL),
			 PAGE + 7 - BEGIN);
	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, buf_of(loop, 'a', 1)), NULL), -EFBIG);
	limit_files(RLIM_INFINITY);
	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, buf_of(loop, 'b', PAGE)), NULL), PAGE);

	ck_assert_int_eq(position(fd), 2 * PAGE + 7);
	assert_letters(fd, 'a', PAGE + 7 - BEGIN, 'b', 2 * PAGE + 7);
}
END_TEST

START_TEST(all_of_a_write_is_as_much_as_there_is_room_for)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = full_file(2 * PAGE);
	sfr_buf *buf = buf_of(loop, 'a', 3 * PAGE);

	memset(buf->data + 2 * PAGE - BEGIN, 'b', PAGE + BEGIN);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_write(loop, fd, buf)), NULL), 2 * PAGE - BEGIN);

	ck_assert_int_eq(position(fd), 2 * PAGE);
	assert_letters(fd, 'a', 2 * PAGE - BEGIN, 'b', 2 * PAGE);
}
END_TEST

START_TEST(so_it_is_with_a_chain_of_buffers)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = full_file(2 * PAGE), all;

	for (all = 0; all < 2; all++) {
		sfr_buf *chain = sfr_buf_append(buf_of(loop, 'a', PAGE),
						buf_of(loop, 'b', 2 * PAGE));
		sfr_op *op = sfr_write(loop, fd, chain);

		ck_assert_int_eq(lseek(fd, BEGIN, SEEK_SET), BEGIN);
		ck_assert_int_eq(sfr_await(all ? sfr_all(op) : op, NULL), 2 * PAGE - BEGIN);
		ck_assert_int_eq(position(fd), 2 * PAGE);
		assert_letters(fd, 'a', PAGE, 'b', 2 * PAGE);
	}
}
END_TEST

START_TEST(so_it_is_with_registered_files)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fds[] = {full_file(2 * PAGE), full_file(PAGE)}, names[2];

	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
	ck_assert_int_eq(sfr_await(sfr_write(loop, names[0], buf_of(loop, 'a', 3 * PAGE)), NULL),
			 2 * PAGE - BEGIN);
	ck_assert_int_eq(position(fds[0]), 2 * PAGE);
	ck_assert_int_eq(position(fds[1]), BEGIN);

	ck_assert_int_eq(sfr_await(sfr_close(loop, names[0]), NULL), 0);
	ck_assert_int_eq(sfr_await(sfr_write(loop, names[1], buf_of(loop, 'a', 3 * PAGE)), NULL),
			 PAGE - BEGIN);
	ck_assert_int_eq(position(fds[1]), PAGE);
}
END_TEST

/* There are no holes in what is written, and what is behind a short write goes behind it. */
START_TEST(so_it_is_in_a_batch)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_batch *batch = sfr_batch_new(loop);
	int fd = full_file(2 * PAGE), first, second, third, r;

	first = sfr_batch_add(batch, sfr_write(loop, fd, buf_of(loop, 'a', PAGE)));
	second = sfr_batch_add(batch, sfr_write(loop, fd, buf_of(loop, 'b', 2 * PAGE)));
	third = sfr_batch_add(batch, sfr_write(loop, fd, buf_of(loop, 'c', 1)));
	ck_assert_int_eq(sfr_batch_after(batch, second, first), 0);
	ck_assert_int_eq(sfr_batch_after_any(batch, third, second), 0);
	ck_assert_int_ge(sfr_batch_await(batch), 0);

	ck_assert_int_eq(sfr_batch_result(batch, second, &r), 0);
	ck_assert_int_eq(r, PAGE - BEGIN);
	ck_assert_int_eq(position(fd), 2 * PAGE);
	assert_letters(fd, 'a', PAGE, 'b', 2 * PAGE);
	sfr_batch_free(batch);
}
END_TEST

START_TEST(what_is_appended_in_part_leaves_the_position_at_the_end)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_file();

	ck_assert_int_eq(write(fd, "0123456789", 10), 10);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
	ck_assert_int_eq(lseek(fd, 3, SEEK_SET), 3);
	limit_files(PAGE);
	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, buf_of(loop, 'a', PAGE)), NULL), PAGE - 10);
	limit_files(RLIM_INFINITY);

	ck_assert_int_eq(position(fd), PAGE);
}
END_TEST

/* A number that was a pipe's, and was closed by somebody else. */
START_TEST(so_it_is_with_a_number_that_had_no_position)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = full_file(2 * PAGE), read_end, write_end;

	pair_of_pipe_ends(&read_end, &write_end);
	ck_assert_int_eq(sfr_await(sfr_write(loop, write_end, buf_of(loop, 'a', 8)), NULL), 8);
	ck_assert_int_eq(sfr_await(sfr_read(loop, read_end, sfr_buf_get(loop, 64)), NULL), 8);
	ck_assert_int_eq(dup2(fd, write_end), write_end);
	ck_assert_int_eq(sfr_await(sfr_write(loop, write_end, buf_of(loop, 'a', 3 * PAGE)), NULL),
			 2 * PAGE - BEGIN);

	ck_assert_int_eq(position(fd), 2 * PAGE);
}
END_TEST

/*
 * Reads.
 */

/* Memory of which only the first page is there, and the second never was. */
static void memory_give_back(void *memory, void *arg)
{
	(void)arg;
	munmap(memory, 2 * PAGE);
}

static sfr_buf *buf_with_one_page(sfr_loop *loop)
{
	char *memory = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	ck_assert_int_eq(mprotect(memory, PAGE, PROT_READ | PROT_WRITE), 0);
	return sfr_buf_wrap(loop, memory, 2 * PAGE, memory_give_back, NULL);
}

static int counted_file(void)
{
	int fd = empty_file(), i;

	for (i = 0; i < 4 * PAGE / 8; i++)
		ck_assert_int_eq(dprintf(fd, "%7d\n", i), 8);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

START_TEST(a_read_that_an_error_cuts_short_moves_the_position_by_what_it_read)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = counted_file();
	sfr_buf *buf;

	if (getenv("SFR_EMULATED")) {
		printf("skip - position: an emulator refuses a read that it cannot do whole\n");
		return;
	}
	ck_assert_int_eq(lseek(fd, 8, SEEK_SET), 8);
	ck_assert_int_eq(sfr_await(sfr_read(loop, fd, buf_with_one_page(loop)), NULL), PAGE);
	ck_assert_int_eq(position(fd), PAGE + 8);
	ck_assert_int_ge(sfr_await(sfr_read(loop, fd, sfr_buf_get(loop, 8)), &buf), 8);

	ck_assert_mem_eq(buf->data, "    513\n", 8);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(at_the_end_of_a_file_the_position_is_there)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = counted_file();

	ck_assert_int_eq(lseek(fd, 3 * PAGE + 8, SEEK_SET), 3 * PAGE + 8);
	ck_assert_int_eq(sfr_await(sfr_all(sfr_read(loop, fd, sfr_buf_get(loop, 2 * PAGE))), NULL),
			 PAGE - 8);
	ck_assert_int_eq(position(fd), 4 * PAGE);
	ck_assert_int_eq(sfr_await(sfr_read(loop, fd, sfr_buf_get(loop, 64)), NULL), 0);
	ck_assert_int_eq(position(fd), 4 * PAGE);
}
END_TEST

/* Not every file system has it, and then there is nothing to see. */
START_TEST(without_the_page_cache_reads_and_writes_follow_each_other_too)
{
	char path[64];
	sfr_loop *loop = loop_in(_i, NULL);
	int plain = counted_file(), fd, i;
	sfr_buf *buf;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return;
	owned_fd(fd);
	for (i = 0; i < 4; i++) {
		char begins[9];

		snprintf(begins, sizeof(begins), "%7d\n", i * PAGE / 8);
		ck_assert_int_eq(sfr_await(sfr_read(loop, fd, sfr_buf_get(loop, PAGE)), &buf),
				 PAGE);
		ck_assert_mem_eq(buf->data, begins, 8);
		ck_assert_int_eq(position(fd), (i + 1) * PAGE);
		sfr_buf_release(buf);
	}
	ck_assert_int_eq(lseek(fd, PAGE, SEEK_SET), PAGE);
	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, buf_of(loop, 'a', PAGE)), NULL), PAGE);
	ck_assert_int_eq(position(fd), 2 * PAGE);
	ck_assert_int_eq(sfr_await(sfr_write(loop, fd, buf_of(loop, 'b', PAGE)), NULL), PAGE);

	ck_assert_int_eq(position(fd), 3 * PAGE);
	ck_assert_int_eq(pread(plain, path, 1, PAGE), 1);
	ck_assert_int_eq(path[0], 'a');
}
END_TEST

START_TEST(a_file_that_is_read_on_and_on_moves_to_its_end)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = counted_file();

	sfr_submit(sfr_read_multi(loop, fd), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	ck_assert_uint_eq(seen.bytes, 4 * PAGE);
	ck_assert_int_eq(position(fd), 4 * PAGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("position");
	TCase *tc = world_case(suite, "writes");

	world_test(tc, a_short_write_moves_the_position_by_what_it_wrote);
	world_test(tc, what_is_written_next_follows_it);
	world_test(tc, all_of_a_write_is_as_much_as_there_is_room_for);
	world_test(tc, so_it_is_with_a_chain_of_buffers);
	world_test(tc, so_it_is_with_registered_files);
	world_test(tc, so_it_is_in_a_batch);
	world_test(tc, what_is_appended_in_part_leaves_the_position_at_the_end);
	world_test(tc, so_it_is_with_a_number_that_had_no_position);
	tc = world_case(suite, "reads");
	world_test(tc, a_read_that_an_error_cuts_short_moves_the_position_by_what_it_read);
	world_test(tc, at_the_end_of_a_file_the_position_is_there);
	world_test(tc, without_the_page_cache_reads_and_writes_follow_each_other_too);
	world_test(tc, a_file_that_is_read_on_and_on_moves_to_its_end);
	return world_run(suite);
}

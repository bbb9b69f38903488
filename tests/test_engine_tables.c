/*
 * The tables of registered buffers and descriptors, on every engine.
 */
#include "engine_world.h"
#include <errno.h>
#include <unistd.h>

static char data[256];

static void assert_content(int fd, const char *text)
{
	char content[256] = {0};

	ck_assert_int_eq(pread(fd, content, sizeof(content) - 1, 0), (int)strlen(text));
	ck_assert_str_eq(content, text);
}

#define REGISTERED_SIZE 64

static char around[80], *const registered = around + 8; /* there is memory on both sides */

static void engine_with_buffer(int number)
{
	struct iovec iov = {registered, REGISTERED_SIZE};
	struct sfr__engine *engine = engine_in(number, NULL);

	ck_assert_int_eq(engine->calls->buffers_add(engine, &iov, 1), 0);
}

static void fixed_next(int name, bool write, int fd, char *at, unsigned size, int index)
{
	if (write)
		io_uring_prep_write_fixed(sqe_next(), fd, at, size, 0, index);
	else
		io_uring_prep_read_fixed(sqe_next(), fd, at, size, 0, index);
	sqe_is(name, 0);
}

START_TEST(registered_buffers_are_read_into_and_written_from)
{
	int fd;

	engine_with_buffer(_i);
	fd = file_with("0123456789");
	fixed_next(A, false, fd, registered + 5, 8, 0);
	collect(1);
	fixed_next(B, true, fd, registered + 7, 3, 0);
	collect(1);

	ck_assert_int_eq(result_of(A), 8);
	ck_assert_mem_eq(registered + 5, "01234567", 8);
	ck_assert_int_eq(result_of(B), 3);
	assert_content(fd, "2343456789");
}
END_TEST

START_TEST(a_registered_buffer_waits_for_a_pipe)
{
	int read_end, write_end;

	engine_with_buffer(_i);
	pair_of_pipe_ends(&read_end, &write_end);
	fixed_next(A, false, read_end, registered, REGISTERED_SIZE, 0);
	collect(0);
	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	collect(1);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_mem_eq(registered, "abc", 3);
}
END_TEST

START_TEST(beyond_a_registered_buffer_there_is_nothing)
{
	char *volatile start = registered; /* the compiler need not know */
	int fd;

	engine_with_buffer(_i);
	fd = file_with("0123456789");
	fixed_next(A, false, fd, registered + 60, 8, 0);
	fixed_next(B, false, fd, data, 8, 0);
	fixed_next(C, true, fd, start - 1, 8, 0);
	fixed_next(D, false, fd, registered, 8, 1);
	collect(4);

	ck_assert_int_eq(result_of(A), -EFAULT);
	ck_assert_int_eq(result_of(B), -EFAULT);
	ck_assert_int_eq(result_of(C), -EFAULT);
	ck_assert_int_eq(result_of(D), -EFAULT);
	assert_content(fd, "0123456789");
}
END_TEST

START_TEST(without_registered_buffers_there_are_none)
{
	engine_in(_i, NULL);
	fixed_next(A, false, file_with("0123456789"), registered, 8, 0);
	collect(1);

	ck_assert_int_eq(result_of(A), -EFAULT);
}
END_TEST

START_TEST(registered_descriptors_are_used_by_their_index)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	int fds[3], near, far;

	pair_of_unix_sockets(&near, &far);
	fds[0] = file_with("0123456789");
	fds[1] = -1;
	fds[2] = near;
	ck_assert_int_eq(engine->calls->files_add(engine, fds, 3), 0);
	fd_empty(fds[0]); /* the table keeps the file */
	io_uring_prep_read(sqe_next(), 0, data, 10, 0);
	sqe_is(A, IOSQE_FIXED_FILE);
	io_uring_prep_recv(sqe_next(), 2, data + 16, 10, 0);
	sqe_is(B, IOSQE_FIXED_FILE);
	collect(1);
	ck_assert_int_eq(result_of(A), 10);
	ck_assert_mem_eq(data, "0123456789", 10);

	ck_assert_int_eq(write(far, "abc", 3), 3);
	collect(1);
	ck_assert_int_eq(result_of(B), 3);
	ck_assert_mem_eq(data + 16, "abc", 3);
}
END_TEST

START_TEST(empty_places_and_those_beyond_the_table_are_no_descriptors)
{
	struct sfr__engine *engine = engine_in(_i, NULL);
	int fds[2] = {-1, -1}, i;

	for (i = 0; i < 2; i++) {
		io_uring_prep_read(sqe_next(), 0, data, 10, 0);
		sqe_is(A, IOSQE_FIXED_FILE);
		io_uring_prep_read(sqe_next(), 2, data, 10, 0);
		sqe_is(B, IOSQE_FIXED_FILE);
		io_uring_prep_recv(sqe_next(), -1, data, 10, 0);
		sqe_is(C, IOSQE_FIXED_FILE);
		collect(3);

		ck_assert_int_eq(result_of(A), -EBADF);
		ck_assert_int_eq(result_of(B), -EBADF);
		ck_assert_int_eq(result_of(C), -EBADF);
		if (i == 0)
			ck_assert_int_eq(engine->calls->files_add(engine, fds, 2), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine tables");
	TCase *tc = engine_case(suite, "registered");

	engine_test(tc, registered_buffers_are_read_into_and_written_from);
	engine_test(tc, a_registered_buffer_waits_for_a_pipe);
	engine_test(tc, beyond_a_registered_buffer_there_is_nothing);
	engine_test(tc, without_registered_buffers_there_are_none);
	engine_test(tc, registered_descriptors_are_used_by_their_index);
	engine_test(tc, empty_places_and_those_beyond_the_table_are_no_descriptors);
	return engine_run(suite);
}

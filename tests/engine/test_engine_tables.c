/* SPDX-License-Identifier: MIT */
/*
 * The tables of registered buffers and descriptors, on every engine.
 */
#include "engine_world.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
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

static struct sfr__engine *engine_with_places(int number, unsigned count)
{
	static const int empty[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
	struct sfr__engine *engine = engine_in(number, NULL);

	ck_assert_int_eq(engine->calls->files_add(engine, empty, count), 0);
	return engine;
}

static void registered_recv_next(int name, int place)
{
	io_uring_prep_recv(sqe_next(), place, data, 10, 0);
	sqe_is(name, IOSQE_FIXED_FILE);
}

START_TEST(a_place_is_given_another_file_and_emptied)
{
	struct sfr__engine *engine = engine_with_places(_i, 2);
	int near, far, other_near, other_far;

	pair_of_unix_sockets(&near, &far);
	pair_of_unix_sockets(&other_near, &other_far);
	ck_assert_int_eq(engine->calls->files_update(engine, 1, near), 0);
	registered_recv_next(A, 1);
	collect(0);
	ck_assert_int_eq(engine->calls->files_update(engine, 1, other_near), 0);
	registered_recv_next(B, 1);
	collect(0);
	ck_assert_int_eq(engine->calls->files_update(engine, 1, -1), 0);
	registered_recv_next(C, 1);
	collect(1);

	ck_assert_int_eq(result_of(C), -EBADF);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	collect(1);
	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(write(other_far, "abcd", 4), 4);
	collect(1);
	ck_assert_int_eq(result_of(B), 4);
}
END_TEST

START_TEST(a_place_takes_no_file_that_there_is_not)
{
	struct sfr__engine *engine = engine_with_places(_i, 2);
	const int none[2] = {-1, 1000000};
	int fd = file_with("0123456789");

	ck_assert_int_eq(engine->calls->files_update(engine, 0, fd), 0);
	ck_assert_int_eq(engine->calls->files_update(engine, 0, 1000000), -EBADF);
	ck_assert_int_eq(engine->calls->files_update(engine, 2, fd), -EINVAL);
	ck_assert_int_eq(engine->calls->files_remove(engine), 0);
	ck_assert_int_eq(engine->calls->files_update(engine, 0, fd), -ENXIO);
	ck_assert_int_eq(engine->calls->files_add(engine, none, 2), -EBADF);
	ck_assert_int_eq(engine->calls->files_remove(engine), -ENXIO);
}
END_TEST

START_TEST(a_table_of_files_makes_way_for_another)
{
	struct sfr__engine *engine = engine_with_places(_i, 2);
	int fds[1], near, far;

	pair_of_unix_sockets(&near, &far);
	fds[0] = near;
	ck_assert_int_eq(engine->calls->files_add(engine, fds, 1), -EBUSY);
	ck_assert_int_eq(engine->calls->files_remove(engine), 0);
	ck_assert_int_eq(engine->calls->files_add(engine, fds, 1), 0);
	fd_empty(near);
	registered_recv_next(A, 0);
	collect(0);
	ck_assert_int_eq(engine->calls->files_remove(engine), 0);
	registered_recv_next(B, 0);
	collect(1);

	ck_assert_int_eq(result_of(B), -EBADF);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	collect(1);
	ck_assert_int_eq(result_of(A), 3);
}
END_TEST

/* A socket that listens, and the other end of a connection that waits to be accepted. */
static void listener_and_peer(int *listener, int *peer)
{
	struct sockaddr_in addr;

	*listener = listening_socket(&addr, 4);
	*peer = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	ck_assert_int_eq(connect(*peer, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

START_TEST(what_is_won_goes_into_a_place)
{
	int listener, peer, before;

	engine_with_places(_i, 3);
	listener_and_peer(&listener, &peer);
	before = open_descriptors();
	io_uring_prep_accept_direct(sqe_next(), listener, NULL, NULL, 0, 0);
	sqe_is(A, 0);
	io_uring_prep_openat_direct(sqe_next(), AT_FDCWD, "/dev/zero", O_RDONLY, 0, 1);
	sqe_is(B, 0);
	io_uring_prep_socket_direct(sqe_next(), AF_UNIX, SOCK_STREAM, 0, 2, 0);
	sqe_is(C, 0);
	collect(3);
	ck_assert_int_eq(result_of(A), 0);
	ck_assert_int_eq(result_of(B), 0);
	ck_assert_int_eq(result_of(C), 0);

	ck_assert_int_eq(write(peer, "abc", 3), 3);
	registered_recv_next(D, 0);
	io_uring_prep_read(sqe_next(), 1, data + 16, 10, 0);
	sqe_is(E, IOSQE_FIXED_FILE);
	registered_recv_next(F, 2);
	collect(3);
	ck_assert_int_eq(result_of(D), 3);
	ck_assert_int_eq(result_of(E), 10);
	ck_assert_int_eq(result_of(F), -EINVAL); /* not connected */

	io_uring_prep_close_direct(sqe_next(), 0);
	sqe_is(G, 0);
	io_uring_prep_close_direct(sqe_next(), 1);
	sqe_is(H, 0);
	io_uring_prep_close_direct(sqe_next(), 2);
	sqe_is(CANCEL, 0);
	collect(3);
	ck_assert_int_eq(result_of(G), 0);
	ck_assert_int_eq(result_of(H), 0);
	ck_assert_int_eq(result_of(CANCEL), 0);
	ck_assert_int_eq(read(peer, data, 1), 0);         /* nobody has the other end */
	ck_assert_int_le(open_descriptors(), before + 1); /* that one of the engine's workers */
}
END_TEST

START_TEST(what_is_won_replaces_what_a_place_had)
{
	struct sfr__engine *engine = engine_with_places(_i, 1);
	int near, far;

	pair_of_unix_sockets(&near, &far);
	ck_assert_int_eq(engine->calls->files_update(engine, 0, near), 0);
	fd_empty(near);
	registered_recv_next(A, 0);
	collect(0);
	io_uring_prep_openat_direct(sqe_next(), AT_FDCWD, "/dev/zero", O_RDONLY, 0, 0);
	sqe_is(B, 0);
	collect(1);
	ck_assert_int_eq(result_of(B), 0);

	ck_assert_int_eq(write(far, "abc", 3), 3);
	collect(1);
	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(read(far, data, 1), 0);
}
END_TEST

START_TEST(what_is_won_without_a_place_is_closed)
{
	struct sfr__engine *engine = engine_with_places(_i, 1);
	int before = open_descriptors();

	io_uring_prep_openat_direct(sqe_next(), AT_FDCWD, "/dev/zero", O_RDONLY, 0, 1);
	sqe_is(A, 0);
	io_uring_prep_close_direct(sqe_next(), 1);
	sqe_is(B, 0);
	io_uring_prep_close_direct(sqe_next(), 0);
	sqe_is(C, 0);
	collect(3);
	ck_assert_int_eq(result_of(A), -EINVAL);
	ck_assert_int_eq(result_of(B), -EINVAL);
	ck_assert_int_eq(result_of(C), -EBADF);

	ck_assert_int_eq(engine->calls->files_remove(engine), 0);
	io_uring_prep_openat_direct(sqe_next(), AT_FDCWD, "/dev/zero", O_RDONLY, 0, 0);
	sqe_is(D, 0);
	io_uring_prep_close_direct(sqe_next(), 0);
	sqe_is(E, 0);
	collect(2);
	ck_assert_int_eq(result_of(D), -ENXIO);
	ck_assert_int_eq(result_of(E), -ENXIO);
	ck_assert_int_le(open_descriptors(), before + 1); /* that one of the engine's workers */
}
END_TEST

START_TEST(a_place_has_no_flag_for_programs_that_are_executed)
{
	int listener, peer;

	engine_with_places(_i, 3);
	listener_and_peer(&listener, &peer);
	io_uring_prep_accept_direct(sqe_next(), listener, NULL, NULL, SOCK_CLOEXEC, 0);
	sqe_is(A, 0);
	collect(1);
	io_uring_prep_openat_direct(sqe_next(), AT_FDCWD, "/dev/zero", O_CLOEXEC, 0, 1);
	sqe_is(B, 0);
	collect(1);
	io_uring_prep_socket_direct(sqe_next(), AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, 2, 0);
	sqe_is(C, 0);
	collect(1);
	io_uring_prep_close_direct(sqe_next(), 0);
	sqe_is(D, 0)->fd = 1;
	collect(1);

	ck_assert_int_eq(result_of(A), -EINVAL);
	ck_assert_int_eq(result_of(B), -EINVAL);
	ck_assert_int_eq(result_of(C), -EINVAL);
	ck_assert_int_eq(result_of(D), -EINVAL);
}
END_TEST

START_TEST(a_row_opens_reads_and_closes_a_place)
{
	engine_with_places(_i, 1);
	io_uring_prep_openat_direct(sqe_next(), AT_FDCWD, "/dev/zero", O_RDONLY, 0, 0);
	sqe_is(A, IOSQE_IO_LINK);
	io_uring_prep_read(sqe_next(), 0, data, 10, 0);
	sqe_is(B, IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK);
	io_uring_prep_close_direct(sqe_next(), 0);
	sqe_is(C, 0);
	collect(3);

	ck_assert_int_eq(result_of(A), 0);
	ck_assert_int_eq(result_of(B), 10);
	ck_assert_int_eq(result_of(C), 0);
}
END_TEST

START_TEST(a_place_of_the_registered_buffers_is_filled_and_emptied)
{
	struct iovec places[2] = {{NULL, 0}, {registered, REGISTERED_SIZE}}, more = {data, 64};
	struct sfr__engine *engine = engine_in(_i, NULL);
	int fd = file_with("0123456789");

	ck_assert_int_eq(engine->calls->buffers_update(engine, 0, &more), -ENXIO);
	ck_assert_int_eq(engine->calls->buffers_add(engine, places, 2), 0);
	fixed_next(A, false, fd, data, 8, 0);
	fixed_next(B, false, fd, registered, 8, 1);
	collect(2);
	ck_assert_int_eq(result_of(A), -EFAULT);
	ck_assert_int_eq(result_of(B), 8);

	ck_assert_int_eq(engine->calls->buffers_update(engine, 0, &more), 0);
	ck_assert_int_eq(engine->calls->buffers_update(engine, 2, &more), -EINVAL);
	fixed_next(C, false, fd, data, 8, 0);
	collect(1);
	ck_assert_int_eq(result_of(C), 8);

	more = (struct iovec){0};
	ck_assert_int_eq(engine->calls->buffers_update(engine, 0, &more), 0);
	fixed_next(D, false, fd, data, 8, 0);
	collect(1);
	ck_assert_int_eq(result_of(D), -EFAULT);
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
	engine_test(tc, a_place_of_the_registered_buffers_is_filled_and_emptied);
	tc = engine_case(suite, "places");
	engine_test(tc, a_place_is_given_another_file_and_emptied);
	engine_test(tc, a_place_takes_no_file_that_there_is_not);
	engine_test(tc, a_table_of_files_makes_way_for_another);
	engine_test(tc, what_is_won_goes_into_a_place);
	engine_test(tc, what_is_won_replaces_what_a_place_had);
	engine_test(tc, what_is_won_without_a_place_is_closed);
	engine_test(tc, a_place_has_no_flag_for_programs_that_are_executed);
	engine_test(tc, a_row_opens_reads_and_closes_a_place);
	return engine_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Registered files and buffers: names that operations take for descriptors, places that they fill and empty,
 * memory that the engine keeps at hand.
 */
#include "loop/op_cell.h"
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int name_of(sfr_loop *loop, int fd)
{
	int name;

	ck_assert_int_eq(sfr_files_register(loop, &fd, 1, &name), 0);
	return name;
}

/* So many empty places. */
static void places_of(sfr_loop *loop, int *names, unsigned count)
{
	static const int none[8] = {-1, -1, -1, -1, -1, -1, -1, -1};

	ck_assert_int_eq(sfr_files_register(loop, none, count, names), 0);
}

/* The file is registered, and the caller has no descriptor of it any more. */
static int only_name_of(sfr_loop *loop, int fd)
{
	int name = name_of(loop, fd), null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(dup2(null, fd), fd); /* the fixture closes the number */
	close(null);
	return name;
}

/* Whether the world leaves this on. */
static bool world_has(int world, const char *key)
{
	sfr_config *config = config_in(world, NULL);
	char value[16];

	ck_assert_int_gt(sfr_config_get(config, key, value, sizeof(value)), 0);
	sfr_config_free(config);
	return strcmp(value, "off") != 0;
}

/* A name that no table of a test reaches. */
static int strange_name(const int *name)
{
	return *name + 100;
}

/*
 * Names.
 */

START_TEST(names_are_below_everything_that_stands_for_a_descriptor)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int names[8], i;

	places_of(loop, names, 8);
	for (i = 0; i < 8; i++) {
		ck_assert_int_lt(names[i], AT_FDCWD);
		ck_assert_int_eq(names[i], names[0] + i);
	}
}
END_TEST

START_TEST(what_is_done_with_files_is_done_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int name = only_name_of(loop, empty_file());
	sfr_buf *buf;

	ck_assert_int_eq(awaited(sfr_write(loop, name, sfr_buf_from(loop, "hello", 5))), 5);
	ck_assert_int_eq(awaited(sfr_write_at(loop, name, sfr_buf_from(loop, "J", 1), 0)), 1);
	ck_assert_int_eq(awaited(sfr_fsync(loop, name)), 0);
	ck_assert_int_eq(awaited(sfr_fdatasync(loop, name)), 0);
	ck_assert_int_eq(awaited(sfr_fallocate(loop, name, 0, 0, 8192)), 0);
	ck_assert_int_eq(awaited(sfr_ftruncate(loop, name, 4)),
			 world_has(_i, "features.new_opcodes") ? 0 : -SFR_EUNSUPPORTED);
	ck_assert_int_ge(sfr_await(sfr_read_at(loop, name, sfr_buf_get(loop, 4), 0), &buf), 4);

	ck_assert_mem_eq(buf->data, "Jell", 4);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(what_is_done_with_sockets_is_done_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far, name;
	char text[8];

	pair_of_sockets(&near, &far);
	name = only_name_of(loop, near);
	sfr_submit(sfr_recv(loop, name, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_eq(awaited(sfr_send(loop, name, sfr_buf_from(loop, "hello", 5))), 5);
	ck_assert_int_eq(read(far, text, sizeof(text)), 5);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 3);
	ck_assert_mem_eq(seen.buf->data, "abc", 3);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	ck_assert_int_eq(awaited(sfr_poll(loop, name, POLLIN)) & POLLIN, POLLIN);
	ck_assert_int_eq(awaited(sfr_recv(loop, name, sfr_buf_get(loop, 64))), 3);
	ck_assert_int_eq(awaited(sfr_shutdown(loop, name, SHUT_WR)), 0);

	ck_assert_int_eq(read(far, text, sizeof(text)), 0);
}
END_TEST

START_TEST(connections_are_made_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int fds[2], names[2], fd;

	fds[0] = listening_socket(&addr, 4);
	fds[1] = owned_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
	sfr_submit(sfr_accept(loop, names[0]), record, &seen);
	ck_assert_int_eq(
		awaited(sfr_connect(loop, names[1], (struct sockaddr *)&addr, sizeof(addr))), 0);
	turn_until(loop, &seen.calls, 1);

	fd = owned_fd(seen.result);
	ck_assert_int_eq(write(fd, "abc", 3), 3);
	ck_assert_int_eq(awaited(sfr_recv(loop, names[1], sfr_buf_get(loop, 64))), 3);
}
END_TEST

/* A socket for datagrams, on loopback. */
static int datagram_socket(struct sockaddr_in *addr_out)
{
	socklen_t size = sizeof(*addr_out);
	int fd = owned_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	*addr_out = (struct sockaddr_in){.sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(bind(fd, (struct sockaddr *)addr_out, size), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)addr_out, &size), 0);
	return fd;
}

START_TEST(datagrams_are_sent_and_received_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr, unused;
	int fds[2], names[2], i;

	fds[0] = datagram_socket(&addr);
	fds[1] = datagram_socket(&unused);
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
	sfr_submit(sfr_recvfrom(loop, names[0], sfr_buf_get(loop, 1000)), record, &seen);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(awaited(sfr_sendto(loop, names[1], sfr_buf_from(loop, "abc", 3),
						    (struct sockaddr *)&addr, sizeof(addr))),
				 3);
		turn_until(loop, i ? &other.calls : &seen.calls, i ? i : 1);
		if (i == 0)
			sfr_submit(sfr_recvfrom_multi(loop, names[0]), record, &other);
	}

	ck_assert_int_eq(seen.result, 3);
	ck_assert_int_eq(other.bytes, 6);
}
END_TEST

START_TEST(what_the_library_lags_behind_is_done_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far, name;
	sfr_buf *buf = sfr_buf_get(loop, 64);
	struct io_uring_sqe sqe = {0};
	char text[8];

	pair_of_sockets(&near, &far);
	name = only_name_of(loop, near);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	io_uring_prep_recv(&sqe, name, buf->data, 64, 0);
	ck_assert_int_eq(sfr_await(sfr_raw(loop, &sqe, buf), &buf), 3);
	ck_assert_mem_eq(buf->data, "abc", 3);
	sfr_buf_release(buf);
	ck_assert_int_eq(awaited(sfr_send_zc(loop, name, sfr_buf_from(loop, "abc", 3))), 3);

	ck_assert_int_eq(read(far, text, sizeof(text)), 3);
}
END_TEST

START_TEST(pipes_are_read_and_polled_on_and_on_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fds[2], names[2], write_end, polled_end, i;

	pair_of_pipe_ends(&fds[0], &write_end);
	pair_of_pipe_ends(&fds[1], &polled_end);
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
	sfr_submit(sfr_read_multi(loop, names[0]), record, &seen);
	sfr_submit(sfr_poll_multi(loop, names[1], POLLIN), record, &other);
	ck_assert_int_eq(write(polled_end, "a", 1), 1);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(write(write_end, "abc", 3), 3);
		turn_until(loop, &seen.calls, i + 1);
		turn_until(loop, &other.calls, i + 1);
		ck_assert_int_eq(seen.result, 3);
		ck_assert_int_eq(other.result & POLLIN, POLLIN);
	}
}
END_TEST

START_TEST(bytes_are_spliced_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fds[2], names[2], first_end, last_end, way;
	char byte;

	pair_of_pipe_ends(&fds[0], &first_end);
	pair_of_pipe_ends(&last_end, &fds[1]);
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
	for (way = 0; way < 4; way++) {
		int in = way & 1 ? names[0] : fds[0], out = way & 2 ? names[1] : fds[1];

		seen = (struct seen){0};
		sfr_submit(sfr_splice(loop, in, -1, out, -1, 64, 0), record, &seen);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_files_unregister(loop), way ? -SFR_EOPSINFLIGHT : 0);
		if (!way)
			ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
		ck_assert_int_eq(write(first_end, "a", 1), 1);
		turn_until(loop, &seen.calls, 1);
		ck_assert_int_eq(seen.result, 1);
		ck_assert_int_eq(read(last_end, &byte, 1), 1);

		sfr_submit(sfr_splice(loop, in, -1, out, -1, 64, 0), record, &seen);
		ck_assert_int_eq(sfr_cancel_fd(loop, in), 1);
		turn_until(loop, &seen.calls, 2);
		ck_assert_int_eq(seen.result, -ECANCELED);
	}

	ck_assert_int_eq(awaited(sfr_close(loop, names[0])), 0);
	ck_assert_int_eq(awaited(sfr_splice(loop, names[0], -1, fds[1], -1, 64, 0)),
			 -SFR_ENOTREGISTERED);
}
END_TEST

/* Also where they are armed anew each time, or poll first. */
START_TEST(multishot_operations_go_on_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fds[2], names[2], far, i;
	struct sockaddr_in addr;

	fds[0] = listening_socket(&addr, 4);
	pair_of_unix_sockets(&fds[1], &far);
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
	sfr_submit(sfr_accept_multi(loop, names[0]), record, &seen);
	sfr_submit(sfr_recv_multi(loop, names[1]), record, &other);
	for (i = 0; i < 4; i++) {
		int fd = owned_fd(socket(AF_INET, SOCK_STREAM, 0));

		ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
		ck_assert_int_eq(write(far, "abc", 3), 3);
		turn_until(loop, &seen.calls, i + 1);
		turn_until(loop, &other.calls, i + 1);
		owned_fd(seen.result);
		ck_assert_int_eq(other.result, 3);
	}
}
END_TEST

START_TEST(ops_by_name_are_cancelled_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far, name;

	pair_of_sockets(&near, &far);
	name = name_of(loop, near);
	sfr_submit(sfr_recv(loop, name, sfr_buf_get(loop, 64)), record, &seen);
	sfr_submit(sfr_recv(loop, far, sfr_buf_get(loop, 64)), record, &other);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, near), 0);
	ck_assert_int_eq(sfr_cancel_fd(loop, name), 1);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_int_eq(other.calls, 0);
}
END_TEST

START_TEST(ops_by_name_have_deadlines_and_are_abandoned)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int name = name_of(loop, empty_pipe());
	sfr_ticket ticket;

	ck_assert_int_eq(awaited(sfr_within(sfr_read(loop, name, sfr_buf_get(loop, 64)), 1000000)),
			 -ETIMEDOUT);
	ticket = sfr_submit(sfr_read(loop, name, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	ck_assert_int_eq(sfr_files_unregister(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(sfr_files_unregister(loop), 0);
}
END_TEST

START_TEST(a_name_of_nothing_is_not_registered)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int name, nothing[3], i;
	struct sockaddr_in addr = {.sin_family = AF_INET};

	places_of(loop, &name, 1);
	nothing[0] = name;
	nothing[1] = strange_name(&name);
	nothing[2] = INT_MIN + 32767;
	for (i = 0; i < 4; i++) {
		int fd = nothing[i % 3];

		if (i == 3) /* and once more without a table */
			ck_assert_int_eq(sfr_files_unregister(loop), 0);
		ck_assert_int_eq(awaited(sfr_read(loop, fd, sfr_buf_get(loop, 64))),
				 -SFR_ENOTREGISTERED);
		ck_assert_int_eq(awaited(sfr_send(loop, fd, sfr_buf_from(loop, "a", 1))),
				 -SFR_ENOTREGISTERED);
		ck_assert_int_eq(awaited(sfr_poll(loop, fd, POLLIN)), -SFR_ENOTREGISTERED);
		ck_assert_int_eq(awaited(sfr_accept(loop, fd)), -SFR_ENOTREGISTERED);
		ck_assert_int_eq(
			awaited(sfr_connect(loop, fd, (struct sockaddr *)&addr, sizeof(addr))),
			-SFR_ENOTREGISTERED);
		ck_assert_int_eq(awaited(sfr_fsync(loop, fd)), -SFR_ENOTREGISTERED);
		ck_assert_int_eq(awaited(sfr_ftruncate(loop, fd, 0)), -SFR_ENOTREGISTERED);
		ck_assert_int_eq(awaited(sfr_shutdown(loop, fd, SHUT_WR)), -SFR_ENOTREGISTERED);
		ck_assert_int_eq(awaited(sfr_close(loop, fd)), -SFR_ENOTREGISTERED);
		seen = (struct seen){0};
		sfr_submit(sfr_recv_multi(loop, fd), record, &seen);
		turn_until(loop, &seen.calls, 1);
		ck_assert_int_eq(seen.result, -SFR_ENOTREGISTERED);
	}
}
END_TEST

START_TEST(a_file_that_may_not_be_written_says_so_by_name_as_well)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int name = name_of(loop, owned_fd(open("/dev/null", O_RDONLY | O_CLOEXEC)));

	ck_assert_int_eq(awaited(sfr_write(loop, name, sfr_buf_from(loop, "a", 1))), -EBADF);
}
END_TEST

START_TEST(paths_do_not_begin_at_a_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int dir = owned_fd(open("/tmp", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	int name = name_of(loop, dir);
	sfr_op *ops[] = {
		sfr_openat(loop, name, "none", O_RDONLY, 0),
		sfr_statx(loop, name, "none", 0, STATX_BASIC_STATS, sfr_buf_get(loop, 512)),
		sfr_unlinkat(loop, name, "none", 0),
		sfr_mkdirat(loop, name, "none/none", 0700),
		sfr_symlinkat(loop, "none", name, "none/none"),
		sfr_renameat(loop, name, "none", dir, "none", 0),
		sfr_renameat(loop, dir, "none", name, "none", 0),
		sfr_linkat(loop, name, "none", dir, "none", 0),
		sfr_linkat(loop, dir, "none", name, "none", 0),
	};
	size_t i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		ck_assert_int_eq(awaited(ops[i]), -SFR_EUNSUPPORTED);
}
END_TEST

/*
 * The table.
 */

START_TEST(there_is_one_table_at_a_time)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far, name, again = 0, i;

	for (i = 0; i < 3; i++) {
		pair_of_unix_sockets(&near, &far);
		name = name_of(loop, near);
		ck_assert_int_eq(sfr_files_register(loop, &near, 1, &again), -EBUSY);
		ck_assert_int_eq(again, 0);
		ck_assert_int_eq(write(far, "abc", 3), 3);
		ck_assert_int_eq(awaited(sfr_recv(loop, name, sfr_buf_get(loop, 64))), 3);
		ck_assert_int_eq(sfr_files_unregister(loop), 0);
		ck_assert_int_eq(sfr_files_unregister(loop), -SFR_ENOTREGISTERED);
	}
}
END_TEST

START_TEST(what_cannot_be_registered_is_refused_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fds[3] = {empty_pipe(), 1000000, -2}, names[3] = {0};

	ck_assert_int_eq(sfr_files_register(loop, fds, 0, names), -EINVAL);
	ck_assert_int_eq(sfr_files_register(loop, fds, 32769, names), -EINVAL);
	ck_assert_int_eq(sfr_files_register(loop, NULL, 1, names), -EINVAL);
	ck_assert_int_eq(sfr_files_register(loop, fds, 1, NULL), -EINVAL);
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), -EBADF);
	fds[1] = fds[2];
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), -EBADF);
	fds[1] = INT_MIN;
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), -EBADF);

	ck_assert_int_eq(names[0], 0);
	ck_assert_int_eq(sfr_files_register(loop, fds, 1, names), 0);
}
END_TEST

START_TEST(more_files_than_this_process_may_open_are_refused)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct rlimit limit;
	int fds[200], names[200], i, r;

	for (i = 0; i < 200; i++)
		fds[i] = 0;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 150;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	r = sfr_files_register(loop, fds, 200, names);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);

	ck_assert_int_eq(r, -EMFILE);
	ck_assert_uint_eq(limit.rlim_cur, 150);
	ck_assert_int_eq(sfr_files_register(loop, fds, 20, names), 0);
}
END_TEST

/* No descriptor is left: not for a copy either, if the engine makes one. */
START_TEST(without_descriptors_it_is_not_the_file_that_is_wrong)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct rlimit limit, none;
	int fd = empty_pipe(), name, r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = sfr_files_register(loop, &fd, 1, &name);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

	ck_assert_int_eq(r, -EMFILE);
	ck_assert_int_eq(sfr_files_register(loop, &fd, 1, &name), 0);
}
END_TEST

START_TEST(the_table_stays_while_an_op_needs_it)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far, name;

	pair_of_sockets(&near, &far);
	name = name_of(loop, near);
	sfr_submit(sfr_recv(loop, name, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_eq(sfr_files_unregister(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_files_unregister(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, 3);
	ck_assert_int_eq(sfr_files_unregister(loop), 0);
}
END_TEST

START_TEST(a_loop_closes_what_is_registered)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far;
	char byte;

	pair_of_unix_sockets(&near, &far);
	(void)only_name_of(loop, near);
	loop_end();

	ck_assert_int_eq(read(far, &byte, 1), 0);
}
END_TEST

/*
 * Places.
 */

START_TEST(a_place_is_emptied_by_closing_its_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far, name;
	char byte;

	pair_of_unix_sockets(&near, &far);
	name = only_name_of(loop, near);
	ck_assert_int_eq(awaited(sfr_close(loop, name)), 0);
	ck_assert_int_eq(read(far, &byte, 1), 0);
	ck_assert_int_eq(awaited(sfr_close(loop, name)), -SFR_ENOTREGISTERED);

	ck_assert_int_eq(
		awaited(sfr_into(sfr_openat(loop, AT_FDCWD, "/dev/zero", O_RDONLY, 0), name)), 0);
	ck_assert_int_gt(awaited(sfr_read(loop, name, sfr_buf_get(loop, 64))), 0);
}
END_TEST

START_TEST(an_op_in_flight_keeps_its_file_when_the_name_is_closed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far, name;

	pair_of_unix_sockets(&near, &far);
	name = only_name_of(loop, near);
	sfr_submit(sfr_recv(loop, name, sfr_buf_get(loop, 64)), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(awaited(sfr_close(loop, name)), 0);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, 3);
}
END_TEST

START_TEST(what_an_op_wins_goes_into_a_place)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 4), peer, names[4], before;
	char byte;

	peer = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	ck_assert_int_eq(connect(peer, (struct sockaddr *)&addr, sizeof(addr)), 0);
	places_of(loop, names, 4);
	before = open_descriptors();
	ck_assert_int_eq(awaited(sfr_into(sfr_accept(loop, listener), names[3])), 0);
	ck_assert_int_eq(
		awaited(sfr_into(sfr_openat(loop, AT_FDCWD, "/dev/zero", O_RDONLY, 0), names[1])),
		0);
	ck_assert_int_eq(awaited(sfr_into(sfr_socket(loop, AF_INET, SOCK_STREAM, 0), names[2])), 0);

	ck_assert_int_eq(awaited(sfr_send(loop, names[3], sfr_buf_from(loop, "a", 1))), 1);
	ck_assert_int_eq(read(peer, &byte, 1), 1);
	ck_assert_int_gt(awaited(sfr_read(loop, names[1], sfr_buf_get(loop, 64))), 0);
	ck_assert_int_eq(
		awaited(sfr_connect(loop, names[2], (struct sockaddr *)&addr, sizeof(addr))), 0);
	ck_assert_int_eq(awaited(sfr_close(loop, names[1])), 0);
	ck_assert_int_eq(awaited(sfr_close(loop, names[2])), 0);
	ck_assert_int_eq(awaited(sfr_close(loop, names[3])), 0);
	ck_assert_int_eq(read(peer, &byte, 1), 0);
	ck_assert_int_le(open_descriptors(), before + 1); /* of the workers */
}
END_TEST

static sfr_op *zeros_into(sfr_loop *loop, int name)
{
	return sfr_into(sfr_openat(loop, AT_FDCWD, "/dev/zero", O_RDONLY, 0), name);
}

START_TEST(a_taken_place_is_not_taken_again)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int near, far, names[2], fds[2] = {-1};

	pair_of_unix_sockets(&near, &far);
	fds[0] = near;
	fds[1] = -1;
	ck_assert_int_eq(sfr_files_register(loop, fds, 2, names), 0);
	ck_assert_int_eq(awaited(zeros_into(loop, names[0])), -EBUSY);
	sfr_submit(zeros_into(loop, names[1]), record, &seen);
	sfr_submit(zeros_into(loop, names[1]), record, &other); /* the other is on its way */
	turn_until(loop, &seen.calls, 1);
	turn_until(loop, &other.calls, 1);

	ck_assert_int_eq(seen.result, 0);
	ck_assert_int_eq(other.result, -EBUSY);
	ck_assert_int_eq(awaited(zeros_into(loop, names[1])), -EBUSY);
	ck_assert_int_eq(write(far, "abc", 3), 3);
	ck_assert_int_eq(awaited(sfr_recv(loop, names[0], sfr_buf_get(loop, 64))), 3);
	ck_assert_int_gt(awaited(sfr_read(loop, names[1], sfr_buf_get(loop, 64))), 0);
}
END_TEST

START_TEST(what_has_no_place_to_go_into_is_refused_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int name, before;

	ck_assert_ptr_null(sfr_into(NULL, INT_MIN));
	before = open_descriptors();
	ck_assert_int_eq(awaited(zeros_into(loop, INT_MIN)), -SFR_ENOTREGISTERED);
	places_of(loop, &name, 1);
	ck_assert_int_eq(awaited(zeros_into(loop, strange_name(&name))), -SFR_ENOTREGISTERED);
	ck_assert_int_eq(awaited(zeros_into(loop, 3)), -SFR_ENOTREGISTERED);
	ck_assert_int_eq(awaited(zeros_into(loop, -1)), -SFR_ENOTREGISTERED);
	ck_assert_int_eq(awaited(sfr_into(sfr_nop(loop), name)), -EINVAL);
	ck_assert_int_eq(awaited(sfr_into(sfr_write(loop, 1, sfr_buf_from(loop, "a", 1)), name)),
			 -EINVAL);
	sfr_submit(sfr_into(sfr_accept_multi(loop, empty_pipe()), name), record, &seen);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, -EINVAL);
	ck_assert_int_eq(awaited(sfr_into(sfr_openat(loop, AT_FDCWD, "/none", O_RDONLY, 0), name)),
			 -ENOENT);
	ck_assert_int_le(open_descriptors(), before + 3); /* of the pipe, and the workers */
	ck_assert_int_eq(awaited(zeros_into(loop, name)), 0);
}
END_TEST

START_TEST(a_place_is_free_again_when_the_op_that_was_to_fill_it_is_cancelled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 4), name, turns;

	places_of(loop, &name, 1);
	for (turns = 0; turns < 2; turns++) {
		sfr_ticket ticket;

		seen = (struct seen){0};
		ticket = sfr_submit(sfr_into(sfr_accept(loop, listener), name), record, &seen);
		if (turns)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		turn_until(loop, &seen.calls, 1);
		ck_assert_int_eq(seen.result, -ECANCELED);
	}
	sfr_op_discard(sfr_into(sfr_accept(loop, listener), name));

	ck_assert_int_eq(awaited(sfr_within(sfr_into(sfr_accept(loop, listener), name), 1000000)),
			 -ETIMEDOUT);
	ck_assert_int_eq(awaited(zeros_into(loop, name)), 0);
}
END_TEST

START_TEST(what_an_abandoned_op_wins_leaves_its_place_empty)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 4), peer, name;
	sfr_ticket ticket;
	char byte;

	peer = owned_fd(socket(AF_INET, SOCK_STREAM, 0));
	ck_assert_int_eq(connect(peer, (struct sockaddr *)&addr, sizeof(addr)), 0);
	places_of(loop, &name, 1);
	ticket = sfr_submit(sfr_into(sfr_accept(loop, listener), name), record, &seen);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(read(peer, &byte, 1), 0); /* nobody has it */
	ck_assert_int_eq(awaited(sfr_read(loop, name, sfr_buf_get(loop, 64))), -SFR_ENOTREGISTERED);
	ck_assert_int_eq(awaited(zeros_into(loop, name)), 0);
}
END_TEST

START_TEST(a_loop_that_drains_fills_no_place)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 4), name;

	places_of(loop, &name, 1);
	sfr_submit(sfr_into(sfr_accept(loop, listener), name), record, &seen);
	ck_assert_int_eq(sfr_files_unregister(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_int_eq(sfr_files_unregister(loop), 0);
}
END_TEST

/* More of them than the ring has entries, so that some wait in the loop. */
START_TEST(many_places_are_filled_and_emptied_at_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fds[100], names[100], i;

	for (i = 0; i < 100; i++)
		fds[i] = -1;
	ck_assert_int_eq(sfr_files_register(loop, fds, 100, names), 0);
	for (i = 0; i < 100; i++)
		sfr_submit(zeros_into(loop, names[i]), record, &seen);
	turn_until(loop, &seen.calls, 100);
	for (i = 0; i < 64; i++)
		ck_assert_int_eq(seen.results[i], 0);
	for (i = 0; i < 100; i++)
		sfr_submit(sfr_read(loop, names[i], sfr_buf_get(loop, 8)), record, &other);
	turn_until(loop, &other.calls, 100);
	ck_assert_uint_eq(other.bytes, 100 * (uint64_t)other.results[0]);
	for (i = 0; i < 100; i++)
		sfr_submit(sfr_close(loop, names[i]), record, &seen);
	turn_until(loop, &seen.calls, 200);

	ck_assert_int_eq(sfr_files_unregister(loop), 0);
}
END_TEST

/*
 * Registered buffers.
 */

static char memory[2][4096];

static sfr_buf *wrapped(sfr_loop *loop, int which)
{
	return sfr_buf_wrap(loop, memory[which], sizeof(memory[which]), note_release, NULL);
}

static bool world_has_fixed_buffers(int world)
{
	return world_has(world, "features.fixed_buffers");
}

/* Where there are none a test has nothing more to say. */
static bool registered(int world, sfr_loop *loop, sfr_buf **bufs, unsigned count)
{
	bool has = world_has_fixed_buffers(world);

	ck_assert_int_eq(sfr_buffers_register(loop, bufs, count), has ? 0 : -SFR_EUNSUPPORTED);
	return has;
}

static void release_all(sfr_buf **bufs, int count)
{
	while (count)
		sfr_buf_release(bufs[--count]);
}

START_TEST(registered_buffers_are_read_and_written_as_such)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *bufs[2] = {wrapped(loop, 0), sfr_buf_get(loop, 1 << 20)}, *out[2];
	int fd = empty_file(), i;
	bool has = registered(_i, loop, bufs, 2);

	for (i = 0; i < 2; i++) {
		sfr_op *op;

		memcpy(bufs[i]->data, "hello", bufs[i]->len = 5);
		op = sfr_write_at(loop, fd, bufs[i], 0);
		ck_assert_int_eq(op->sqe.opcode, has ? IORING_OP_WRITE_FIXED : IORING_OP_WRITE);
		ck_assert_int_eq(sfr_await(op, &bufs[i]), 5);
		bufs[i]->data += bufs[i]->cap - 3; /* its last bytes */
		bufs[i]->len = 0;
		op = sfr_read_at(loop, fd, bufs[i], 1);
		ck_assert_int_eq(op->sqe.opcode, has ? IORING_OP_READ_FIXED : IORING_OP_READ);
		ck_assert_int_eq(sfr_await(op, &bufs[i]), 3);
		ck_assert_mem_eq(bufs[i]->data, "ell", 3);
	}
	ck_assert_int_eq(sfr_buffers_unregister(loop, out), has ? 0 : -SFR_ENOTREGISTERED);

	if (has) {
		ck_assert_ptr_eq(out[0], bufs[0]);
		ck_assert_ptr_eq(out[1], bufs[1]);
	}
	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, bufs[0], 0), &bufs[0]), 3);
	release_all(bufs, 2);
}
END_TEST

START_TEST(a_registered_buffer_that_is_released_stays_until_it_is_unregistered)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *bufs[2] = {wrapped(loop, 0), wrapped(loop, 1)}, *out[2];

	releases = 0;
	if (registered(_i, loop, bufs, 2)) {
		sfr_buf_release(bufs[0]);
		ck_assert_int_eq(releases, 0);
		bufs[0] = wrapped(loop, 0); /* its descriptor is another's now */
		ck_assert_int_eq(sfr_buffers_unregister(loop, out), 0);
		ck_assert_int_eq(releases, 1);
		ck_assert_ptr_null(out[0]);
		ck_assert_ptr_eq(out[1], bufs[1]);
	}
	releases = 0;
	release_all(bufs, 2);

	ck_assert_int_eq(releases, 2);
}
END_TEST

START_TEST(a_loop_lets_go_of_its_registered_buffers)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *bufs[2] = {wrapped(loop, 0), wrapped(loop, 1)};

	releases = 0;
	(void)registered(_i, loop, bufs, 2);
	sfr_buf_release(bufs[0]);
	loop_end();
	ck_assert_int_eq(releases, 1);
	sfr_buf_release(bufs[1]);

	ck_assert_int_eq(releases, 2);
}
END_TEST

START_TEST(registered_buffers_stay_while_one_is_with_the_loop)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *bufs[2] = {wrapped(loop, 0), wrapped(loop, 1)};
	bool has = registered(_i, loop, bufs, 2);
	int refused = has ? -SFR_EOPSINFLIGHT : -SFR_ENOTREGISTERED, read_end, write_end;
	sfr_op *op;

	pair_of_pipe_ends(&read_end, &write_end);
	op = sfr_read(loop, read_end, bufs[1]);
	ck_assert_int_eq(sfr_buffers_unregister(loop, NULL), refused);
	sfr_submit(op, record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_buffers_unregister(loop, NULL), refused);
	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, 3);
	ck_assert_mem_eq(memory[1], "abc", 3);
	ck_assert_int_eq(sfr_buffers_unregister(loop, NULL), has ? 0 : -SFR_ENOTREGISTERED);
	sfr_buf_release(bufs[0]);
}
END_TEST

static void release_elsewhere(sfr_buf *buf)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, release_there, buf), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static void release_another(void *mem, void *buf)
{
	(void)mem;
	release_elsewhere(buf);
}

/* The second while the loop, which unregisters, learns that the first was. */
START_TEST(a_registered_buffer_that_is_released_elsewhere_is_not_with_the_loop)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *registered_one = wrapped(loop, 0), *first, *out;

	releases = 0;
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	first = sfr_buf_wrap(loop, memory[1], sizeof(memory[1]), release_another, registered_one);
	if (registered(_i, loop, &registered_one, 1)) {
		release_elsewhere(first);
		ck_assert_int_eq(sfr_buffers_unregister(loop, &out), 0);
		ck_assert_ptr_null(out);
	} else {
		sfr_buf_release(first);
	}
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);

	ck_assert_int_eq(releases, 1);
}
END_TEST

START_TEST(registered_buffers_are_cancelled_and_abandoned_as_others)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *bufs[2] = {wrapped(loop, 0), wrapped(loop, 1)}, *out[2] = {bufs[0], bufs[1]};
	bool has = registered(_i, loop, bufs, 2);
	int fd = empty_pipe();
	sfr_ticket cancelled, abandoned;

	releases = 0;
	cancelled = sfr_submit(sfr_read(loop, fd, bufs[0]), record, &seen);
	abandoned = sfr_submit(sfr_read(loop, fd, bufs[1]), record, &other);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel(loop, cancelled), 0);
	ck_assert_int_eq(sfr_abandon(loop, abandoned), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_int_eq(releases, has ? 0 : 1);

	if (has) {
		ck_assert_int_eq(sfr_buffers_unregister(loop, out), 0);
		ck_assert_ptr_eq(out[0], seen.buf);
		ck_assert_ptr_null(out[1]);
	}
	ck_assert_int_eq(releases, 1);
}
END_TEST

START_TEST(buffers_that_cannot_be_registered_are_refused_by_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *bufs[2] = {wrapped(loop, 0), wrapped(loop, 1)}, *pair[2] = {bufs[0], bufs[0]};
	bool has = world_has_fixed_buffers(_i);
	sfr_op *op;

	ck_assert_int_eq(sfr_buffers_unregister(loop, NULL), -SFR_ENOTREGISTERED);
	ck_assert_int_eq(sfr_buffers_register(loop, bufs, 0), -EINVAL);
	ck_assert_int_eq(sfr_buffers_register(loop, bufs, 1025), -EINVAL);
	ck_assert_int_eq(sfr_buffers_register(loop, NULL, 1), -EINVAL);
	if (has) {
		ck_assert_int_eq(sfr_buffers_register(loop, pair, 2), -EINVAL);
		pair[1] = sfr_buf_get(loop, 64); /* of the slab */
		ck_assert_int_eq(sfr_buffers_register(loop, pair, 2), -EINVAL);
		sfr_buf_release(pair[1]);
		op = sfr_read(loop, empty_pipe(), bufs[1]);
		ck_assert_int_eq(sfr_buffers_register(loop, bufs, 2), -SFR_EINFLIGHT);
		bufs[1] = NULL;
		ck_assert_int_eq(sfr_buffers_register(loop, bufs, 2), -SFR_EINFLIGHT);
		sfr_op_discard(op);
		ck_assert_int_eq(sfr_buffers_unregister(loop, NULL), -SFR_ENOTREGISTERED);
		ck_assert_int_eq(sfr_buffers_register(loop, bufs, 1), 0);
		ck_assert_int_eq(sfr_buffers_register(loop, bufs, 1), -EBUSY);
	}
	release_all(bufs, 2);
}
END_TEST

/* The slab keeps its places, whatever comes to the table or goes. */
START_TEST(what_was_built_with_the_slab_goes_on)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = wrapped(loop, 0);
	int fd = empty_file(), i;

	ck_assert_int_eq(write(fd, "hello", 5), 5);
	for (i = 0; i < 3; i++) {
		sfr_op *before = sfr_read_at(loop, fd, sfr_buf_get(loop, 64), 0), *between;

		(void)registered(_i, loop, &buf, 1);
		between = sfr_read_at(loop, fd, sfr_buf_get(loop, 64), 0);
		ck_assert_int_eq(awaited(before), 5);
		ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, buf, 0), &buf), 5);
		(void)sfr_buffers_unregister(loop, NULL);
		ck_assert_int_eq(awaited(between), 5);
	}
	sfr_buf_release(buf);
}
END_TEST

START_TEST(registering_is_no_sharing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = wrapped(loop, 0), *share;
	int fd = empty_file();

	ck_assert_int_eq(write(fd, "hello", 5), 5);
	(void)registered(_i, loop, &buf, 1);
	share = sfr_buf_share(buf);
	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, buf, 0), &buf), -SFR_ESHARED);
	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, share, 0), &share), 0);
	sfr_buf_release(share);

	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, buf, 0), &buf), 5);
	sfr_buf_release(buf);
}
END_TEST

/* The limit is counted by user, and root has none: the test becomes a user whom nobody else is. */
static void little_may_be_locked(void)
{
	const struct rlimit limit = {65536, 65536};
	const uid_t uid = (uid_t)(7000000 + getpid());

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	if (getuid() == 0)
		ck_assert_int_eq(setresuid(uid, uid, uid), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* for /proc/self/fd */
}

START_TEST(what_may_not_be_locked_is_not_registered_and_works)
{
	sfr_loop *loop;
	sfr_buf *buf;
	int fd = empty_file(), r;

	little_may_be_locked();
	loop = loop_in(_i, "ring.entries=8 ring.cq_entries=16 log.level=warn");
	buf = sfr_buf_get(loop, 1 << 20);
	memcpy(buf->data, "hello", buf->len = 5);
	log_listen();
	r = sfr_buffers_register(loop, &buf, 1);
	if (r == -ENOMEM) {
		ck_assert_int_eq(log_lines, 1);
		ck_assert_ptr_nonnull(strstr(log_line, "RLIMIT_MEMLOCK"));
	}

	ck_assert_int_eq(
		r, strcmp(sfr_loop_engine(loop), "epoll") == 0 && world_has_fixed_buffers(_i) ? 0
		   : world_has_fixed_buffers(_i) ? -ENOMEM
						 : -SFR_EUNSUPPORTED);
	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, buf, 0), &buf), 5);
	sfr_buf_release(buf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tc = world_case(suite, "names");

	world_test(tc, names_are_below_everything_that_stands_for_a_descriptor);
	world_test(tc, what_is_done_with_files_is_done_by_name);
	world_test(tc, what_is_done_with_sockets_is_done_by_name);
	world_test(tc, connections_are_made_by_name);
	world_test(tc, datagrams_are_sent_and_received_by_name);
	world_test(tc, what_the_library_lags_behind_is_done_by_name);
	world_test(tc, pipes_are_read_and_polled_on_and_on_by_name);
	world_test(tc, bytes_are_spliced_by_name);
	world_test(tc, multishot_operations_go_on_by_name);
	world_test(tc, ops_by_name_are_cancelled_by_name);
	world_test(tc, ops_by_name_have_deadlines_and_are_abandoned);
	world_test(tc, a_name_of_nothing_is_not_registered);
	world_test(tc, a_file_that_may_not_be_written_says_so_by_name_as_well);
	world_test(tc, paths_do_not_begin_at_a_name);
	tc = world_case(suite, "the table of files");
	world_test(tc, there_is_one_table_at_a_time);
	world_test(tc, what_cannot_be_registered_is_refused_by_name);
	world_test(tc, more_files_than_this_process_may_open_are_refused);
	world_test(tc, without_descriptors_it_is_not_the_file_that_is_wrong);
	world_test(tc, the_table_stays_while_an_op_needs_it);
	world_test(tc, a_loop_closes_what_is_registered);
	tc = world_case(suite, "places");
	world_test(tc, a_place_is_emptied_by_closing_its_name);
	world_test(tc, an_op_in_flight_keeps_its_file_when_the_name_is_closed);
	world_test(tc, what_an_op_wins_goes_into_a_place);
	world_test(tc, a_taken_place_is_not_taken_again);
	world_test(tc, what_has_no_place_to_go_into_is_refused_by_name);
	world_test(tc, a_place_is_free_again_when_the_op_that_was_to_fill_it_is_cancelled);
	world_test(tc, what_an_abandoned_op_wins_leaves_its_place_empty);
	world_test(tc, a_loop_that_drains_fills_no_place);
	world_test(tc, many_places_are_filled_and_emptied_at_once);
	tc = world_case(suite, "buffers");
	world_test(tc, registered_buffers_are_read_and_written_as_such);
	world_test(tc, a_registered_buffer_that_is_released_stays_until_it_is_unregistered);
	world_test(tc, a_loop_lets_go_of_its_registered_buffers);
	world_test(tc, registered_buffers_stay_while_one_is_with_the_loop);
	world_test(tc, a_registered_buffer_that_is_released_elsewhere_is_not_with_the_loop);
	world_test(tc, registered_buffers_are_cancelled_and_abandoned_as_others);
	world_test(tc, buffers_that_cannot_be_registered_are_refused_by_name);
	world_test(tc, what_was_built_with_the_slab_goes_on);
	world_test(tc, registering_is_no_sharing);
	world_test(tc, what_may_not_be_locked_is_not_registered_and_works);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * What is done with files and directories, and blocking functions of the caller's: by the kernel, by the
 * epoll engine's workers, or by the loop's own where the kernel has no opcode.
 */
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir_name[64];
static int dir;
static bool threads_ran_out;

int __real_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg)
{
	return threads_ran_out ? EAGAIN : __real_pthread_create(out, attr, run, arg);
}

/* A loop, and a directory of the test's own. */
static sfr_loop *loop_and_dir(int world, const char *more)
{
	snprintf(dir_name, sizeof(dir_name), "/tmp/safer-ring-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir_name));
	dir = owned_fd(open(dir_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	return loop_in(world, more);
}

/* Nothing of the test is left; what is was removed by name. */
static void dir_gone(void)
{
	ck_assert_int_eq(rmdir(dir_name), 0);
}

static bool exists(const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

START_TEST(a_file_is_made_filled_cut_synced_and_removed)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	int fd = awaited(sfr_openat(loop, dir, "file", O_RDWR | O_CREAT, 0600));

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(awaited(sfr_write_at(loop, fd, sfr_buf_from(loop, "hello", 5), 0)), 5);
	ck_assert_int_eq(awaited(sfr_fsync(loop, fd)), 0);
	ck_assert_int_eq(awaited(sfr_fdatasync(loop, fd)), 0);
	ck_assert_int_eq(awaited(sfr_ftruncate(loop, fd, 3)), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 3);
	ck_assert_int_eq(awaited(sfr_fallocate(loop, fd, 0, 0, 8192)), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), 8192);
	ck_assert_int_eq(awaited(sfr_close(loop, fd)), 0);
	ck_assert_int_eq(awaited(sfr_unlinkat(loop, dir, "file", 0)), 0);

	ck_assert(!exists("file"));
	dir_gone();
}
END_TEST

START_TEST(names_are_given_changed_and_taken_away)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	char target[16] = "";

	ck_assert_int_eq(awaited(sfr_mkdirat(loop, dir, "sub", 0700)), 0);
	ck_assert_int_eq(awaited(sfr_symlinkat(loop, "nowhere", dir, "sub/link")), 0);
	ck_assert_int_eq(readlinkat(dir, "sub/link", target, sizeof(target)), 7);
	ck_assert_str_eq(target, "nowhere");
	ck_assert_int_eq(awaited(sfr_linkat(loop, dir, "sub/link", dir, "again", 0)), 0);
	ck_assert_int_eq(awaited(sfr_renameat(loop, dir, "again", dir, "moved", 0)), 0);
	ck_assert(exists("sub/link") && exists("moved") && !exists("again"));
	ck_assert_int_eq(
		awaited(sfr_renameat(loop, dir, "moved", dir, "sub/link", RENAME_NOREPLACE)),
		-EEXIST);
	ck_assert_int_eq(awaited(sfr_unlinkat(loop, dir, "moved", 0)), 0);
	ck_assert_int_eq(awaited(sfr_unlinkat(loop, dir, "sub/link", 0)), 0);
	ck_assert_int_eq(awaited(sfr_unlinkat(loop, dir, "sub", AT_REMOVEDIR)), 0);

	dir_gone();
}
END_TEST

START_TEST(what_a_file_is_like_comes_in_a_buffer)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	int fd = empty_file();
	sfr_buf *buf;
	struct statx statx;

	ck_assert_int_eq(ftruncate(fd, 12345), 0);
	ck_assert_int_eq(sfr_await(sfr_statx(loop, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS,
					     sfr_buf_get(loop, sizeof(statx))),
				   &buf),
			 0);

	ck_assert_uint_eq(buf->len, sizeof(statx));
	memcpy(&statx, buf->data, sizeof(statx));
	ck_assert_uint_eq(statx.stx_size, 12345);
	sfr_buf_release(buf);
	dir_gone();
}
END_TEST

START_TEST(what_goes_wrong_has_the_name_that_the_system_gives_it)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_buf *buf;

	ck_assert_int_eq(awaited(sfr_openat(loop, dir, "none", O_RDONLY, 0)), -ENOENT);
	ck_assert_int_eq(awaited(sfr_openat(loop, -1, "none", O_RDONLY, 0)), -EBADF);
	ck_assert_int_eq(awaited(sfr_unlinkat(loop, dir, "none", 0)), -ENOENT);
	ck_assert_int_eq(awaited(sfr_renameat(loop, dir, "none", dir, "other", 0)), -ENOENT);
	ck_assert_int_eq(awaited(sfr_linkat(loop, dir, "none", dir, "other", 0)), -ENOENT);
	ck_assert_int_eq(awaited(sfr_mkdirat(loop, dir, ".", 0700)), -EEXIST);
	ck_assert_int_eq(awaited(sfr_symlinkat(loop, "x", dir, ".")), -EEXIST);
	ck_assert_int_eq(awaited(sfr_fsync(loop, -1)), -EBADF);
	ck_assert_int_eq(awaited(sfr_fdatasync(loop, -1)), -EBADF);
	ck_assert_int_eq(awaited(sfr_ftruncate(loop, -1, 0)), -EBADF);
	ck_assert_int_eq(awaited(sfr_fallocate(loop, -1, 0, 0, 1)), -EBADF);
	ck_assert_int_eq(awaited(sfr_socket(loop, 9999, SOCK_STREAM, 0)), -EAFNOSUPPORT);
	ck_assert_int_eq(sfr_await(sfr_statx(loop, dir, "none", 0, STATX_BASIC_STATS,
					     sfr_buf_get(loop, 512)),
				   &buf),
			 -ENOENT);
	ck_assert_uint_eq(buf->len, 0);
	sfr_buf_release(buf);

	dir_gone();
}
END_TEST

START_TEST(what_is_missing_is_told_to_the_callback)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_buf *small = sfr_buf_wrap(loop, dir_name, 8, NULL, NULL), *again = same(small), *buf;

	ck_assert_int_eq(awaited(sfr_openat(loop, dir, NULL, O_RDONLY, 0)), -EFAULT);
	ck_assert_int_eq(awaited(sfr_renameat(loop, dir, "x", dir, NULL, 0)), -EFAULT);
	ck_assert_int_eq(awaited(sfr_linkat(loop, dir, NULL, dir, "x", 0)), -EFAULT);
	ck_assert_int_eq(awaited(sfr_work(loop, NULL, NULL)), -EFAULT);
	ck_assert_int_eq(awaited(sfr_statx(loop, dir, ".", 0, STATX_BASIC_STATS, NULL)),
			 -SFR_EPOOLEMPTY);
	ck_assert_int_eq(sfr_await(sfr_statx(loop, dir, ".", 0, STATX_BASIC_STATS, small), &buf),
			 -EINVAL);
	ck_assert_ptr_eq(buf, again);
	sfr_buf_release(buf);

	dir_gone();
}
END_TEST

START_TEST(a_path_need_not_outlive_the_call)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	char from[16] = "target", to[16] = "name";
	sfr_op *op = sfr_symlinkat(loop, from, dir, to);

	memset(from, 'x', sizeof(from) - 1);
	memset(to, 'y', sizeof(to) - 1);
	ck_assert_int_eq(awaited(op), 0);

	ck_assert(exists("name"));
	ck_assert_int_eq(unlinkat(dir, "name", 0), 0);
	dir_gone();
}
END_TEST

START_TEST(what_is_discarded_is_not_done)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);

	sfr_op_discard(sfr_mkdirat(loop, dir, "sub", 0700));
	sfr_op_discard(sfr_statx(loop, dir, ".", 0, STATX_BASIC_STATS, sfr_buf_get(loop, 512)));
	ck_assert_int_eq(awaited(sfr_nop(loop)), 0);

	ck_assert(!exists("sub"));
	dir_gone();
}
END_TEST

START_TEST(a_socket_is_made_and_used)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	struct sockaddr_in addr;
	int listener = listening_socket(&addr, 1), fd;

	fd = awaited(sfr_socket(loop, AF_INET, SOCK_STREAM, 0));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(awaited(sfr_connect(loop, fd, (struct sockaddr *)&addr, sizeof(addr))), 0);
	owned_fd(accept(listener, NULL, NULL));
	ck_assert_int_eq(awaited(sfr_close(loop, fd)), 0);
	dir_gone();
}
END_TEST

START_TEST(a_descriptor_that_nobody_wants_any_more_is_closed)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	int i;

	for (i = 0; i < 50; i++) {
		sfr_ticket file = sfr_submit(sfr_openat(loop, dir, ".", O_DIRECTORY, 0), record,
					     &seen);
		sfr_ticket sock = sfr_submit(sfr_socket(loop, AF_INET, SOCK_STREAM, 0), NULL, NULL);

		if (i % 2)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		(void)sfr_abandon(loop, file); /* unless it is done */
		(void)sfr_abandon(loop, sock);
	}
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_le(seen.calls, 50);
	for (i = 0; i < seen.calls; i++)
		close(seen.results[i]);
	ck_assert_uint_eq(sfr_loop_orphans(loop), 0);
	dir_gone(); /* the fixture counts descriptors */
}
END_TEST

START_TEST(a_descriptor_that_was_given_is_closed_whatever_is_asked)
{
	sfr_loop *loop = loop_and_dir(_i, "ring.entries=8 ring.cq_entries=8");
	int i;

	for (i = 0; i < 10; i++) /* the ring is full, and what follows waits */
		sfr_submit(sfr_nop(loop), record, &other);
	(void)sfr_abandon(loop, sfr_submit(sfr_close(loop, dup(dir)), record, &seen));
	(void)sfr_cancel(loop, sfr_submit(sfr_close(loop, dup(dir)), NULL, NULL));
	sfr_submit(sfr_within(sfr_close(loop, dup(dir)), 1), NULL, NULL);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 0);
	dir_gone(); /* the fixture counts descriptors */
}
END_TEST

/* Opening waits for a peer on some kernels, and is interrupted in ways of their own. */
START_TEST(an_open_that_takes_too_long_ends_with_etimedout_or_is_done)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	int r;

	ck_assert_int_eq(syscall(SYS_mknodat, dir, "fifo", S_IFIFO | 0600, 0), 0);
	r = awaited(sfr_within(sfr_openat(loop, dir, "fifo", O_RDONLY | O_CREAT, 0600), 20000000));
	ck_assert(r == -ETIMEDOUT || r >= 0);
	if (r >= 0)
		close(r);
	ck_assert_int_eq(unlinkat(dir, "fifo", 0), 0);
	dir_gone();
}
END_TEST

/*
 * Files on which another process holds a lease: whoever opens them waits until it lets go.
 */

static int told, heard; /* pipes' ends of the process that holds the lease */

static void lease_is_asked_for(int signo)
{
	(void)signo;
	(void)!write(told, "?", 1);
}

/* Says '!' when it holds the lease and '?' when somebody opens the file; lets go when it is told to. */
static _Noreturn void lease_hold(const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT, 0600);
	char byte;

	signal(SIGIO, lease_is_asked_for);
	if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) < 0) /* not every file system has leases */
		_exit(write(told, "-", 1) != 1);
	(void)!write(told, "!", 1);
	while (read(heard, &byte, 1) < 0)
		;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	_exit(0);
}

static char byte_of(int fd)
{
	char byte = 0;

	ck_assert_int_eq(read(fd, &byte, 1), 1);
	return byte;
}

START_TEST(an_open_waits_for_whoever_holds_a_lease_on_the_file)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	int listens, says;
	pid_t holder;

	pair_of_pipe_ends(&listens, &told);
	pair_of_pipe_ends(&heard, &says);
	holder = fork();
	if (holder == 0)
		lease_hold("leased");
	ck_assert_int_gt(holder, 0);

	if (byte_of(listens) == '!') {
		sfr_submit(sfr_openat(loop, dir, "leased", O_RDONLY, 0), record, &seen);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(byte_of(listens), '?');
		ck_assert_int_eq(seen.calls, 0);
		ck_assert_int_eq(awaited(sfr_openat(loop, dir, "leased", O_RDONLY | O_NONBLOCK, 0)),
				 -EAGAIN);
		ck_assert_int_eq(write(says, "", 1), 1);
		turn_until(loop, &seen.calls, 1);

		ck_assert_int_ge(seen.result, 0);
		ck_assert_int_eq(fcntl(seen.result, F_GETFL) & O_NONBLOCK, 0);
		close(seen.result);
	}
	ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
	(void)unlinkat(dir, "leased", 0);
	dir_gone();
}
END_TEST

START_TEST(many_at_a_time_all_come)
{
	sfr_loop *loop = loop_and_dir(_i, "ring.workers=3");
	char name[32];
	int i;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		sfr_submit(sfr_mkdirat(loop, dir, name, 0700), record, &seen);
	}
	turn_until(loop, &seen.calls, 200);
	ck_assert_uint_eq(seen.bytes, 0);
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		sfr_submit(sfr_unlinkat(loop, dir, name, AT_REMOVEDIR), record, &other);
	}
	turn_until(loop, &other.calls, 200);
	dir_gone();
}
END_TEST

/*
 * Work.
 */

static sem_t begun, go_on;
static pthread_t worker;

static int answer(void *arg)
{
	worker = pthread_self();
	return *(int *)arg;
}

static int wait_for_it(void *arg)
{
	(void)arg;
	sem_post(&begun);
	while (sem_wait(&go_on) < 0)
		;
	return 7;
}

static int signals_blocked(void *arg)
{
	sigset_t set;

	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	return sigismember(&set, SIGINT) && sigismember(&set, SIGPIPE);
}

static void semaphores(void)
{
	ck_assert_int_eq(sem_init(&begun, 0, 0), 0);
	ck_assert_int_eq(sem_init(&go_on, 0, 0), 0);
}

START_TEST(work_is_done_on_another_thread_and_its_result_comes_back)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	int good = 42, bad = -EDOM;

	ck_assert_int_eq(awaited(sfr_work(loop, answer, &good)), 42);
	ck_assert(!pthread_equal(worker, pthread_self()));
	ck_assert_int_eq(awaited(sfr_work(loop, answer, &bad)), -EDOM);
	ck_assert_int_eq(awaited(sfr_work(loop, signals_blocked, NULL)), 1);
	dir_gone();
}
END_TEST

/* What the kernel has no opcode for, as what the epoll engine gives to workers. */
START_TEST(without_threads_all_is_done_but_work)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	int i, fd;

	threads_ran_out = true;
	ck_assert_int_eq(awaited(sfr_mkdirat(loop, dir, "d", 0700)), 0);
	fd = awaited(sfr_openat(loop, dir, "d/f", O_RDWR | O_CREAT, 0600));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(awaited(sfr_ftruncate(loop, fd, 100)), 0);
	ck_assert_int_eq(awaited(sfr_fsync(loop, fd)), 0);
	ck_assert_int_eq(awaited(sfr_symlinkat(loop, "d/f", dir, "s")), 0);
	ck_assert_int_eq(awaited(sfr_linkat(loop, dir, "d/f", dir, "l", 0)), 0);
	ck_assert_int_eq(awaited(sfr_ftruncate(loop, dir, 100)), -EINVAL);
	ck_assert_int_eq(awaited(sfr_close(loop, fd)), 0);
	fd = awaited(sfr_socket(loop, AF_INET, SOCK_STREAM, 0));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	for (i = 0; i < 3; i++)
		sfr_submit(sfr_within(sfr_unlinkat(loop, dir, i ? i > 1 ? "l" : "s" : "d/f", 0),
				      1000000000000),
			   record, &seen);
	ck_assert_int_eq(seen.calls, 0); /* not inside a submit */
	turn_until(loop, &seen.calls, 3);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(seen.results[i], 0);
	sfr_submit(sfr_unlinkat(loop, dir, "d", AT_REMOVEDIR), record, &other);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0); /* done, or taken back before it was begun */
	ck_assert(other.result == 0 || other.result == -ECANCELED);
	ck_assert_int_eq(other.result == 0, !exists("d"));
	ck_assert_int_eq(awaited(sfr_work(loop, answer, &fd)), -EAGAIN);
	threads_ran_out = false;
	if (exists("d"))
		ck_assert_int_eq(awaited(sfr_unlinkat(loop, dir, "d", AT_REMOVEDIR)), 0);
	dir_gone();
}
END_TEST

START_TEST(a_loop_goes_on_while_work_is_being_done)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);

	if (under_valgrind())
		return;
	semaphores();
	sfr_submit(sfr_work(loop, wait_for_it, NULL), record, &seen);
	while (sem_wait(&begun) < 0)
		;
	ck_assert_int_eq(awaited(sfr_nop(loop)), 0);
	ck_assert_int_eq(awaited(sfr_timeout(loop, 1000)), 0);
	ck_assert_int_eq(seen.calls, 0);

	sem_post(&go_on);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, 7);
	dir_gone();
}
END_TEST

START_TEST(work_that_has_begun_ends_with_its_own_result)
{
	sfr_loop *loop = loop_and_dir(_i, NULL);
	sfr_ticket ticket;

	semaphores();
	ticket = sfr_submit(sfr_within(sfr_work(loop, wait_for_it, NULL), 1), record, &seen);
	while (sem_wait(&begun) < 0)
		;
	ck_assert_int_eq(awaited(sfr_timeout(loop, 1000000)), 0); /* the deadline passes */
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(awaited(sfr_nop(loop)), 0);
	ck_assert_int_eq(seen.calls, 0);

	sem_post(&go_on);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 7);
	dir_gone();
}
END_TEST

START_TEST(work_that_waits_can_be_cancelled)
{
	sfr_loop *loop = loop_and_dir(_i, "ring.workers=1");
	int never = 1;
	sfr_ticket ticket;

	semaphores();
	sfr_submit(sfr_work(loop, wait_for_it, NULL), record, &seen);
	while (sem_wait(&begun) < 0)
		;
	ticket = sfr_submit(sfr_work(loop, answer, &never), record, &other);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	turn_until(loop, &other.calls, 1);
	ck_assert_int_eq(other.result, -ECANCELED);

	sfr_submit(sfr_within(sfr_work(loop, answer, &never), 1000), record, &other);
	turn_until(loop, &other.calls, 2);
	ck_assert_int_eq(other.result, -ETIMEDOUT);
	sem_post(&go_on);
	turn_until(loop, &seen.calls, 1);
	dir_gone();
}
END_TEST

static int goes_on_later(void *arg)
{
	(void)arg;
	sem_post(&go_on);
	return 0;
}

START_TEST(a_drain_waits_for_work_that_has_begun)
{
	sfr_loop *loop = loop_and_dir(_i, "ring.workers=2");
	int never = 1;

	semaphores();
	sfr_submit(sfr_work(loop, wait_for_it, NULL), record, &seen);
	while (sem_wait(&begun) < 0)
		;
	ck_assert_int_eq(sfr_loop_drain(loop, 1000000), -ETIMEDOUT);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(awaited(sfr_work(loop, goes_on_later, &never)), 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, 7);
	dir_gone();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("op_file");
	TCase *tc = world_case(suite, "files");

	world_test(tc, a_file_is_made_filled_cut_synced_and_removed);
	world_test(tc, names_are_given_changed_and_taken_away);
	world_test(tc, what_a_file_is_like_comes_in_a_buffer);
	world_test(tc, what_goes_wrong_has_the_name_that_the_system_gives_it);
	world_test(tc, what_is_missing_is_told_to_the_callback);
	world_test(tc, a_path_need_not_outlive_the_call);
	world_test(tc, what_is_discarded_is_not_done);
	world_test(tc, a_socket_is_made_and_used);
	world_test(tc, a_descriptor_that_nobody_wants_any_more_is_closed);
	world_test(tc, a_descriptor_that_was_given_is_closed_whatever_is_asked);
	world_test(tc, an_open_that_takes_too_long_ends_with_etimedout_or_is_done);
	world_test(tc, an_open_waits_for_whoever_holds_a_lease_on_the_file);
	world_test(tc, many_at_a_time_all_come);
	tc = world_case(suite, "work");
	world_test(tc, work_is_done_on_another_thread_and_its_result_comes_back);
	world_test(tc, without_threads_all_is_done_but_work);
	world_test(tc, a_loop_goes_on_while_work_is_being_done);
	world_test(tc, work_that_has_begun_ends_with_its_own_result);
	world_test(tc, work_that_waits_can_be_cancelled);
	world_test(tc, a_drain_waits_for_work_that_has_begun);
	return world_run(suite);
}

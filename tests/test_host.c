/*
 * A loop in the care of hosts that sleep for it: select, poll and epoll. What happens at whatever moment wakes
 * them, once; and nothing else does.
 */
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS 5000
#define SHORT_MS 30
#define MS 1000000

static struct seen seen;

/*
 * Hosts.
 */

static int set; /* of the host that has one */

static bool host_select(int fd, int ms)
{
	struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(fd, &fds);
	return select(fd + 1, &fds, NULL, NULL, &time) > 0;
}

static bool host_poll(int fd, int ms)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, ms) > 0;
}

static bool host_epoll(int fd, int ms)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (!set) {
		set = owned_fd(epoll_create1(EPOLL_CLOEXEC));
		ck_assert_int_eq(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
	}
	return epoll_wait(set, &event, 1, ms) > 0;
}

static bool (*const hosts[])(int fd, int ms) = {host_select, host_poll, host_epoll};

#define HOSTS 3

/* Sleeps are interrupted without a signal where task work is not deferred: that tells nothing. */
static bool host_wakes(int host, int fd, int ms)
{
	struct timespec begin, now;
	int left = ms;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (left > 0) {
		errno = 0;
		if (hosts[host](fd, left))
			return true;
		if (errno != EINTR)
			return false;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = ms - (int)((now.tv_sec - begin.tv_sec) * 1000 +
				  (now.tv_nsec - begin.tv_nsec) / MS);
	}
	return false;
}

static sfr_loop *loop_fresh(int world, const char *more)
{
	seen = (struct seen){0};
	set = 0;
	return loop_in(world, more);
}

/* Be a host until so many callbacks have come. Returns how often it was woken. */
static int host_until(sfr_loop *loop, int host, const int *count, int wanted)
{
	int fd = sfr_loop_fd(loop), wakes = 0;

	ck_assert_int_ge(fd, 0);
	while (*count < wanted) {
		ck_assert_int_ge(sfr_loop_prepare(loop), -1);
		ck_assert_msg(host_wakes(host, fd, LONG_MS), "nothing woke host %d at %d of %d",
			      host, *count, wanted);
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		wakes++;
	}
	return wakes;
}

/* And that nothing wakes it any more. */
static void host_sleeps(sfr_loop *loop, int host)
{
	int tries = 0;

	while (host_wakes(host, sfr_loop_fd(loop), SHORT_MS)) {
		ck_assert_int_lt(tries++, 3); /* a turn may have left an echo */
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
}

/*
 * Somebody on another thread, who does something at a moment of his own.
 */

static struct {
	pthread_t thread;
	atomic_int asked, done;
	atomic_bool stop;
	void (*act)(void);
	unsigned seed;
} other;

static void spin(unsigned *seed)
{
	int turns = rand_r(seed) % 20000;

	while (turns-- > 0)
		atomic_signal_fence(memory_order_seq_cst);
}

static void *other_run(void *arg)
{
	(void)arg;
	while (!atomic_load(&other.stop)) {
		if (atomic_load(&other.asked) == atomic_load(&other.done)) {
			sched_yield();
			continue;
		}
		spin(&other.seed);
		other.act();
		atomic_fetch_add(&other.done, 1);
	}
	return NULL;
}

static void other_begin(void (*act)(void), int world)
{
	atomic_store(&other.asked, 0);
	atomic_store(&other.done, 0);
	atomic_store(&other.stop, false);
	other.act = act;
	other.seed = (unsigned)world + 1;
	ck_assert_int_eq(pthread_create(&other.thread, NULL, other_run, NULL), 0);
}

static void other_end(void)
{
	atomic_store(&other.stop, true);
	pthread_join(other.thread, NULL);
}

static int ends[2];
static sfr_loop *posted_to;
static int posts;

static void write_byte(void)
{
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
}

static void post_ran(sfr_loop *loop, void *arg)
{
	(void)loop, (void)arg;
	posts++;
}

static void post(void)
{
	ck_assert_int_eq(sfr_loop_post(posted_to, post_ran, NULL), 0);
}

/* In each of the worlds: thousands in all. */
#define ROUNDS 400

START_TEST(a_completion_before_during_or_after_falling_asleep_wakes_the_host)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	unsigned seed = 7;
	int i;

	pair_of_pipe_ends(&ends[0], &ends[1]);
	ck_assert_int_ge(sfr_loop_fd(loop), 0);
	other_begin(write_byte, _i);
	for (i = 0; i < ROUNDS; i++) {
		sfr_submit(sfr_read(loop, ends[0], sfr_buf_get(loop, 16)), record, &seen);
		if (i % 3)
			ck_assert_int_ge(sfr_loop_prepare(loop), -1);
		atomic_fetch_add(&other.asked, 1);
		spin(&seed);
		host_until(loop, i % HOSTS, &seen.calls, i + 1);
		ck_assert_int_eq(seen.result, 1);
	}
	other_end();
	host_sleeps(loop, 1);
}
END_TEST

START_TEST(a_post_at_any_moment_wakes_the_host)
{
	sfr_loop *loop = posted_to = loop_fresh(_i, NULL);
	unsigned seed = 7;
	int i;

	posts = 0;
	ck_assert_int_ge(sfr_loop_fd(loop), 0);
	other_begin(post, _i);
	for (i = 0; i < ROUNDS; i++) {
		if (i % 3 == 1)
			ck_assert_int_ge(sfr_loop_prepare(loop), -1);
		if (i % 3 == 2)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		atomic_fetch_add(&other.asked, 1);
		spin(&seed);
		host_until(loop, i % HOSTS, &posts, i + 1);
	}
	other_end();
	host_sleeps(loop, 1);
}
END_TEST

/* Without preparing: the host's callbacks know nothing of that. */
START_TEST(what_a_host_submits_between_its_sleeps_wakes_it)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int fd = sfr_loop_fd(loop), i;

	pair_of_pipe_ends(&ends[0], &ends[1]);
	host_sleeps(loop, 1);
	for (i = 0; i < ROUNDS; i++) {
		if (i % 2)
			ck_assert_int_ge(sfr_loop_prepare(loop), -1);
		sfr_submit(i % 3 ? sfr_nop(loop)
				 : sfr_write(loop, ends[1], sfr_buf_from(loop, "x", 1)),
			   record, &seen);
		while (seen.calls <= i) {
			ck_assert(host_wakes(i % HOSTS, fd, LONG_MS));
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		}
	}
	host_sleeps(loop, 1);
}
END_TEST

START_TEST(cancelling_between_its_sleeps_wakes_the_host)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int fd = sfr_loop_fd(loop), i;

	pair_of_pipe_ends(&ends[0], &ends[1]);
	for (i = 0; i < ROUNDS / 4; i++) {
		sfr_ticket ticket = sfr_submit(sfr_read(loop, ends[0], sfr_buf_get(loop, 16)),
					       record, &seen);

		host_sleeps(loop, 1 + i % 2);
		if (i > 2)
			i += ROUNDS / 8; /* each sleep that is not ended takes its time */
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		while (seen.result != -ECANCELED) {
			ck_assert(host_wakes(1, fd, LONG_MS));
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		}
		seen.result = 0;
	}
}
END_TEST

START_TEST(a_timer_is_enough_to_wake_the_host_whether_it_asks_for_the_time_or_not)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int fd = sfr_loop_fd(loop), i;

	for (i = 0; i < 20; i++) {
		int64_t left;

		sfr_submit(sfr_timeout(loop, MS), record, &seen);
		left = i % 2 ? sfr_loop_prepare(loop) : 0;
		ck_assert_int_le(left, 2 * MS);
		ck_assert_int_ge(left, 0);
		while (seen.calls <= i) {
			ck_assert(host_wakes(i % HOSTS, fd, LONG_MS));
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		}
		ck_assert_int_eq(seen.result, 0);
	}
	host_sleeps(loop, 0);
}
END_TEST

START_TEST(a_host_that_reads_the_descriptor_gets_nothing_and_loses_nothing)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int fd = sfr_loop_fd(loop), i;
	char bytes[64];

	for (i = 0; i < ROUNDS; i++) {
		sfr_submit(sfr_nop(loop), record, &seen);
		ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), -1);
		while (seen.calls <= i) {
			ck_assert(host_wakes(i % HOSTS, fd, LONG_MS));
			ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), -1);
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		}
	}
}
END_TEST

START_TEST(until_a_step_was_taken_it_stays_readable_and_steps_too_many_do_no_harm)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int fd = sfr_loop_fd(loop), i;

	pair_of_pipe_ends(&ends[0], &ends[1]);
	sfr_submit(sfr_read(loop, ends[0], sfr_buf_get(loop, 16)), record, &seen);
	for (i = 0; i < 5; i++)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	host_sleeps(loop, 1);
	write_byte();
	for (i = 0; i < 3 * HOSTS; i++)
		ck_assert(host_wakes(i % HOSTS, fd, LONG_MS));
	host_until(loop, 1, &seen.calls, 1);
	for (i = 0; i < 5; i++)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(seen.calls, 1);
	host_sleeps(loop, 2);
}
END_TEST

START_TEST(the_descriptor_is_the_same_one_as_long_as_the_loop_lives)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int fd = sfr_loop_fd(loop);

	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	ck_assert_int_eq(sfr_loop_fd(loop), fd);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(sfr_loop_fd(loop), fd);
	loop_end();
	ck_assert(fcntl(fd, F_GETFD) < 0);
}
END_TEST

START_TEST(without_a_descriptor_preparing_says_to_step)
{
	sfr_loop *loop = loop_fresh(_i, NULL);

	ck_assert_int_eq(sfr_loop_prepare(loop), 0);
}
END_TEST

static int64_t prepared;

static void prepare_inside(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
	prepared = sfr_loop_prepare(loop);
	sfr_buf_release(buf);
}

START_TEST(in_a_callback_there_is_nothing_to_prepare)
{
	sfr_loop *loop = loop_fresh(_i, NULL);

	ck_assert_int_ge(sfr_loop_fd(loop), 0);
	prepared = 0;
	sfr_submit(sfr_nop(loop), prepare_inside, NULL);
	ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
	ck_assert_int_eq(prepared, -SFR_ENESTED);
}
END_TEST

/* How often it is woken is told in docs/embedding.md; here, that it is not for each of them. */
START_TEST(one_event_is_one_wake_or_two_and_many_at_once_share_theirs)
{
	static int many_ends[1000][2];
	sfr_loop *loop = loop_fresh(_i, "buffers.count=2048 ring.ops_max=4096");
	int i, wakes = 0;

	pair_of_pipe_ends(&ends[0], &ends[1]);
	for (i = 0; i < 100; i++) {
		sfr_submit(sfr_read(loop, ends[0], sfr_buf_get(loop, 16)), record, &seen);
		ck_assert_int_ge(sfr_loop_prepare(loop), -1);
		write_byte();
		wakes += host_until(loop, 2, &seen.calls, i + 1);
	}
	ck_assert_int_le(wakes, 300);
	seen.calls = 0;
	for (i = 0; i < 200; i++) {
		pair_of_pipe_ends(&many_ends[i][0], &many_ends[i][1]);
		sfr_submit(sfr_read(loop, many_ends[i][0], sfr_buf_get(loop, 16)), record, &seen);
	}
	while (sfr_loop_prepare(loop) == 0)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	for (i = 0; i < 200; i++)
		ck_assert_int_eq(write(many_ends[i][1], "x", 1), 1);
	ck_assert_int_le(host_until(loop, 2, &seen.calls, 200), 200);
	host_sleeps(loop, 2);
}
END_TEST

/*
 * Other lives.
 */

static sfr_loop *second;

START_TEST(several_loops_live_in_one_host)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	sfr_config *config = config_in(_i, NULL);
	struct seen others = {0};
	struct pollfd fds[2];

	ck_assert_int_eq(sfr_loop_new(&second, config), 0);
	sfr_config_free(config);
	fds[0] = (struct pollfd){.fd = sfr_loop_fd(loop), .events = POLLIN};
	fds[1] = (struct pollfd){.fd = sfr_loop_fd(second), .events = POLLIN};
	while (seen.calls < 50 || others.calls < 50) {
		if (!sfr_loop_inflight(loop) && seen.calls < 50)
			sfr_submit(sfr_nop(loop), record, &seen);
		if (!sfr_loop_inflight(second) && others.calls < 50)
			sfr_submit(sfr_timeout(second, MS / 10), record, &others);
		if (poll(fds, 2, LONG_MS) < 0 && errno == EINTR)
			continue;
		ck_assert(fds[0].revents || fds[1].revents);
		if (fds[0].revents)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		if (fds[1].revents)
			ck_assert_int_ge(sfr_loop_step(second, 0), 0);
	}
	ck_assert_int_eq(sfr_loop_free(second), 0);
}
END_TEST

START_TEST(a_loop_goes_from_one_host_to_the_next_and_runs_by_itself_in_between)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int i;

	for (i = 0; i < 30; i++) {
		sfr_submit(sfr_timeout(loop, MS / 10), record, &seen);
		if (i % 4 < HOSTS)
			host_until(loop, i % 4, &seen.calls, i + 1);
		else
			ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, i + 1);
	}
	host_sleeps(loop, 1);
}
END_TEST

static void *host_elsewhere(void *arg)
{
	sfr_loop *loop = arg;

	ck_assert_int_ge(sfr_loop_step(loop, 0), 0); /* from now on it is this thread's */
	sfr_submit(sfr_nop(loop), record, &seen);
	host_until(loop, 1, &seen.calls, 1);
	sfr_submit(sfr_timeout(loop, MS), record, &seen);
	host_until(loop, 0, &seen.calls, 2);
	return NULL;
}

START_TEST(a_loop_that_is_made_and_shown_here_is_hosted_there)
{
	sfr_config *config = config_in(_i, NULL);
	sfr_loop *loop;
	pthread_t thread;
	int fd;

	seen = (struct seen){0};
	ck_assert_int_eq(sfr_loop_new(&loop, config), 0);
	sfr_config_free(config);
	fd = sfr_loop_fd(loop);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, host_elsewhere, loop), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
}
END_TEST

START_TEST(a_host_that_forks_goes_on_as_before)
{
	sfr_loop *loop = loop_fresh(_i, NULL);
	int fd = sfr_loop_fd(loop), status, i;

	pair_of_pipe_ends(&ends[0], &ends[1]);
	for (i = 0; i < 5; i++) {
		pid_t child;

		sfr_submit(sfr_read(loop, ends[0], sfr_buf_get(loop, 16)), record, &seen);
		ck_assert_int_ge(sfr_loop_prepare(loop), -1);
		child = fork();
		if (child == 0) {
			bool refused = sfr_loop_prepare(loop) == -SFR_EFORKED &&
				       sfr_loop_step(loop, 0) == -SFR_EFORKED;

			close(fd);
			_exit(refused ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
		write_byte();
		host_until(loop, i % HOSTS, &seen.calls, i + 1);
	}
	host_sleeps(loop, 1);
}
END_TEST

/* A buffer comes back on the host's own thread while a receiver waits for one. */
START_TEST(releasing_a_buffer_that_is_waited_for_wakes_the_host)
{
	sfr_loop *loop = loop_fresh(_i, "buffers.count=4");
	sfr_buf *held[8];
	int a, b, count = 0, i;

	pair_of_sockets(&a, &b);
	ck_assert_int_ge(sfr_loop_fd(loop), 0);
	sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	while (count < 8 && (held[count] = sfr_buf_get(loop, 1)))
		count++;
	ck_assert_int_eq(write(b, "hello", 5), 5);
	for (i = 0; i < 20 && !seen.calls; i++)
		if (host_wakes(1, sfr_loop_fd(loop), 20))
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	while (count)
		sfr_buf_release(held[--count]);
	host_until(loop, 1, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 5);
	seen_release(&seen);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hosts");
	TCase *tc = world_case(suite, "races");

	tcase_set_timeout(tc, 60);
	world_test(tc, a_completion_before_during_or_after_falling_asleep_wakes_the_host);
	world_test(tc, a_post_at_any_moment_wakes_the_host);
	world_test(tc, what_a_host_submits_between_its_sleeps_wakes_it);
	world_test(tc, cancelling_between_its_sleeps_wakes_the_host);
	tc = world_case(suite, "the descriptor");
	world_test(tc, a_timer_is_enough_to_wake_the_host_whether_it_asks_for_the_time_or_not);
	world_test(tc, a_host_that_reads_the_descriptor_gets_nothing_and_loses_nothing);
	world_test(tc, until_a_step_was_taken_it_stays_readable_and_steps_too_many_do_no_harm);
	world_test(tc, the_descriptor_is_the_same_one_as_long_as_the_loop_lives);
	world_test(tc, without_a_descriptor_preparing_says_to_step);
	world_test(tc, in_a_callback_there_is_nothing_to_prepare);
	world_test(tc, one_event_is_one_wake_or_two_and_many_at_once_share_theirs);
	tc = world_case(suite, "lives");
	world_test(tc, several_loops_live_in_one_host);
	world_test(tc, a_loop_goes_from_one_host_to_the_next_and_runs_by_itself_in_between);
	world_test(tc, a_loop_that_is_made_and_shown_here_is_hosted_there);
	world_test(tc, a_host_that_forks_goes_on_as_before);
	world_test(tc, releasing_a_buffer_that_is_waited_for_wakes_the_host);
	return world_run(suite);
}

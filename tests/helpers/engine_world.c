/* SPDX-License-Identifier: MIT */
/*
 * Engines are opened as loops open them, from settings. Each entry has a name, which is its
 * user_data, and a place for what comes of it: so a completion that nobody asked for is noticed
 * where it is collected.
 */
#include "engine_world.h"
#include "base/clock.h"
#include "config/config.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* An engine is what its calls are named; more than one way to set it up can be worth a row. */
static const struct {
	const char *name, *engine, *settings;
	bool everywhere; /* no machine may lack it */
} rows[] = {
	{"uring", "uring", "engine=uring", false},
	{"uring with plain flags", "uring", "engine=uring features.single_issuer=off", false},
	{"epoll", "epoll", "engine=epoll", true},
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

const struct difference differences[] = {
	{"small_arguments", "epoll",
	 "Paths, addresses, arrays of iovec and message headers are read when an entry is attempted, "
	 "not when it is taken, so they must stay until it completes."},
	{"descriptor_numbers", "epoll",
	 "What waits for a descriptor knows its number. When that is closed, other than by an entry, "
	 "or made to name another file, the kernel goes on with the file it had, and here it ends."},
	{"half_shutdown", "epoll",
	 "A send that waits for room in a Unix socket is not told that the peer shut down receiving "
	 "and nothing else. epoll itself does not tell."},
	{"timer_ticks", "epoll",
	 "Timeouts end up to a tick of 65.536 microseconds late, and in any order within one."},
	{NULL, NULL, NULL}, /* ends the list */
};

const int difference_count = sizeof(differences) / sizeof(differences[0]) - 1;

static int usable[ROWS], usable_count;
static bool one_is_missing;
static struct sfr__engine *the_engine;
static struct io_uring_sqe *last;
static struct outcome outcomes[NAMES];
static int in_flight;

int order[1024], order_count;

static int settings_apply(sfr_config *config, const char *settings)
{
	char copy[512], *word, *rest = copy;
	int r = 0;

	snprintf(copy, sizeof(copy), "%s", settings ? settings : "");
	while (r == 0 && (word = strtok_r(rest, " ", &rest))) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		r = sfr_config_set(config, word, value, NULL);
	}
	return r;
}

/* 0, or -errno and why. No asserts: it is also called before there is a test. */
static int row_open(struct sfr__engine **out, int row, const char *more,
		    char reason[SFR__REASON_SIZE])
{
	sfr_config *config;
	int r;

	reason[0] = '\0';
	r = sfr_config_new(&config, "default");
	if (r < 0)
		return r;
	r = settings_apply(config, rows[row].settings);
	if (r == 0 && (r = settings_apply(config, more)) == 0)
		r = sfr__engine_open(out, sfr__config_settings(config), reason);
	sfr_config_free(config);
	if (r == 0 && strcmp((*out)->calls->name, rows[row].engine) != 0) {
		(*out)->calls->close(*out);
		r = -ENOSYS;
	}
	return r;
}

int engine_count(void)
{
	static bool probed;
	char reason[SFR__REASON_SIZE];
	struct sfr__engine *engine;
	int row, r;

	for (row = 0; !probed && row < ROWS; row++) {
		r = row_open(&engine, row, NULL, reason);
		if (r == 0) {
			engine->calls->close(engine);
			usable[usable_count++] = row;
		} else {
			one_is_missing |= rows[row].everywhere;
			printf("%s - engine %s does not work here: %s%s%s\n",
			       rows[row].everywhere ? "not ok" : "skip", rows[row].name,
			       sfr_strerror(r), reason[0] ? ": " : "", reason);
		}
	}
	probed = true;
	return usable_count;
}

struct sfr__engine *engine_in(int number, const char *more)
{
	char reason[SFR__REASON_SIZE];
	int r = row_open(&the_engine, usable[number], more, reason);

	ck_assert_msg(r == 0, "no engine %s: %s", rows[usable[number]].name, sfr_strerror(r));
	ck_assert_int_eq(the_engine->calls->bind(the_engine), 0);
	return the_engine;
}

static void *thread_open(void *number)
{
	char reason[SFR__REASON_SIZE];

	(void)row_open(&the_engine, usable[*(int *)number], NULL, reason);
	return NULL;
}

struct sfr__engine *engine_from_thread(int number)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, thread_open, &number), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_ptr_nonnull(the_engine);
	ck_assert_int_eq(the_engine->calls->bind(the_engine), 0);
	return the_engine;
}

bool differs(const char *name)
{
	const struct difference *d;

	for (d = differences; d->name; d++)
		if (!strcmp(d->name, name) && !strcmp(d->engine, the_engine->calls->name))
			return true;
	return false;
}

/*
 * Entries and completions.
 */

struct io_uring_sqe *sqe_next(void)
{
	last = sfr__queue_sqe(&the_engine->queue);
	ck_assert_ptr_nonnull(last);
	return last;
}

struct io_uring_sqe *sqe_is(int name, unsigned flags)
{
	struct outcome *outcome = &outcomes[name];

	ck_assert_msg(!outcome->submitted || outcome->over, "%d is in flight", name);
	*outcome = (struct outcome){.submitted = true};
	in_flight++;
	last->user_data = (uint64_t)name;
	last->flags |= (uint8_t)flags;
	return last;
}

void sqe_cancel(int name)
{
	io_uring_prep_cancel64(sqe_next(), (uint64_t)name, 0);
}

static void note(const struct io_uring_cqe *cqe)
{
	struct outcome *outcome;

	ck_assert_uint_lt(cqe->user_data, NAMES);
	outcome = &outcomes[cqe->user_data];
	ck_assert_msg(outcome->submitted && !outcome->over,
		      "a completion of %d with %d that nobody waits for", (int)cqe->user_data,
		      cqe->res);
	ck_assert_int_lt(outcome->calls, 64);
	ck_assert_int_lt(order_count, 1024);
	outcome->results[outcome->calls] = cqe->res;
	outcome->flags[outcome->calls++] = cqe->flags;
	outcome->over = !(cqe->flags & IORING_CQE_F_MORE);
	in_flight -= outcome->over;
	order[order_count++] = (int)cqe->user_data;
}

static int enter_and_reap(bool wait, int64_t timeout_ns, int at_most)
{
	struct sfr__queue *queue = &the_engine->queue;
	int count = 0;

	ck_assert_int_eq(the_engine->calls->enter(the_engine, wait, timeout_ns), 0);
	for (; count < at_most && sfr__queue_cqe(queue); count++) {
		note(sfr__queue_cqe(queue));
		sfr__queue_pop(queue);
	}
	return count;
}

void collect_now(void)
{
	enter_and_reap(false, 0, 1024);
}

void collect_some(void)
{
	int64_t until = (int64_t)sfr__clock_ns() + PATIENCE_NS;

	while (!enter_and_reap(true, PATIENCE_NS, 1024))
		ck_assert_msg((int64_t)sfr__clock_ns() < until, "no completion came");
}

void collect(int count)
{
	int64_t until = (int64_t)sfr__clock_ns() + PATIENCE_NS, left;
	int wanted = count, more;

	while (count > 0) {
		left = until - (int64_t)sfr__clock_ns();
		ck_assert_msg(left > 0, "%d of %d completions did not come", count, wanted);
		count -= enter_and_reap(true, left, count);
	}
	more = enter_and_reap(false, 0, 1);
	ck_assert_msg(more == 0, "one more than %d: %d with %d", wanted, order[order_count - 1],
		      outcomes[order[order_count - 1]]
			      .results[outcomes[order[order_count - 1]].calls - 1]);
}

const struct outcome *outcome_of(int name)
{
	return &outcomes[name];
}

int result_of(int name)
{
	ck_assert_msg(outcomes[name].over, "%d has not completed", name);
	ck_assert_msg(outcomes[name].calls == 1, "%d completed %d times", name,
		      outcomes[name].calls);
	return outcomes[name].results[0];
}

bool is_pending(int name)
{
	return outcomes[name].submitted && !outcomes[name].over;
}

/*
 * The fixture.
 */

static void engine_down(void)
{
	int64_t until = (int64_t)sfr__clock_ns() + PATIENCE_NS;

	if (!the_engine)
		return;
	while (in_flight) { /* again and again: a hard link goes on after what was cancelled */
		ck_assert_msg((int64_t)sfr__clock_ns() < until, "%d could not be cancelled",
			      in_flight);
		io_uring_prep_cancel64(sqe_next(), 0,
				       IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
		sqe_is(CLEANUP, 0);
		do
			enter_and_reap(true, MILLISECOND, 1024);
		while (is_pending(CLEANUP));
	}
	the_engine->calls->close(the_engine);
	the_engine = NULL;
}

TCase *engine_case(Suite *suite, const char *name)
{
	TCase *tcase = world_case(suite, name);

	tcase_add_checked_fixture(tcase, NULL, engine_down);
	return tcase;
}

int engine_run(Suite *suite)
{
	int status;

	if (engine_count() == 0) {
		printf("skip - no engine works on this machine\n");
		srunner_free(srunner_create(suite));
		return one_is_missing ? EXIT_FAILURE : 77;
	}
	status = suite_run(suite);
	return one_is_missing ? EXIT_FAILURE : status;
}

/*
 * Descriptors.
 */

int here, there;

void connection(int kind)
{
	if (kind % 2)
		pair_of_sockets(&here, &there);
	else
		pair_of_unix_sockets(&here, &there);
	if (kind / 2)
		ck_assert_int_eq(fcntl(here, F_SETFL, fd_flags(here) | O_NONBLOCK), 0);
}

void engine_and_connection(int number)
{
	engine_in(number / CONNECTIONS, NULL);
	connection(number % CONNECTIONS);
}

void fd_empty(int fd)
{
	int nothing = open("/dev/null", O_RDWR);

	ck_assert_int_eq(dup2(nothing, fd), fd);
	close(nothing);
}

int fd_flags(int fd)
{
	return fcntl(fd, F_GETFL);
}

int bytes_waiting(int fd)
{
	int count = -1;

	ck_assert_int_eq(ioctl(fd, FIONREAD, &count), 0);
	return count;
}

/* SPDX-License-Identifier: MIT */
/*
 * How often a loop wakes its host: for one event, for a thousand, and for nothing.
 *
 * The host is a bare poll() on the loop's descriptor. An event is a read that ends: of a pipe that somebody
 * writes to, either another thread, as fast as it can while the host wakes and sleeps, or the host itself, in
 * one go.
 */
#include <safer_ring.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS_MAX 1000
#define HOUR_NS (3600 * UINT64_C(1000000000))

static sfr_loop *loop;
static int fds[EVENTS_MAX][2];
static uint64_t wakes, events;
static atomic_uint order; /* how many the other thread is to write to */
static atomic_bool over;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "embed_wakes: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

static void write_to(unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (write(fds[i][1], "x", 1) < 0)
			check(-errno, "writing");
}

static void *other_thread(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		unsigned count = atomic_exchange(&order, 0);

		if (count)
			write_to(count);
	}
	return NULL;
}

static void was_read(sfr_loop *l, int result, sfr_buf *buf, void *arg)
{
	(void)l, (void)arg;
	check(result, "reading");
	events++;
	sfr_buf_release(buf);
}

/* One sleep of the host. False if it was not woken. */
static bool sleep_once(int timeout_ms)
{
	struct pollfd fd = {.fd = sfr_loop_fd(loop), .events = POLLIN};
	int r;

	sfr_loop_prepare(loop);
	r = poll(&fd, 1, timeout_ms);
	if (r == 0)
		return false;
	wakes++; /* EINTR counts as well: the host woke */
	check(sfr_loop_step(loop, 0), "a step");
	return true;
}

static void sleep_until_quiet(void)
{
	while (sleep_once(20))
		;
}

static void measure(const char *name, unsigned count, unsigned rounds, bool by_another)
{
	uint64_t wanted = 0;
	unsigned i;

	wakes = events = 0;
	for (; rounds; rounds--) {
		uint64_t before;

		for (i = 0; i < count; i++)
			sfr_submit(sfr_read(loop, fds[i][0], sfr_buf_get(loop, 8)), was_read, NULL);
		before = wakes;
		sleep_until_quiet();
		wakes = before; /* of the submissions */
		wanted += count;
		if (by_another)
			atomic_store(&order, count);
		else
			write_to(count);
		while (events < wanted)
			sleep_once(-1);
		sleep_until_quiet();
	}
	printf("%-28s %8u %12.2f %14.4f\n", name, count, (double)wakes * count / (double)events,
	       (double)wakes / (double)events);
	fflush(stdout);
}

/* A thousand that wait, a deadline, a timer, a server: all there is, and nothing happens. */
static void measure_idle(int seconds)
{
	const sfr_handlers handlers = {.on_open = 0};
	uint64_t begin, left;
	unsigned i;

	for (i = 0; i < EVENTS_MAX; i++)
		sfr_submit(sfr_within(sfr_read(loop, fds[i][0], sfr_buf_get(loop, 8)), HOUR_NS),
			   NULL, NULL);
	sfr_submit(sfr_timeout(loop, HOUR_NS), NULL, NULL);
	check(sfr_serve(loop, "tcp://127.0.0.1:0", &handlers, NULL, NULL), "cannot serve");
	sleep_until_quiet();
	sfr_loop_step(loop, 0);
	wakes = 0;
	begin = sfr_loop_now(loop);
	left = (uint64_t)seconds * 1000;
	while (sleep_once((int)left)) {
		uint64_t passed = (sfr_loop_now(loop) - begin) / 1000000;

		left = passed < (uint64_t)seconds * 1000 ? (uint64_t)seconds * 1000 - passed : 0;
	}
	printf("\n%d s with %d reads, deadlines, a timer and a server that wait: woken %" PRIu64
	       " times\n",
	       seconds, EVENTS_MAX, wakes);
}

static void world_make(void)
{
	struct rlimit files;
	unsigned i;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	check(sfr_loop_new(&loop, NULL), "cannot make a loop");
	check(sfr_loop_fd(loop), "no descriptor");
	for (i = 0; i < EVENTS_MAX; i++)
		check(pipe(fds[i]) < 0 ? -errno : 0, "a pipe: allow more files with ulimit -n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
	int option, seconds = 10;
	pthread_t thread;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 's')
			return puts("usage: embed_wakes [--seconds N]\n\nHow often a loop wakes its "
				    "host: for an event, for 1,000, and for nothing in N seconds."),
			       option == 'h' ? 0 : 2;
		seconds = atoi(optarg);
	}
	world_make();
	if (pthread_create(&thread, NULL, other_thread, NULL) != 0)
		check(-EAGAIN, "no thread");
	printf("engine %s\n%-28s %8s %12s %14s\n", sfr_loop_engine(loop), "written by", "events",
	       "wakes", "wakes/event");
	measure("another thread", 1, 100, true);
	measure("the host, between sleeps", 1, 100, false);
	measure("another thread", EVENTS_MAX, 20, true);
	measure("the host, between sleeps", EVENTS_MAX, 20, false);
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	measure_idle(seconds);
	check(sfr_loop_drain(loop, -1), "draining");
	check(sfr_loop_free(loop), "freeing");
	return 0;
}

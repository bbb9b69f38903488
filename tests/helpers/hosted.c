/* SPDX-License-Identifier: MIT */
/*
 * Suites that run a second time, in a host: linked with this, each of their turns is a turn of a host that
 * sleeps for the loop, now and then prepares it, and steps when its descriptor is readable and at no other
 * time. So whatever those suites claim of a loop holds in a host, or is never seen to happen.
 */
#include <errno.h>
#include <poll.h>
#include <safer_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define IN_VAIN_MAX 100000 /* kernel polling may take some to get on */

int __real_sfr_loop_step(sfr_loop *loop, int64_t timeout_ns);
int __wrap_sfr_loop_step(sfr_loop *loop, int64_t timeout_ns);

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Whether it is readable before the time is up; negative: there is none. */
static bool sleep_for(int fd, int64_t timeout_ns)
{
	int64_t end = now_ns() + timeout_ns;
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	int r;

	do {
		int64_t left = timeout_ns < 0 ? -1 : end - now_ns();

		r = poll(&pollfd, 1, timeout_ns < 0 ? -1 : (int)((left + 999999) / 1000000));
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

/* To be woken again and again, and find nothing, would burn a core. */
static void found(int callbacks)
{
	static unsigned in_vain;

	in_vain = callbacks ? 0 : in_vain + 1;
	if (in_vain == IN_VAIN_MAX) {
		(void)fprintf(stderr, "a host was woken %u times, and found nothing\n", in_vain);
		abort();
	}
}

int __wrap_sfr_loop_step(sfr_loop *loop, int64_t timeout_ns)
{
	static unsigned turns;
	int fd = sfr_loop_fd(loop), r;

	if (fd < 0)
		return fd;
	if (turns++ & 1 && sfr_loop_prepare(loop) < -1)
		return __real_sfr_loop_step(loop, 0); /* which says the same */
	if (!sleep_for(fd, timeout_ns))
		return 0;
	r = __real_sfr_loop_step(loop, 0);
	found(r);
	return r;
}

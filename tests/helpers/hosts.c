/* SPDX-License-Identifier: MIT */
/*
 * Each kind of host sleeps in its own system call, until the time that it was given or until
 * something is readable. An interrupted sleep begins again with the whole time, and is counted.
 */
#include "hosts.h"
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

const char *host_name(enum host_kind kind)
{
	static const char *const names[] = {"select", "poll", "epoll", "epoll with EPOLLET"};

	return names[kind];
}

void host_init(struct host *host, enum host_kind kind)
{
	*host = (struct host){.kind = kind, .epoll_fd = -1};
	if (kind >= HOST_EPOLL)
		host->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ck_assert(kind < HOST_EPOLL || host->epoll_fd >= 0);
}

void host_fini(struct host *host)
{
	if (host->epoll_fd >= 0)
		close(host->epoll_fd);
}

void host_watch(struct host *host, int fd)
{
	struct epoll_event event = {
		.events = EPOLLIN | (host->kind == HOST_EPOLL_EDGE ? (uint32_t)EPOLLET : 0),
		.data.u32 = (uint32_t)host->count};

	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(host->count, HOST_FDS_MAX);
	host->fds[host->count++] = fd;
	if (host->epoll_fd >= 0)
		ck_assert_int_eq(epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
}

/* The last that it watches. */
void host_forget(struct host *host, int fd)
{
	ck_assert_int_eq(host->fds[--host->count], fd);
	if (host->epoll_fd >= 0)
		ck_assert_int_eq(epoll_ctl(host->epoll_fd, EPOLL_CTL_DEL, fd, NULL), 0);
}

static int sleep_in_select(struct host *host, int64_t timeout_ns)
{
	struct timeval time = {.tv_sec = timeout_ns / 1000000000,
			       .tv_usec = (timeout_ns % 1000000000 + 999) / 1000};
	int i, max = -1, r;
	fd_set set;

	FD_ZERO(&set);
	for (i = 0; i < host->count; i++) {
		FD_SET(host->fds[i], &set);
		max = host->fds[i] > max ? host->fds[i] : max;
	}
	r = select(max + 1, &set, NULL, NULL, &time);
	for (i = 0; i < host->count; i++)
		host->ready[i] = r > 0 && FD_ISSET(host->fds[i], &set);
	return r;
}

static int ms_of(int64_t timeout_ns)
{
	return (int)((timeout_ns + 999999) / 1000000);
}

static int sleep_in_poll(struct host *host, int64_t timeout_ns)
{
	struct pollfd fds[HOST_FDS_MAX];
	int i, r;

	for (i = 0; i < host->count; i++)
		fds[i] = (struct pollfd){.fd = host->fds[i], .events = POLLIN};
	r = poll(fds, (nfds_t)host->count, ms_of(timeout_ns));
	for (i = 0; i < host->count; i++)
		host->ready[i] = r > 0 && fds[i].revents;
	return r;
}

static int sleep_in_epoll(struct host *host, int64_t timeout_ns)
{
	struct epoll_event events[HOST_FDS_MAX];
	int i, r = epoll_wait(host->epoll_fd, events, HOST_FDS_MAX, ms_of(timeout_ns));

	for (i = 0; i < host->count; i++)
		host->ready[i] = false;
	for (i = 0; i < r; i++)
		host->ready[events[i].data.u32] = true;
	return r;
}

int host_sleep(struct host *host, int64_t timeout_ns)
{
	int r;

	do {
		r = host->kind == HOST_SELECT ? sleep_in_select(host, timeout_ns)
		    : host->kind == HOST_POLL ? sleep_in_poll(host, timeout_ns)
					      : sleep_in_epoll(host, timeout_ns);
		ck_assert(r >= 0 || errno == EINTR);
		host->interrupted += r < 0;
	} while (r < 0);
	host->wakes += r > 0;
	return r;
}

bool is_readable_within(int fd, int ms)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	int r;

	do
		r = poll(&pollfd, 1, ms);
	while (r < 0 && errno == EINTR);
	return r > 0;
}

bool is_readable(int fd)
{
	return is_readable_within(fd, 0);
}

/* Kernel polling takes the time of another thread, so there is patience. */
void fall_quiet(sfr_loop *loop)
{
	time_t end = time(NULL) + PATIENCE_S;

	while (is_readable_within(sfr_loop_fd(loop), 1)) {
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_msg(time(NULL) <= end, "it is readable for ever");
	}
}

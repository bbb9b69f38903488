/* SPDX-License-Identifier: MIT */
/*
 * Hosts: other people's event loops, of which each knows no more than descriptors and one of select, poll and
 * epoll. And loops to embed there.
 */
#ifndef SFR_TESTS_HOSTS_H
#define SFR_TESTS_HOSTS_H

#include "peers.h"

enum host_kind { HOST_SELECT, HOST_POLL, HOST_EPOLL, HOST_EPOLL_EDGE, HOST_KINDS };

#define HOST_FDS_MAX 32

struct host {
	enum host_kind kind;
	int epoll_fd;
	int fds[HOST_FDS_MAX], count;
	bool ready[HOST_FDS_MAX]; /* those that the last sleep found readable */
	int wakes;
	int interrupted; /* sleeps that ended with EINTR; it went on sleeping */
};

void host_init(struct host *host, enum host_kind kind);
void host_fini(struct host *host);
void host_watch(struct host *host, int fd); /* for reading; known by its number, from 0 */
void host_forget(struct host *host, int fd);

/* Sleep until one is readable, for at most so long. How many are. */
int host_sleep(struct host *host, int64_t timeout_ns);

/* Sleep and step once a wake, as docs/embedding.md says, until a condition holds; fail, naming it, if the host is
 * not woken any more. The loop is the one watched first. */
#define host_until(host, loop, condition)                                      \
	do {                                                                   \
		while (!(condition)) {                                         \
			ck_assert_msg(host_sleep(host, PATIENCE_NS) > 0,       \
				      "%s: not woken, and never: " #condition, \
				      host_name((host)->kind));                \
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);           \
		}                                                              \
	} while (0)

/* The same for a host that has nothing else, and sleeps in poll. */
#define steps_until(loop, condition)                                                      \
	do {                                                                              \
		while (!(condition)) {                                                    \
			ck_assert_msg(is_readable_within(sfr_loop_fd(loop), PATIENCE_MS), \
				      "not woken, and never: " #condition);               \
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);                      \
		}                                                                         \
	} while (0)

const char *host_name(enum host_kind kind);

/* Whether a descriptor is readable now; and within so many ms. */
bool is_readable(int fd);
bool is_readable_within(int fd, int ms);

/* Step for as long as the loop's descriptor is readable: it has nothing to do then. Fail if that never is. */
void fall_quiet(sfr_loop *loop);

#endif

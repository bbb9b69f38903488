/* SPDX-License-Identifier: MIT */
/*
 * Being told once that a descriptor is ready, and of what.
 */
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 6

/*
 * News that only who asks first is told of. Each test has a world of mounts and names of its own.
 */

static char directory[] = "/tmp/sfr-poll-XXXXXX";
static int news;

static bool own_world(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0 ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(directory)) {
		printf("skip - news of mounts and names: %s\n", strerror(errno));
		return false;
	}
	return true;
}

static void own_world_end(void)
{
	(void)umount(directory);
	ck_assert_int_eq(rmdir(directory), 0);
}

static void mount_changes(void)
{
	if (news++ & 1)
		ck_assert_int_eq(umount(directory), 0);
	else
		ck_assert_int_eq(mount("none", directory, "tmpfs", 0, NULL), 0);
}

static void name_changes(void)
{
	ck_assert_int_eq(sethostname(news++ & 1 ? "sfr-a" : "sfr-b", 5), 0);
}

static const struct {
	const char *path;
	void (*change)(void);
} tellers[] = {
	{"/proc/self/mountinfo", mount_changes},
	{"/proc/self/mounts", mount_changes},
	{"/proc/sys/kernel/hostname", name_changes},
};

/* One of them, that has told all there was. */
static int teller_open(size_t which)
{
	struct pollfd pollfd = {.events = POLLPRI};
	char some[64];

	pollfd.fd = owned_fd(open(tellers[which].path, O_RDONLY | O_CLOEXEC));
	ck_assert_int_ge(pollfd.fd, 0);
	ck_assert_int_ge(read(pollfd.fd, some, sizeof(some)), 0);
	(void)poll(&pollfd, 1, 0);
	return pollfd.fd;
}

/* Nothing is told until there is news, and that is told. */
static void change_is_told(sfr_loop *loop, size_t which, int calls_before, unsigned events)
{
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1000000), NULL), 0);
	ck_assert_int_eq(seen.calls, calls_before);
	tellers[which].change();
	turn_until(loop, &seen.calls, calls_before + 1);
	ck_assert_int_eq(seen.result, (int)(events | POLLERR));
}

START_TEST(news_are_told_though_they_are_told_once)
{
	sfr_loop *loop = loop_in(_i, NULL);
	size_t which;
	int i;

	if (!own_world())
		return;
	for (which = 0; which < sizeof(tellers) / sizeof(tellers[0]); which++) {
		int fd = teller_open(which);

		for (i = 0; i < ROUNDS; i++) {
			unsigned events = i & 2 ? 0 : POLLPRI; /* errors are always told */

			seen = (struct seen){0};
			sfr_submit(sfr_poll(loop, fd, events), record, &seen);
			change_is_told(loop, which, 0, events);
		}
		tellers[which].change(); /* and while nobody polls */
		ck_assert_int_eq(sfr_await(sfr_poll(loop, fd, POLLPRI), NULL), POLLPRI | POLLERR);
	}
	own_world_end();
}
END_TEST

START_TEST(news_are_told_each_time)
{
	sfr_loop *loop = loop_in(_i, NULL);
	size_t which;
	int i;

	if (!own_world())
		return;
	for (which = 0; which < sizeof(tellers) / sizeof(tellers[0]); which++) {
		int fd = teller_open(which);
		sfr_ticket ticket;

		seen = (struct seen){0};
		ticket = sfr_submit(sfr_poll_multi(loop, fd, POLLPRI), record, &seen);
		for (i = 0; i < ROUNDS; i++)
			change_is_told(loop, which, i, POLLPRI);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
	}
	own_world_end();
}
END_TEST

/*
 * What is told is of the descriptor.
 */

static void send_byte(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

START_TEST(each_is_told_what_it_asked_for)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct seen in = {0}, out = {0}, end = {0};
	int near, far;

	pair_of_unix_sockets(&near, &far);
	sfr_submit(sfr_poll(loop, near, POLLIN), record, &in);
	sfr_submit(sfr_poll(loop, near, POLLIN | POLLOUT), record, &out);
	sfr_submit(sfr_poll(loop, near, 0), record, &end);
	turn_until(loop, &out.calls, 1);
	ck_assert_int_eq(out.result, POLLOUT);
	ck_assert_int_eq(in.calls, 0);
	send_byte(far);
	turn_until(loop, &in.calls, 1);
	ck_assert_int_eq(in.result, POLLIN);
	ck_assert_int_eq(end.calls, 0);
	ck_assert_int_eq(shutdown(near, SHUT_WR), 0);
	ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
	turn_until(loop, &end.calls, 1);

	ck_assert_int_eq(end.result & ~POLLRDHUP, POLLHUP); /* which the kernel adds */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("poll");
	TCase *tc = world_case(suite, "news");

	world_test(tc, news_are_told_though_they_are_told_once);
	world_test(tc, news_are_told_each_time);
	tc = world_case(suite, "what is told");
	world_test(tc, each_is_told_what_it_asked_for);
	return world_run(suite);
}

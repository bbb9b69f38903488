/* SPDX-License-Identifier: MIT */
/*
 * Face: an epoll set of an eventfd, a timerfd, and the descriptors of the mailbox and the engine.
 *
 * Nothing here can fail once the set is open: a write or read of an eventfd that does nothing says
 * that the eventfd already is as it should be.
 */
#include "loop/face.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

void sfr__face_init(struct sfr__face *face)
{
	*face = (struct sfr__face){.fd = -1, .nudge_fd = -1, .timer_fd = -1};
}

static void descriptor_close(int fd)
{
	if (fd >= 0)
		(void)close(fd); /* nothing in it can be lost */
}

void sfr__face_fini(struct sfr__face *face)
{
	descriptor_close(face->fd);
	descriptor_close(face->nudge_fd);
	descriptor_close(face->timer_fd);
	sfr__face_init(face);
}

static int set_add(int set, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return fd < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int sfr__face_open(struct sfr__face *face, int mailbox_fd)
{
	int r;

	face->fd = epoll_create1(EPOLL_CLOEXEC);
	if (face->fd < 0)
		return -errno;
	face->nudge_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	face->nudged = true;
	r = set_add(face->fd, face->nudge_fd);
	if (r == 0)
		r = set_add(face->fd, mailbox_fd);
	if (r == 0) {
		face->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		r = set_add(face->fd, face->timer_fd);
	}
	if (r < 0)
		sfr__face_fini(face);
	return r;
}

void sfr__face_nudge(struct sfr__face *face)
{
	const uint64_t one = 1;

	face->asleep = false;
	if (face->nudged)
		return;
	face->nudged = true;
	(void)!write(face->nudge_fd, &one, sizeof(one)); /* full means it is readable already */
}

void sfr__face_hush(struct sfr__face *face)
{
	uint64_t count;

	if (face->nudged)
		(void)!read(face->nudge_fd, &count, sizeof(count)); /* empty is as good */
	face->nudged = false;
}

/* One that would wake the host too early is left: it is cheaper to wake once than to set it every turn. */
void sfr__face_timer(struct sfr__face *face, uint64_t at_ns, uint64_t now_ns)
{
	bool runs = face->timer_at > now_ns;
	struct itimerspec time = {.it_value = {.tv_sec = (time_t)(at_ns / 1000000000),
					       .tv_nsec = (long)(at_ns % 1000000000)}};

	if (face->timer_at == at_ns || (runs && at_ns && face->timer_at < at_ns))
		return;
	if (timerfd_settime(face->timer_fd, TFD_TIMER_ABSTIME, &time, NULL) == 0)
		face->timer_at = at_ns;
}

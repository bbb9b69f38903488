/* SPDX-License-Identifier: MIT */
/*
 * The face and the mailbox by themselves: the moments that no test can hit from outside.
 */
#include "loop/face.h"
#include "loop/mailbox.h"
#include "world.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000

static bool is_readable_within(int fd, int ms)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, ms) > 0;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static struct sfr__mailbox mailbox;
static struct sfr__face face;

static void face_up(void)
{
	ck_assert_int_eq(sfr__mailbox_init(&mailbox), 0);
	sfr__face_init(&face);
	ck_assert(!sfr__face_is_open(&face));
	ck_assert_int_eq(sfr__face_open(&face, mailbox.fd), 0);
}

static void face_down(void)
{
	sfr__face_fini(&face);
	ck_assert(!sfr__face_is_open(&face));
	sfr__mailbox_fini(&mailbox);
}

START_TEST(it_is_nudged_until_it_is_hushed)
{
	ck_assert(is_readable_within(face.fd, 0)); /* nobody has looked at what is there */
	sfr__face_hush(&face);
	ck_assert(!is_readable_within(face.fd, 0));
	face.asleep = true;
	sfr__face_nudge(&face);
	sfr__face_nudge(&face);
	ck_assert(!face.asleep);
	ck_assert(is_readable_within(face.fd, 0));
	sfr__face_hush(&face);
	sfr__face_hush(&face);
	ck_assert(!is_readable_within(face.fd, 0));
}
END_TEST

START_TEST(its_timer_fires_when_it_is_due_and_is_quiet_once_it_is_set_anew)
{
	uint64_t now = now_ns();

	sfr__face_hush(&face);
	sfr__face_timer(&face, now + MS, now);
	ck_assert(is_readable_within(face.fd, PATIENCE_MS));
	ck_assert_uint_ge(now_ns(), now + MS);
	ck_assert(is_readable_within(face.fd, 0));
	now = now_ns();
	sfr__face_timer(&face, now + (uint64_t)3600000 * MS, now);
	ck_assert(!is_readable_within(face.fd, 0));
	sfr__face_timer(&face, 0, now);
	ck_assert_uint_eq(face.timer_at, 0);
}
END_TEST

START_TEST(a_timer_that_is_early_is_left_and_one_that_is_late_is_not)
{
	uint64_t now = now_ns(), minute = (uint64_t)60000 * MS;

	sfr__face_hush(&face);
	sfr__face_timer(&face, now + 2 * minute, now);
	sfr__face_timer(&face, now + 3 * minute, now);
	ck_assert_uint_eq(face.timer_at, now + 2 * minute);
	sfr__face_timer(&face, now + minute, now);
	ck_assert_uint_eq(face.timer_at, now + minute);
	sfr__face_timer(&face, now + 3 * minute, now + 2 * minute); /* it has fired since */
	ck_assert_uint_eq(face.timer_at, now + 3 * minute);
	sfr__face_timer(&face, UINT64_MAX, now + 4 * minute); /* as long as there is time */
	ck_assert(!is_readable_within(face.fd, 0));
}
END_TEST

START_TEST(a_knock_is_seen_in_it_until_it_is_heard)
{
	sfr__face_hush(&face);
	sfr__mailbox_knock(&mailbox);
	sfr__mailbox_knock(&mailbox);
	ck_assert(is_readable_within(face.fd, 0));
	sfr__mailbox_hear(&mailbox);
	ck_assert(!is_readable_within(face.fd, 0));
	sfr__mailbox_knock(&mailbox);
	ck_assert(is_readable_within(face.fd, 0));
}
END_TEST

/* Who knocks has said so, and has not come to write it. */
START_TEST(a_knock_that_is_heard_too_early_is_heard_again)
{
	const uint64_t one = 1;

	sfr__face_hush(&face);
	atomic_store(&mailbox.knocked, true);
	sfr__mailbox_hear(&mailbox);
	ck_assert_int_eq(write(mailbox.fd, &one, sizeof(one)), sizeof(one));
	ck_assert(is_readable_within(face.fd, 0));
	sfr__mailbox_hear(&mailbox);
	ck_assert(!is_readable_within(face.fd, 0));
	ck_assert(!atomic_load(&mailbox.knocked));
}
END_TEST

/* The kernel allows five sets inside each other. The face is one, and has the set of the epoll engine in it. */
START_TEST(its_host_may_be_in_the_set_of_another_and_that_in_a_third)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct epoll_event event = {.events = EPOLLIN};
	int inside = sfr_loop_fd(loop), read_end, write_end, i;
	bool deeper = strcmp(sfr_loop_engine(loop), "epoll") != 0;

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 1)), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	for (i = 0; i < 4; i++) {
		int host = owned_fd(epoll_create1(EPOLL_CLOEXEC));
		int r = epoll_ctl(host, EPOLL_CTL_ADD, inside, &event);

		if (i == 3 && !deeper) {
			ck_assert_int_eq(r, -1);
			ck_assert_int_eq(errno, ELOOP);
			break;
		}
		ck_assert_int_eq(r, 0);
		inside = host;
	}
	while (sfr_loop_prepare(loop) == 0)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert(!is_readable_within(inside, 0));
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert(is_readable_within(inside, -1));
	turn_until(loop, &seen.calls, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("face");
	TCase *tc = patient_case(suite, "the parts");

	tcase_add_checked_fixture(tc, face_up, face_down);
	tcase_add_test(tc, it_is_nudged_until_it_is_hushed);
	tcase_add_test(tc, its_timer_fires_when_it_is_due_and_is_quiet_once_it_is_set_anew);
	tcase_add_test(tc, a_timer_that_is_early_is_left_and_one_that_is_late_is_not);
	tcase_add_test(tc, a_knock_is_seen_in_it_until_it_is_heard);
	tcase_add_test(tc, a_knock_that_is_heard_too_early_is_heard_again);
	tc = world_case(suite, "hosts in hosts");
	world_test(tc, its_host_may_be_in_the_set_of_another_and_that_in_a_third);
	return world_run(suite);
}

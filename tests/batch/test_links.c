/* SPDX-License-Identifier: MIT */
/*
 * Links: whatever a kernel takes of a row, and whatever it makes of it, a batch comes out as it was declared.
 *
 * A kernel that is short of memory takes a part of what was submitted; here it does where a test says so.
 */
#include "world.h"
#include "cut.h"
#include "loop/loop.h"
#include <safer_ring/batch.h>
#include <safer_ring/error.h>
#include <safer_ring/file.h>
#include <safer_ring/registry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OPS = 6, NOBODY = -1 };

static sfr_loop *loop;
static int log_read, log_write; /* a pipe that tells who has run */
static int full;                /* a device without room */

static void loop_with_log(int world, const char *more)
{
	loop = loop_in(world, more);
	pair_of_pipe_ends(&log_read, &log_write);
	full = owned_fd(open("/dev/full", O_WRONLY));
	sfr_loop_step(loop, 0); /* from now on the mailbox has its entry */
}

/* Who has run, in the order in which they did. */
static const char *log_text(void)
{
	static char text[OPS + 2];
	int count = 0;

	memset(text, 0, sizeof(text));
	ck_assert_int_eq(ioctl(log_read, FIONREAD, &count), 0);
	ck_assert_int_le(count, OPS);
	if (count)
		ck_assert_int_eq(read(log_read, text, (size_t)count), count);
	return text;
}

static sfr_op *log_op(int i)
{
	return sfr_write(loop, log_write, sfr_buf_from(loop, &"abcdef"[i], 1));
}

static int result_of(sfr_batch *batch, int i)
{
	int result = 0;

	ck_assert_int_eq(sfr_batch_result(batch, i, &result), 0);
	return result;
}

/* Whether the kernel is handed rows, so that it can take a part of one. */
static bool kernel_links(void)
{
	return strcmp(sfr_loop_engine(loop), "uring") == 0 &&
	       sfr__has(loop->engine->features, SFR__FEATURE_LINKS);
}

/*
 * A path of six writes, of which one may fail. Those whose bit is set run whatever became of the one before.
 */

static sfr_batch *path(int failing, unsigned any)
{
	sfr_batch *batch = sfr_batch_new(loop);
	int i;

	for (i = 0; i < OPS; i++)
		sfr_batch_add(batch, i == failing
					     ? sfr_write(loop, full, sfr_buf_from(loop, "x", 1))
					     : log_op(i));
	for (i = 1; i < OPS; i++)
		(any >> i & 1 ? sfr_batch_after_any : sfr_batch_after)(batch, i, i - 1);
	return batch;
}

static void check_path(sfr_batch *batch, int failing, unsigned any)
{
	char ran[OPS + 1] = "", *end = ran;
	bool well = true;
	int i;

	for (i = 0; i < OPS; i++) {
		bool starts = well || any >> i & 1;
		int expected = !starts ? -SFR_EDEPFAILED : i == failing ? -ENOSPC : 1;

		ck_assert_msg(result_of(batch, i) == expected, "%d has %d: %d fails, any %x", i,
			      result_of(batch, i), failing, any);
		well = expected == 1;
		if (well)
			*end++ = "abcdef"[i];
	}
	ck_assert_str_eq(log_text(), ran);
}

START_TEST(it_matters_not_where_a_row_is_cut)
{
	static const unsigned anys[] = {0, 0x3e, 0x2a, 0x14};
	int failing, first, second;
	size_t i;

	loop_with_log(_i, NULL);
	for (i = 0; i < sizeof(anys) / sizeof(anys[0]); i++)
		for (failing = NOBODY; failing < OPS; failing++)
			for (first = 0; first <= OPS; first++)
				for (second = 0; second <= OPS; second += 2) {
					sfr_batch *batch = path(failing, anys[i]);

					cut_at((unsigned)first, (unsigned)second);
					ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
					ck_assert_int_ge(sfr_batch_await(batch), 0);
					check_path(batch, failing, anys[i]);
					sfr_batch_free(batch);
				}
}
END_TEST

/* Where a kernel with links takes so many of the six, the rest is given back; else nothing is. */
START_TEST(what_is_cut_off_is_given_back_once)
{
	int first, second;

	loop_with_log(_i, NULL);
	for (first = 0; first <= OPS; first++)
		for (second = 0; second <= OPS; second++) {
			uint64_t before = stats_of(loop).links_broken;
			int at = first ? first : second;
			sfr_batch *batch = path(NOBODY, 0);

			cut_at((unsigned)first, (unsigned)second);
			ck_assert_int_eq(sfr_batch_await(batch), 0);
			check_path(batch, NOBODY, 0);
			ck_assert_uint_eq(stats_of(loop).links_broken - before,
					  kernel_links() && at ? (unsigned)(OPS - at) : 0);
			sfr_batch_free(batch);
		}
}
END_TEST

/*
 * The first of the path waits for bytes, and the rest is cut off.
 */

static int near, far;

static void bytes_come(sfr_batch *batch)
{
	(void)batch;
	ck_assert_int_eq(write(far, "0123456789", 10), 10);
}

static void a_part_comes(sfr_batch *batch)
{
	(void)batch;
	ck_assert_int_eq(write(far, "012", 3), 3);
	ck_assert_int_eq(shutdown(far, SHUT_WR), 0);
}

static void all_is_cancelled(sfr_batch *batch)
{
	ck_assert_int_eq(sfr_batch_cancel(batch), 0);
}

static void the_first_is_cancelled(sfr_batch *batch)
{
	(void)batch;
	ck_assert_int_eq(sfr_cancel_fd(loop, near), 1);
}

static void the_rest_is_cancelled(sfr_batch *batch)
{
	(void)batch;
	ck_assert_int_eq(sfr_cancel_fd(loop, log_write), OPS - 1);
	bytes_come(batch);
}

static void the_loop_is_drained(sfr_batch *batch)
{
	(void)batch;
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
}

static const struct {
	const char *says;
	void (*happens)(sfr_batch *batch);
	int first, rest;
} events[] = {
	{"bytes come", bytes_come, 10, 1},
	{"a part comes", a_part_comes, 3, -SFR_EDEPFAILED},
	{"all is cancelled", all_is_cancelled, -ECANCELED, -ECANCELED},
	{"the first is cancelled", the_first_is_cancelled, -ECANCELED, -SFR_EDEPFAILED},
	{"the rest is cancelled", the_rest_is_cancelled, 10, -ECANCELED},
	{"the loop is drained", the_loop_is_drained, -ECANCELED, -ECANCELED},
};

#define EVENTS ((int)(sizeof(events) / sizeof(events[0])))

static sfr_batch *waiting_path(void)
{
	static char bytes[10];
	sfr_batch *batch = sfr_batch_new(loop);
	int i;

	pair_of_unix_sockets(&near, &far);
	sfr_batch_add(batch,
		      sfr_all(sfr_recv(loop, near,
				       sfr_buf_wrap(loop, bytes, sizeof(bytes), NULL, NULL))));
	for (i = 1; i < OPS; i++)
		sfr_batch_after(batch, sfr_batch_add(batch, log_op(i)), i - 1);
	return batch;
}

/* An engine that has it does not find a member that it has not started: that one may yet run. */
static bool may_run(int event, int at, int i)
{
	bool cut_off = kernel_links() && i >= at;

	return events[event].happens == the_rest_is_cancelled && !cut_off &&
	       sfr__has(loop->engine->features, SFR__FEATURE_LINKS);
}

static void check_event(sfr_batch *batch, int event, int at)
{
	char ran[OPS + 1] = "", *end = ran;
	int i;

	ck_assert_int_eq(result_of(batch, 0), events[event].first);
	for (i = 1; i < OPS; i++) {
		int result = result_of(batch, i);

		ck_assert_msg(result == events[event].rest ||
				      (result == 1 && may_run(event, at, i)),
			      "cut at %d, %s: %d has %d", at, events[event].says, i, result);
		if (result == 1)
			*end++ = "abcdef"[i];
	}
	ck_assert_str_eq(log_text(), ran);
}

START_TEST(what_was_cut_off_waits_for_what_was_not)
{
	int event, at, turns;

	loop_with_log(_i, NULL);
	for (event = 0; event < EVENTS; event++)
		for (at = 1; at <= OPS; at++) {
			sfr_batch *batch = waiting_path();

			cut_at((unsigned)at, OPS);
			ck_assert_int_eq(sfr_batch_submit(batch, NULL, NULL), 0);
			for (turns = 0; turns < 4; turns++)
				ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
			ck_assert_str_eq(log_text(), "");
			ck_assert_uint_eq(sfr_loop_inflight(loop), OPS);

			events[event].happens(batch);
			ck_assert_int_ge(sfr_batch_await(batch), 0);
			check_event(batch, event, at);
			sfr_batch_free(batch);
		}
}
END_TEST

/*
 * With and without.
 */

static unsigned links_of(sfr_batch *batch)
{
	sfr_batch_plan_info info;

	ck_assert_int_eq(sfr_batch_plan(batch, &info), 0);
	return info.links;
}

static void check_links(unsigned links)
{
	sfr_batch *batch = path(2, 0x10);
	uint64_t before = stats_of(loop).links;

	ck_assert_uint_eq(links_of(batch), links);
	sfr_batch_await(batch);
	check_path(batch, 2, 0x10);
	ck_assert_uint_eq(stats_of(loop).links - before, links);
	sfr_batch_free(batch);
}

START_TEST(without_the_feature_nothing_is_linked)
{
	loop_with_log(_i, "features.links=off");
	check_links(0);
}
END_TEST

START_TEST(beside_kernel_polling_links_are_left_out_unless_they_are_asked_for)
{
	if (!world_has_uring())
		return;
	loop_with_log(0, "ring.sqpoll=force");
	check_links(0);
	loop_end();
	loop_with_log(0, "ring.sqpoll=force features.links=on");
	check_links(OPS - 2); /* one of them is for its end only */
}
END_TEST

/* A place that the loop fills itself is not there for the kernel when that starts the next. */
START_TEST(a_place_that_the_loop_fills_is_waited_for)
{
	static const char *const more[] = {NULL, "features.direct_files=off", "features.links=off"};
	int name, i, empty = -1;

	for (i = 0; i < 3; i++) {
		sfr_batch *batch;
		int open, read;

		loop_with_log(_i, more[i]);
		ck_assert_int_eq(sfr_files_register(loop, &empty, 1, &name), 0);
		batch = sfr_batch_new(loop);
		open = sfr_batch_add(
			batch,
			sfr_into(sfr_openat(loop, AT_FDCWD, "/dev/zero", O_RDONLY, 0), name));
		read = sfr_batch_then(
			batch, open,
			sfr_read(loop, sfr_batch_fd(batch, open), sfr_buf_get(loop, 100)));
		sfr_batch_after_any(batch, sfr_batch_add(batch, sfr_close(loop, name)), read);
		ck_assert_int_eq(sfr_batch_await(batch), 0);
		ck_assert_int_gt(result_of(batch, read), 0);
		sfr_batch_free(batch);
		ck_assert_int_eq(sfr_files_unregister(loop), 0);
		loop_end();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("links");
	TCase *tc = world_case(suite, "cut rows");

	world_test(tc, it_matters_not_where_a_row_is_cut);
	world_test(tc, what_is_cut_off_is_given_back_once);
	world_test(tc, what_was_cut_off_waits_for_what_was_not);
	tc = world_case(suite, "with and without");
	world_test(tc, without_the_feature_nothing_is_linked);
	tcase_add_test(tc, beside_kernel_polling_links_are_left_out_unless_they_are_asked_for);
	world_test(tc, a_place_that_the_loop_fills_is_waited_for);
	return world_run(suite);
}

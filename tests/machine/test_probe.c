/* SPDX-License-Identifier: MIT */
/*
 * The probe: what io_uring accepts here, found out by trying. Each test is a process that never asked.
 */
#include "machine/probe.h"
#include "cases.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static int enters, interrupted; /* the enter that a signal interrupts; 0: none */

int __real_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
			   sigset_t *sig, size_t size);
int __wrap_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
			   sigset_t *sig, size_t size);

int __wrap_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
			   sigset_t *sig, size_t size)
{
	if (++enters == interrupted)
		return -EINTR;
	return __real_io_uring_enter2(fd, to_submit, min_complete, flags, sig, size);
}

static bool is_refused(void)
{
	struct sfr__probe probe;

	sfr__probe_uring(&probe);
	if (probe.refusal.error)
		ck_assert_uint_eq(probe.features, 0);
	return probe.refusal.error != 0;
}

START_TEST(asking_once_gives_what_trying_gives)
{
	struct sfr__probe probe;

	sfr__probe_uring(&probe);
	ck_assert_uint_eq(sfr__probe_features(NULL), probe.features);
	ck_assert_uint_eq(sfr__probe_features(NULL), probe.features);
}
END_TEST

START_TEST(what_could_not_be_tried_for_want_of_descriptors_is_tried_again)
{
	int lowest = dup(0), spare;
	struct sfr__probe probe;
	struct rlimit limit;

	close(lowest);
	if (is_refused())
		return;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (spare = 0; spare < 5; spare++) {
		struct rlimit tight = {(rlim_t)(lowest + spare), limit.rlim_max};

		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
		(void)sfr__probe_features(NULL);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

	sfr__probe_uring(&probe);
	ck_assert_uint_eq(sfr__probe_features(NULL), probe.features);
}
END_TEST

START_TEST(a_signal_that_arrives_meanwhile_hides_no_feature)
{
	struct sfr__probe calm, probe;

	if (is_refused())
		return;
	sfr__probe_uring(&calm);
	do {
		enters = 0;
		interrupted++;
		sfr__probe_uring(&probe);
		ck_assert_msg(probe.features == calm.features, "enter %d: %#x, not %#x",
			      interrupted, probe.features, calm.features);
	} while (interrupted < enters);
	ck_assert_int_gt(interrupted, 5);
}
END_TEST

START_TEST(it_leaves_no_descriptor_open)
{
	int before = dup(0), after;
	struct sfr__probe probe;

	close(before);
	sfr__probe_uring(&probe);
	after = dup(0);
	close(after);
	ck_assert_int_eq(after, before);
}
END_TEST

static void *asks(void *arg)
{
	*(sfr__features *)arg = sfr__probe_features(NULL);
	return NULL;
}

START_TEST(threads_that_ask_at_once_are_told_the_same)
{
	sfr__features told[4];
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, asks, &told[i]), 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (i = 1; i < 4; i++)
		ck_assert_uint_eq(told[i], told[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe");
	TCase *tc = patient_case(suite, "trying");

	tcase_add_test(tc, asking_once_gives_what_trying_gives);
	tcase_add_test(tc, what_could_not_be_tried_for_want_of_descriptors_is_tried_again);
	tcase_add_test(tc, a_signal_that_arrives_meanwhile_hides_no_feature);
	tcase_add_test(tc, it_leaves_no_descriptor_open);
	tcase_add_test(tc, threads_that_ask_at_once_are_told_the_same);
	return suite_run(suite);
}

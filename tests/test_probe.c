/*
 * The probe: what io_uring accepts here, found out by trying. Each test is a process that never asked.
 */
#include "probe.h"
#include "cases.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

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
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, asking_once_gives_what_trying_gives);
	tcase_add_test(tc, what_could_not_be_tried_for_want_of_descriptors_is_tried_again);
	tcase_add_test(tc, it_leaves_no_descriptor_open);
	tcase_add_test(tc, threads_that_ask_at_once_are_told_the_same);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

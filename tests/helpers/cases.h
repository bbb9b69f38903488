/* SPDX-License-Identifier: MIT */
/*
 * Cases of libcheck, which by itself gives a test 4 seconds of time.
 */
#ifndef SFR_TESTS_CASES_H
#define SFR_TESTS_CASES_H

#include "patience.h"
#include <check.h>
#include <stdlib.h>
#include <sys/resource.h>

/* A case of a suite, whose tests may take as long as they need. */
static inline TCase *patient_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, WATCHDOG_S);
	suite_add_tcase(suite, tcase);
	return tcase;
}

/* Run the suite. Returns what main() is to return. */
static inline int suite_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * A checked fixture for claims that something is done fast: SIGXCPU ends a test that works for a minute. What
 * is not fast would work for many; what is takes a second, and half of this under Valgrind. A machine that is busy
 * with something else makes no difference.
 */
static inline void work_a_minute_at_most(void)
{
	const struct rlimit limit = {60, 60};

	ck_assert_int_eq(setrlimit(RLIMIT_CPU, &limit), 0);
}

#endif

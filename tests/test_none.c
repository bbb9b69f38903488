/*
 * A build without engine, as on a platform that has none: everything links, and no loop can be made.
 */
#include <safer_ring.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char told[256];

static void hear(enum sfr_log_level level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	strncpy(told, line, sizeof(told) - 1);
}

START_TEST(a_loop_cannot_be_made_and_the_log_says_why)
{
	sfr_loop *loop = NULL;

	sfr_log_to(hear, NULL);
	ck_assert_int_eq(sfr_loop_new(&loop, NULL), -ENOSYS);

	ck_assert_ptr_null(loop);
	ck_assert_ptr_nonnull(strstr(told, "needs Linux"));
}
END_TEST

START_TEST(what_needs_no_loop_works)
{
	sfr_config *config;

	ck_assert_int_eq(sfr_config_new(&config, "low_latency"), 0);
	sfr_config_free(config);
	sfr_buf_release(NULL);
	sfr_op_discard(NULL);
	ck_assert_int_eq(sfr_loop_free(NULL), 0);
	ck_assert_str_eq(sfr_errname(-ENOSYS), "ENOSYS");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("none");
	TCase *tcase = tcase_create("a build without engine");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, a_loop_cannot_be_made_and_the_log_says_why);
	tcase_add_test(tcase, what_needs_no_loop_works);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * Errors: names and texts.
 */
#include "world.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

#define NAMED(err)        \
	{                 \
		err, #err \
	}

static const struct {
	int err;
	const char *name;
} named[] = {
	NAMED(SFR_EINFLIGHT),  NAMED(SFR_EPENDING),       NAMED(SFR_EOPSINFLIGHT),
	NAMED(SFR_EDEPFAILED), NAMED(SFR_ENOTREGISTERED), NAMED(SFR_ECYCLE),
	NAMED(SFR_EPOOLEMPTY), NAMED(SFR_ESTALE),         NAMED(SFR_ECONFIG),
	NAMED(SFR_ENESTED),    NAMED(SFR_EUNSUPPORTED),   NAMED(SFR_ETHREAD),
	NAMED(SFR_EFORKED),    NAMED(SFR_ESHARED),        NAMED(SFR_ESLOW),
};

static const struct {
	int err;
	const char *name;
} of_the_system[] = {
	NAMED(EAGAIN),        NAMED(EBADF),      NAMED(ECANCELED), NAMED(ECONNREFUSED),
	NAMED(ECONNRESET),    NAMED(EINVAL),     NAMED(EMFILE),    NAMED(ENOBUFS),
	NAMED(ENOMEM),        NAMED(ENOSYS),     NAMED(EPERM),     NAMED(EPIPE),
	NAMED(ETIMEDOUT),     NAMED(EADDRINUSE), NAMED(EACCES),    NAMED(EMSGSIZE),
	NAMED(EADDRNOTAVAIL),
};

#define NAMED_COUNT ((int)(sizeof(named) / sizeof(named[0])))
#define SYSTEM_COUNT ((int)(sizeof(of_the_system) / sizeof(of_the_system[0])))

START_TEST(each_error_of_ours_has_its_name_with_either_sign)
{
	ck_assert_str_eq(sfr_errname(named[_i].err), named[_i].name);
	ck_assert_str_eq(sfr_errname(-named[_i].err), named[_i].name);
}
END_TEST

START_TEST(each_error_of_ours_has_a_text_of_its_own)
{
	const char *text = sfr_strerror(named[_i].err);
	int i;

	ck_assert_uint_gt(strlen(text), 8);
	ck_assert_ptr_eq(sfr_strerror(-named[_i].err), text);
	for (i = 0; i < NAMED_COUNT; i++)
		if (i != _i)
			ck_assert_str_ne(sfr_strerror(named[i].err), text);
}
END_TEST

START_TEST(errors_of_ours_are_above_those_of_the_system)
{
	int i;

	for (i = 0; i < NAMED_COUNT; i++) {
		ck_assert_int_gt(named[i].err, 4096);
		ck_assert_int_eq(named[i].err, named[0].err + i);
	}
}
END_TEST

START_TEST(errors_of_the_system_keep_their_names_and_texts)
{
	ck_assert_str_eq(sfr_errname(of_the_system[_i].err), of_the_system[_i].name);
	ck_assert_str_eq(sfr_errname(-of_the_system[_i].err), of_the_system[_i].name);
	ck_assert_str_eq(sfr_strerror(-of_the_system[_i].err), strerror(of_the_system[_i].err));
	ck_assert_str_eq(sfr_strerror(of_the_system[_i].err), strerror(of_the_system[_i].err));
}
END_TEST

START_TEST(zero_is_success)
{
	ck_assert_str_eq(sfr_errname(0), "OK");
	ck_assert_str_eq(sfr_strerror(0), "success");
}
END_TEST

START_TEST(numbers_that_are_no_errors_are_survived)
{
	static const int strange[] = {INT_MIN, INT_MIN + 1, INT_MAX, 4096,   -4096,
				      4095,    4112,        -4112,   100000, -100000};
	size_t i;

	for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		ck_assert_str_eq(sfr_errname(strange[i]), "E?");
		ck_assert_uint_gt(strlen(sfr_strerror(strange[i])), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("error");
	TCase *tc = patient_case(suite, "names and texts");

	tcase_add_loop_test(tc, each_error_of_ours_has_its_name_with_either_sign, 0, NAMED_COUNT);
	tcase_add_loop_test(tc, each_error_of_ours_has_a_text_of_its_own, 0, NAMED_COUNT);
	tcase_add_test(tc, errors_of_ours_are_above_those_of_the_system);
	tcase_add_loop_test(tc, errors_of_the_system_keep_their_names_and_texts, 0, SYSTEM_COUNT);
	tcase_add_test(tc, zero_is_success);
	tcase_add_test(tc, numbers_that_are_no_errors_are_survived);
	return world_run(suite);
}

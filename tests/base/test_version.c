/* SPDX-License-Identifier: MIT */
/*
 * Versions: one number, in the headers, the library and the build.
 */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>

START_TEST(headers_and_library_are_of_one_version)
{
	char headers[32];

	(void)snprintf(headers, sizeof(headers), "%d.%d.%d", SFR_VERSION_MAJOR, SFR_VERSION_MINOR,
		       SFR_VERSION_PATCH);

	ck_assert_str_eq(sfr_version(), headers);
}
END_TEST

START_TEST(version_h_says_what_meson_build_says)
{
	const char *build = getenv("SFR_PROJECT_VERSION");

	ck_assert_msg(build != NULL, "SFR_PROJECT_VERSION is not set: run this by meson test");
	ck_assert_str_eq(sfr_version(), build);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("version");
	TCase *tc = tcase_create("one number");

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, headers_and_library_are_of_one_version);
	tcase_add_test(tc, version_h_says_what_meson_build_says);
	return world_run(suite);
}

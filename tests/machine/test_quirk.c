/* SPDX-License-Identifier: MIT */
/*
 * Quirks: which releases of the kernel have which feature broken, by what source.
 */
#include "config_world.h"
#include "machine/quirk.h"
#include <stdlib.h>
#include <string.h>

#define NONE 0U
#define ACCEPT (1U << SFR__FEATURE_ACCEPT_MULTI)
#define RECV (1U << SFR__FEATURE_RECV_MULTI)
#define READ (1U << SFR__FEATURE_READ_MULTI)
#define NAPI (1U << SFR__FEATURE_NAPI)
#define MIN_WAIT (1U << SFR__FEATURE_MIN_WAIT)
#define LINKS (1U << SFR__FEATURE_LINKS)
#define ZC (1U << SFR__FEATURE_SEND_ZC)
#define SQPOLL (1U << SFR__QUIRK_SQPOLL)

static const struct {
	const char *release;
	sfr__features against; /* without ring.sqpoll */
	sfr__features beside;  /* what else there is with it */
} releases[] = {
	{"5.10.185", SQPOLL, LINKS},
	{"5.10.186", NONE, LINKS},
	{"5.15.0-91-generic", NONE, LINKS},
	{"4.19.0", SQPOLL, NONE},
	{"6.0.19", NONE, LINKS | ZC},
	{"6.1", ACCEPT, LINKS | ZC},
	{"6.1.6", ACCEPT, LINKS | ZC},
	{"6.1.7", ACCEPT | RECV, LINKS | ZC},
	{"6.1.8-rc1", ACCEPT | RECV, LINKS | ZC},
	{"6.1.8", ACCEPT, LINKS | ZC},
	{"6.1.55+", ACCEPT, LINKS | ZC},
	{"6.1.79", NONE, LINKS | ZC},
	{"6.2.0", NONE, LINKS | ZC},
	{"6.5.13", NONE, LINKS | ZC},
	{"6.6-rc3", ACCEPT, LINKS | ZC},
	{"6.6.17-amd64", ACCEPT, LINKS | ZC},
	{"6.6.18", NONE, LINKS | ZC},
	{"6.6.118", NONE, LINKS | ZC},
	{"6.7.5", ACCEPT | READ, LINKS | ZC},
	{"6.7.6", READ, LINKS | ZC},
	{"6.8.0", READ, LINKS | ZC},
	{"6.9.0", NAPI | READ, LINKS | ZC},
	{"6.11.0-8-generic", NAPI | READ, LINKS | ZC},
	{"6.12.58", NAPI, LINKS | MIN_WAIT | ZC},
	{"6.12.59", NONE, LINKS | MIN_WAIT | ZC},
	{"6.12.64", NONE, LINKS | ZC},
	{"6.16.12", NONE, LINKS | MIN_WAIT | ZC},
	{"6.17.0-rc1", RECV, LINKS | MIN_WAIT | ZC},
	{"6.17.11-6.17-alt1", RECV, LINKS | MIN_WAIT | ZC},
	{"6.18.2", RECV, LINKS | MIN_WAIT | ZC},
	{"6.18.3", RECV, LINKS | ZC},
	{"6.18.19", RECV, LINKS | ZC},
	{"6.18.20-rc1", RECV, LINKS | ZC},
	{"6.18.20", NONE, LINKS | ZC},
	{"6.19.9-generic", RECV, LINKS | ZC},
	{"6.19.10", NONE, LINKS | ZC},
	{"7.0.0", NONE, LINKS | ZC},
	{"10.0.0", NONE, LINKS | ZC},
};

START_TEST(a_release_has_the_quirks_of_its_series)
{
	ck_assert_uint_eq(sfr__quirks_against(releases[_i].release, false), releases[_i].against);
	ck_assert_uint_eq(sfr__quirks_against(releases[_i].release, true),
			  releases[_i].against | releases[_i].beside);
}
END_TEST

static const char *const unreadable[] = {
	"",     "5",     "5.",      ".10",      "5.x",   "v5.4.0",      " 5.4.0",
	"5.4.", "5.4.x", "-5.4.0",  "5,4,0",    "5..4",  "100000000.4", "5.99999999999999999999",
	"rc",   "5.-1",  "5.4.-rc", "\xff\xfe", "\n5.4", "5 .4",        "99999999999999999999.1.1",
};

START_TEST(a_release_that_cannot_be_read_has_no_quirks)
{
	ck_assert_uint_eq(sfr__quirks_against(unreadable[_i], true), NONE);
}
END_TEST

static uint64_t ordinal(struct sfr__kernel kernel)
{
	return ((uint64_t)kernel.major << 40) + ((uint64_t)kernel.minor << 20) + kernel.patch;
}

START_TEST(every_row_has_a_span_a_date_a_reason_and_a_source)
{
	size_t count;
	const struct sfr__quirk *rows = sfr__quirks(&count);

	ck_assert_uint_gt(count, 0);
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(rows[i].trouble);

		ck_assert_uint_le(rows[i].feature, SFR__QUIRK_SQPOLL);
		ck_assert_uint_lt(ordinal(rows[i].first_bad), ordinal(rows[i].first_good));
		ck_assert_uint_eq(strlen(rows[i].written), strlen("2026-11"));
		ck_assert_int_eq(rows[i].written[4], '-');
		ck_assert_uint_gt(length, 20);
		ck_assert_int_ne(rows[i].trouble[length - 1], '.');
		ck_assert(strchr(rows[i].source, '#') || strstr(rows[i].source, "linux ") ||
			  strstr(rows[i].source, "own tests, on "));
		ck_assert_uint_lt(length + strlen(rows[i].source), 180); /* fits in evidence */
	}
}
END_TEST

START_TEST(a_row_speaks_for_its_first_bad_release_and_no_more_at_its_first_good_one)
{
	size_t count;
	const struct sfr__quirk *row = sfr__quirks(&count) + _i;
	char release[64];

	(void)snprintf(release, sizeof(release), "%u.%u.%u-generic", row->first_bad.major,
		       row->first_bad.minor, row->first_bad.patch);
	ck_assert_ptr_eq(sfr__quirk_find(release, row->feature, true), row);
	ck_assert(row->beside_sqpoll == !sfr__quirk_find(release, row->feature, false));

	(void)snprintf(release, sizeof(release), "%u.%u.%u", row->first_good.major,
		       row->first_good.minor, row->first_good.patch);
	ck_assert_ptr_ne(sfr__quirk_find(release, row->feature, true), row);
}
END_TEST

/* docs/engines.md has all of them. */
START_TEST(every_row_is_in_the_manual)
{
	static char page[65536];
	size_t count;
	const struct sfr__quirk *rows = sfr__quirks(&count);
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/docs/engines.md", getenv("SFR_SOURCE_ROOT"));
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	ck_assert_int_eq(fclose(file), 0);
	for (size_t i = 0; i < count; i++) {
		ck_assert_msg(strstr(page, rows[i].trouble) != NULL, "%s", rows[i].trouble);
		ck_assert_msg(strstr(page, rows[i].source) != NULL, "%s", rows[i].source);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quirk");
	TCase *tc = case_of(suite, "a quirk");
	size_t count;

	(void)sfr__quirks(&count);
	tcase_add_loop_test(tc, a_release_has_the_quirks_of_its_series, 0, COUNT_OF(releases));
	tcase_add_loop_test(tc, a_release_that_cannot_be_read_has_no_quirks, 0,
			    COUNT_OF(unreadable));
	tcase_add_test(tc, every_row_has_a_span_a_date_a_reason_and_a_source);
	tcase_add_test(tc, every_row_is_in_the_manual);
	tcase_add_loop_test(
		tc, a_row_speaks_for_its_first_bad_release_and_no_more_at_its_first_good_one, 0,
		(int)count);
	return suite_run(suite);
}

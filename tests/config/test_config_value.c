/* SPDX-License-Identifier: MIT */
/*
 * Values: how files and programs write them, and which are refused.
 */
#include "config_world.h"
#include "config/value.h"
#include <string.h>

START_TEST(every_default_is_legal_and_canonical)
{
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		char printed[SFR__VALUE_SIZE];
		uint64_t value;

		ck_assert_msg(sfr__value_parse(&keys[i], keys[i].initial, &value, &err) == 0, "%s",
			      keys[i].name);
		ck_assert_str_eq(sfr__value_print(&keys[i], value, printed), keys[i].initial);
		ck_assert_ptr_nonnull(keys[i].meaning);
	}
}
END_TEST

static const struct {
	const char *key;
	const char *text;
	const char *printed;
} spellings[] = {
	{"buffers.size", "64KiB", "64KiB"},
	{"buffers.size", "65536", "64KiB"},
	{"buffers.size", "65536B", "64KiB"},
	{"buffers.size", "1MiB", "1MiB"},
	{"server.high_water", "1025", "1025B"},
	{"server.queue_max", "4GiB", "4GiB"},
	{"server.low_water", "0", "0"},
	{"server.low_water", "0KiB", "0"},
	{"ring.spin", "50us", "50us"},
	{"ring.spin", "50000ns", "50us"},
	{"ring.spin", "1500ns", "1500ns"},
	{"ring.spin", "0", "0"},
	{"ring.spin", "0s", "0"},
	{"ring.sqpoll_idle", "10s", "10s"},
	{"ring.sqpoll_idle", "1000ms", "1s"},
	{"ring.sqpoll", "on", "on"},
	{"ring.sqpoll", "true", "on"},
	{"ring.sqpoll", "yes", "on"},
	{"ring.sqpoll", "off", "off"},
	{"ring.sqpoll", "no", "off"},
	{"ring.sqpoll", "auto", "auto"},
	{"ring.sqpoll", "force", "force"},
	{"features.defer_taskrun", "auto", "auto"},
	{"features.defer_taskrun", "on", "on"},
	{"features.defer_taskrun", "true", "on"},
	{"features.defer_taskrun", "yes", "on"},
	{"features.defer_taskrun", "off", "off"},
	{"features.defer_taskrun", "false", "off"},
	{"features.defer_taskrun", "no", "off"},
	{"server.no_delay", "false", "off"},
	{"server.reuse_port", "yes", "on"},
	{"buffers.huge_pages", "true", "on"},
	{"ring.napi", "20us", "20us"},
	{"ring.min_wait", "10ms", "10ms"},
	{"ring.workers", "256", "256"},
	{"engine", "epoll", "epoll"},
	{"buffers.count", "1048576", "1048576"},
	{"ring.cq_entries", "0", "0"},
	{"ring.cq_entries", "65536", "65536"},
	{"engine", "uring", "uring"},
	{"log.level", "off", "off"},
	{"preset", "development", "development"},
};

START_TEST(a_value_has_one_canonical_form_and_setting_it_changes_nothing)
{
	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);

	ck_assert_int_eq(sfr_config_set(cfg, spellings[_i].key, spellings[_i].text, &err), 0);
	assert_value(cfg, spellings[_i].key, spellings[_i].printed);
	ck_assert_int_eq(sfr_config_set(cfg, spellings[_i].key, spellings[_i].printed, &err), 0);

	assert_value(cfg, spellings[_i].key, spellings[_i].printed);
}
END_TEST

static const struct {
	const char *key;
	const char *text;
	const char *refusal;
} misspellings[] = {
	{"buffers.count", "12 apples",
	 "buffers.count: this is not a whole number (write digits only)"},
	{"buffers.count", "", "buffers.count: this is not a whole number (write digits only)"},
	{"buffers.count", "010",
	 "buffers.count: this is not a whole number "
	 "(write digits only)"},
	{"buffers.count", "0x10", "buffers.count: this is not a whole number (write digits only)"},
	{"buffers.count", "1.5",
	 "buffers.count: this is not a whole number "
	 "(write digits only)"},
	{"buffers.count", "+5", "buffers.count: this is not a whole number (write digits only)"},
	{"buffers.count", "0", "buffers.count: this is outside 1 to 1048576 (the nearest is 1)"},
	{"buffers.count", "-3", "buffers.count: this is outside 1 to 1048576 (the nearest is 1)"},
	{"buffers.count", "99999999999999999999999",
	 "buffers.count: this is outside 1 to 1048576 "
	 "(the nearest is 1048576)"},
	{"ring.cq_entries", "131072",
	 "ring.cq_entries: this is outside 8 to 65536 (or 0) (the nearest is 65536)"},
	{"ring.entries", "300",
	 "ring.entries: this is not a power of two (the nearest are 256 and 512)"},
	{"buffers.size", "5000",
	 "buffers.size: this is not a power of two (the nearest are 4KiB and 8KiB)"},
	{"buffers.size", "64K",
	 "buffers.size: this is not a size "
	 "(write a whole number and B, KiB, MiB or GiB, like 64KiB)"},
	{"buffers.size", "64 KiB",
	 "buffers.size: this is not a size "
	 "(write a whole number and B, KiB, MiB or GiB, like 64KiB)"},
	{"server.queue_max", "17179869184GiB",
	 "server.queue_max: this is outside 4KiB to 4GiB (the nearest is 4GiB)"},
	{"ring.spin", "50",
	 "ring.spin: this is not a duration "
	 "(write a whole number and ns, us, ms or s, like 50us)"},
	{"ring.spin", "2ms", "ring.spin: this is outside 0 to 1ms (the nearest is 1ms)"},
	{"ring.sqpoll", "maybe",
	 "ring.sqpoll: this is not one of off, on, auto, force (the default is off)"},
	{"ring.sqpoll", "1",
	 "ring.sqpoll: this is not one of off, on, auto, force (the default is off)"},
	{"features.napi", "maybe",
	 "features.napi: this is not one of auto, on, off (the default is auto)"},
	{"features.napi", "force",
	 "features.napi: this is not one of auto, on, off (the default is auto)"},
	{"features.nappi", "on",
	 "features.nappi: there is no such key (did you mean features.napi?)"},
	{"ring.single_issuer", "on",
	 "ring.single_issuer: there is no such key (did you mean features.single_issuer?)"},
	{"ring.defer_taskrun", "on",
	 "ring.defer_taskrun: there is no such key (did you mean features.defer_taskrun?)"},
	{"server.reuse_port", "maybe",
	 "server.reuse_port: this is neither on nor off (write on or off)"},
	{"server.reuse_port", "1",
	 "server.reuse_port: this is neither on nor off (write on or off)"},
	{"log.level", "no",
	 "log.level: this is not one of off, error, warn, info, debug (the default is warn)"},
	{"ring.napi", "2ms", "ring.napi: this is outside 0 to 1ms (the nearest is 1ms)"},
	{"ring.min_wait", "1s", "ring.min_wait: this is outside 0 to 10ms (the nearest is 10ms)"},
	{"ring.workers", "0", "ring.workers: this is outside 1 to 256 (the nearest is 1)"},
	{"engine", "urnig", "engine: this is not one of auto, uring, epoll (did you mean uring?)"},
	{"preset", "low-latency",
	 "preset: this is not one of default, low_latency, high_throughput, "
	 "development, auto_detect "
	 "(did you mean low_latency?)"},
	{"preset", "xyz",
	 "preset: this is not one of default, low_latency, high_throughput, "
	 "development, auto_detect "
	 "(the default is default)"},
	{"engine", "a\x1b[31m\nb",
	 "engine: this is not one of auto, uring, epoll (the default is auto)"},
	{"buffers.cuont", "5",
	 "buffers.cuont: there is no such key "
	 "(did you mean buffers.count?)"},
	{"ring", "5", "ring: there is no such key " ALL_KEYS},
	{"", "5", "there is no such key " ALL_KEYS},
};

START_TEST(a_refused_value_is_explained_and_changes_nothing)
{
	char before[SFR__VALUE_SIZE] = "";
	char seen[1024];

	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);
	sfr_config_get(cfg, misspellings[_i].key, before, sizeof(before));

	ck_assert_int_eq(sfr_config_set(cfg, misspellings[_i].key, misspellings[_i].text, &err),
			 -SFR_ECONFIG);

	sfr_config_error_text(&err, seen, sizeof(seen));
	ck_assert_str_eq(seen, misspellings[_i].refusal);
	if (before[0])
		assert_value(cfg, misspellings[_i].key, before);
}
END_TEST

START_TEST(the_settings_have_the_units_of_the_code)
{
	const struct sfr__settings *s;

	ck_assert_int_eq(load("ring: {sqpoll_idle: 2ms, spin: 3us, napi: 4us, min_wait: 5ms}\n"
			      "buffers: {size: 8KiB, huge_pages: on}\n"
			      "features: {napi: on, min_wait: off}\n"
			      "server: {queue_max: 4GiB}\n"
			      "engine: uring\n"
			      "log: {level: error}\n"),
			 0);
	s = sfr__config_settings(cfg);

	ck_assert_uint_eq(s->ring.sqpoll_idle_ns, 2000000);
	ck_assert_uint_eq(s->ring.spin_ns, 3000);
	ck_assert_uint_eq(s->ring.napi_ns, 4000);
	ck_assert_uint_eq(s->ring.min_wait_ns, 5000000);
	ck_assert_uint_eq(s->ring.entries, 256);
	ck_assert_uint_eq(s->ring.workers, 8);
	ck_assert_uint_eq(s->ring.sqpoll, SFR__SQPOLL_OFF);
	ck_assert(s->buffers.huge_pages);
	ck_assert_uint_eq(s->buffers.size, 8192);
	ck_assert_uint_eq(s->server.queue_max, UINT64_C(4) << 30);
	ck_assert_uint_eq(s->engine, SFR__ENGINE_URING);
	ck_assert_uint_eq(s->log.level, SFR_LOG_ERROR);
	ck_assert_uint_eq(s->features[SFR__FEATURE_NAPI], SFR__ON);
	ck_assert_uint_eq(s->features[SFR__FEATURE_MIN_WAIT], SFR__OFF);
	ck_assert_uint_eq(s->features[SFR__FEATURE_DEFER_TASKRUN], SFR__AUTO);
}
END_TEST

START_TEST(get_cuts_to_fit_and_says_how_long_the_value_is)
{
	char small[4] = "xxx";

	ck_assert_int_eq(sfr_config_new(&cfg, "development"), 0);

	ck_assert_int_eq(sfr_config_get(cfg, "preset", NULL, 0), 11);
	ck_assert_int_eq(sfr_config_get(cfg, "preset", small, sizeof(small)), 11);
	ck_assert_str_eq(small, "dev");
	ck_assert_int_eq(sfr_config_get(cfg, "buffers", small, sizeof(small)), -SFR_ECONFIG);
	ck_assert_int_eq(sfr_config_get(cfg, NULL, NULL, 0), -SFR_ECONFIG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_value");
	TCase *tc = case_of(suite, "a value");

	tcase_add_test(tc, every_default_is_legal_and_canonical);
	tcase_add_loop_test(tc, a_value_has_one_canonical_form_and_setting_it_changes_nothing, 0,
			    COUNT_OF(spellings));
	tcase_add_loop_test(tc, a_refused_value_is_explained_and_changes_nothing, 0,
			    COUNT_OF(misspellings));
	tcase_add_test(tc, the_settings_have_the_units_of_the_code);
	tcase_add_test(tc, get_cuts_to_fit_and_says_how_long_the_value_is);
	return suite_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Configuration: what presets, files, the environment and code make of a loop.
 */
#include "config_world.h"
#include "allocations.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(every_value_of_a_preset_is_legal_and_in_force)
{
	ck_assert_int_eq(sfr_config_new(&cfg, preset_name(_i)), 0);

	assert_value(cfg, "preset", preset_name(_i));
	for (const struct sfr__config_setting *s = sfr__config_preset(_i); s->key; s++)
		assert_value(cfg, s->key, s->value);
}
END_TEST

START_TEST(keys_are_unique_and_those_of_a_section_side_by_side)
{
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	for (size_t i = 1; i < count; i++) {
		size_t length = sfr__config_section_length(keys[i].name);

		ck_assert_ptr_eq(sfr__config_key_find(keys[i].name), &keys[i]);
		for (size_t j = 0; length > 0 && j + 1 < i; j++)
			if (strncmp(keys[j].name, keys[i].name, length + 1) == 0)
				ck_assert_int_eq(
					strncmp(keys[i - 1].name, keys[i].name, length + 1), 0);
	}
	ck_assert_str_eq(keys[SFR__CONFIG_PRESET_KEY].name, "preset");
}
END_TEST

/* Presets and precedence */

START_TEST(no_preset_is_the_default_and_unknown_ones_are_refused)
{
	ck_assert_int_eq(sfr_config_new(&cfg, "warp"), -SFR_ECONFIG);
	ck_assert_ptr_null(cfg);
	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);

	assert_value(cfg, "preset", "default");
	ck_assert_str_eq(origin("ring.entries")->text, "default");
}
END_TEST

START_TEST(the_preset_may_stand_anywhere_in_a_file)
{
	ck_assert_int_eq(load("buffers: {size: 8KiB}\npreset: high_throughput\n"), 0);

	assert_value(cfg, "buffers.size", "8KiB");
	assert_value(cfg, "ring.entries", "1024");
	ck_assert_str_eq(origin("ring.entries")->text, "preset high_throughput");
	ck_assert_str_eq(origin("buffers.size")->text, "a.yaml");
	ck_assert_uint_eq(origin("buffers.size")->line, 1);
}
END_TEST

START_TEST(a_file_beats_the_preset_the_environment_the_file_and_code_all)
{
	file_of("env.yaml", "ring: {entries: 64, spin: 2us}\n");
	ck_assert_int_eq(setenv("SAFER_RING_CONFIG", "env.yaml", 1), 0);
	ck_assert_int_eq(setenv("SAFER_RING_ENGINE", "uring", 1), 0);

	ck_assert_int_eq(load("preset: high_throughput\n"
			      "engine: auto\n"
			      "ring: {entries: 32, spin: 1us, ops_max: 128}\n"),
			 0);
	ck_assert_int_eq(sfr_config_set(cfg, "ring.spin", "3us", NULL), 0);

	assert_value(cfg, "buffers.size", "64KiB"); /* preset */
	assert_value(cfg, "ring.ops_max", "128");   /* file */
	assert_value(cfg, "ring.entries", "64");    /* environment */
	assert_value(cfg, "engine", "uring");
	assert_value(cfg, "ring.spin", "3us"); /* code */
	ck_assert_str_eq(origin("engine")->text, "SAFER_RING_ENGINE");
	ck_assert_str_eq(origin("ring.spin")->text, "program");
}
END_TEST

START_TEST(a_weaker_origin_never_overrides_a_stronger_one)
{
	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);
	ck_assert_int_eq(sfr_config_set(cfg, "ring.entries", "512", NULL), 0);
	file_of("a.yaml", "ring: {entries: 64, ops_max: 64}\n");

	ck_assert_int_eq(sfr__config_lay(cfg, &(struct sfr__config_source){.name = "a.yaml"},
					 SFR__RANK_FILE, &err),
			 0);

	assert_value(cfg, "ring.entries", "512");
	assert_value(cfg, "ring.ops_max", "64");
}
END_TEST

START_TEST(the_environment_may_name_another_preset)
{
	file_of("env.yaml", "preset: development\n");
	ck_assert_int_eq(setenv("SAFER_RING_CONFIG", "env.yaml", 1), 0);

	ck_assert_int_eq(sfr_config_new(&cfg, "high_throughput"), 0);

	assert_value(cfg, "preset", "development");
	assert_value(cfg, "safety.abort", "on");
	assert_value(cfg, "ring.entries", "256");
}
END_TEST

START_TEST(an_empty_environment_is_none)
{
	ck_assert_int_eq(setenv("SAFER_RING_CONFIG", "", 1), 0);
	ck_assert_int_eq(setenv("SAFER_RING_ENGINE", "", 1), 0);

	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);
}
END_TEST

START_TEST(a_bad_environment_is_refused_by_name)
{
	char text[1024];

	ck_assert_int_eq(setenv("SAFER_RING_CONFIG", "none.yaml", 1), 0);
	ck_assert_int_eq(sfr_config_new(&cfg, NULL), -SFR_ECONFIG);
	ck_assert_int_eq(load("preset: default\n"), -SFR_ECONFIG);
	sfr_config_error_text(&err, text, sizeof(text));
	ck_assert_str_eq(text, "none.yaml: there is no such file (SAFER_RING_CONFIG names it)");

	ck_assert_int_eq(unsetenv("SAFER_RING_CONFIG"), 0);
	ck_assert_int_eq(setenv("SAFER_RING_ENGINE", "turbo", 1), 0);
	ck_assert_int_eq(sfr_config_new(&cfg, NULL), -SFR_ECONFIG);
	ck_assert_int_eq(load("preset: default\n"), -SFR_ECONFIG);
	sfr_config_error_text(&err, text, sizeof(text));
	ck_assert_str_eq(text, "SAFER_RING_ENGINE: engine: this is not one of auto, uring, "
			       "epoll (the default is auto)");
}
END_TEST

START_TEST(of_a_pair_in_two_files_the_stronger_is_to_blame)
{
	file_of("env.yaml", "# here\nring: {sqpoll: on}\n");
	ck_assert_int_eq(setenv("SAFER_RING_CONFIG", "env.yaml", 1), 0);

	ck_assert_int_eq(load("\n\n\nfeatures: {defer_taskrun: on}\n"), -SFR_ECONFIG);

	ck_assert_str_eq(err.file, "env.yaml");
	ck_assert_uint_eq(err.line, 2);
	ck_assert_str_eq(err.key, "ring.sqpoll");
}
END_TEST

START_TEST(setting_the_preset_moves_only_what_nobody_has_set)
{
	ck_assert_int_eq(load("preset: high_throughput\nbuffers: {size: 8KiB}\n"), 0);
	ck_assert_int_eq(sfr_config_set(cfg, "server.high_water", "2MiB", NULL), 0);

	ck_assert_int_eq(sfr_config_set(cfg, "preset", "low_latency", NULL), 0);

	assert_value(cfg, "preset", "low_latency");
	assert_value(cfg, "ring.spin", "20us");
	assert_value(cfg, "ring.entries", "256");
	assert_value(cfg, "buffers.size", "8KiB");
	assert_value(cfg, "server.high_water", "2MiB");
	assert_value(cfg, "server.low_water", "64KiB");
	ck_assert_str_eq(origin("ring.entries")->text, "default");
}
END_TEST

/* Who sets the size or the number of buffers need not know of sizes that nobody asked for. */
START_TEST(sizes_that_nobody_set_give_way_to_one_that_somebody_did)
{
	ck_assert_int_eq(load("buffers: {size: 64KiB, count: 4096}\n"), 0);
	assert_value(cfg, "buffers.large", "0");
	assert_value(cfg, "buffers.small", "512B");
	assert_value(cfg, "buffers.budget", "256MiB");
	ck_assert_str_eq(origin("buffers.large")->text, "gives way to buffers.size");
	ck_assert_str_eq(origin("buffers.budget")->text,
			 "gives way to buffers.count x buffers.size");

	ck_assert_int_eq(sfr_config_set(cfg, "buffers.size", "512", &err), 0);
	assert_value(cfg, "buffers.small", "0");
	assert_value(cfg, "buffers.large", "64KiB");
	assert_value(cfg, "buffers.budget", "64MiB");
	ck_assert_str_eq(origin("buffers.large")->text, "default");
	ck_assert_int_eq(sfr__config_check(cfg, &err), 0);
}
END_TEST

START_TEST(code_may_pass_through_pairs_that_are_refused_at_the_end)
{
	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);

	ck_assert_int_eq(sfr_config_set(cfg, "features.defer_taskrun", "on", &err), 0);
	ck_assert_int_eq(sfr_config_set(cfg, "ring.sqpoll", "on", &err), 0);
	ck_assert_int_eq(sfr__config_check(cfg, NULL), -SFR_ECONFIG);
	ck_assert_int_eq(sfr__config_check(cfg, &err), -SFR_ECONFIG);
	ck_assert_str_eq(err.key, "ring.sqpoll");
	ck_assert_uint_eq(err.line, 0);

	ck_assert_int_eq(sfr_config_set(cfg, "features.defer_taskrun", "auto", &err), 0);
	ck_assert_int_eq(sfr__config_check(cfg, &err), 0);
}
END_TEST

/* Memory */

START_TEST(each_failing_allocation_is_reported_and_leaks_nothing)
{
	int r = -ENOMEM;
	unsigned n = 0;

	file_of("a.yaml", "ring: {entries: 64}\n");
	file_of("env.yaml", "ring: {entries: 32}\n");
	ck_assert_int_eq(setenv("SAFER_RING_CONFIG", "env.yaml", 1), 0);

	while (r != 0) {
		allocations_watch(++n);
		r = _i == 0 ? sfr_config_new(&cfg, "auto_detect")
			    : sfr_config_load(&cfg, "a.yaml", &err);
		allocations_end();
		ck_assert(r == 0 || r == -ENOMEM);
		ck_assert(r == 0 || !cfg);
	}

	ck_assert_uint_gt(n, 2); /* some did fail */
	assert_value(cfg, "ring.entries", "32");
}
END_TEST

START_TEST(setting_and_writing_need_no_memory)
{
	char text[16384];
	FILE *file = fmemopen(text, sizeof(text), "w");
	long made;

	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);

	allocations_watch(0);
	(void)sfr_config_set(cfg, "preset", "auto_detect", &err);
	(void)sfr_config_write(cfg, file);
	made = allocations_end();

	ck_assert_int_eq(made, 0);
	assert_value(cfg, "preset", "auto_detect");
	(void)fclose(file);
}
END_TEST

START_TEST(freeing_nothing_is_nothing)
{
	sfr_config_free(NULL);
}
END_TEST

static void preset_cases(Suite *suite)
{
	TCase *tc = case_of(suite, "the table");

	tcase_add_test(tc, keys_are_unique_and_those_of_a_section_side_by_side);
	tcase_add_loop_test(tc, every_value_of_a_preset_is_legal_and_in_force, 0, SFR__PRESETS);
}

static void precedence_cases(Suite *suite)
{
	TCase *tc = case_of(suite, "precedence");

	tcase_add_test(tc, no_preset_is_the_default_and_unknown_ones_are_refused);
	tcase_add_test(tc, the_preset_may_stand_anywhere_in_a_file);
	tcase_add_test(tc, a_file_beats_the_preset_the_environment_the_file_and_code_all);
	tcase_add_test(tc, a_weaker_origin_never_overrides_a_stronger_one);
	tcase_add_test(tc, the_environment_may_name_another_preset);
	tcase_add_test(tc, an_empty_environment_is_none);
	tcase_add_test(tc, a_bad_environment_is_refused_by_name);
	tcase_add_test(tc, of_a_pair_in_two_files_the_stronger_is_to_blame);
	tcase_add_test(tc, setting_the_preset_moves_only_what_nobody_has_set);
	tcase_add_test(tc, sizes_that_nobody_set_give_way_to_one_that_somebody_did);
	tcase_add_test(tc, code_may_pass_through_pairs_that_are_refused_at_the_end);
}

static void memory_cases(Suite *suite)
{
	TCase *tc = case_of(suite, "memory");

	tcase_add_loop_test(tc, each_failing_allocation_is_reported_and_leaks_nothing, 0, 2);
	tcase_add_test(tc, setting_and_writing_need_no_memory);
	tcase_add_test(tc, freeing_nothing_is_nothing);
}

int main(void)
{
	Suite *suite = suite_create("config");

	preset_cases(suite);
	precedence_cases(suite);
	memory_cases(suite);
	return suite_run(suite);
}

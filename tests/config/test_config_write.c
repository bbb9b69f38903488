/* SPDX-License-Identifier: MIT */
/*
 * Writing: the effective configuration, the reference, the files in conf/, and errors as text.
 */
#include "config_world.h"
#include "config/value.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(what_is_written_loads_as_the_same_configuration)
{
	ck_assert_int_eq(sfr_config_new(&cfg, preset_name(_i)), 0);
	write_and_reload();

	ck_assert_int_eq(sfr_config_set(cfg, "server.high_water", "1234567", NULL), 0);
	ck_assert_int_eq(sfr_config_set(cfg, "ring.spin", "999ns", NULL), 0);
	write_and_reload();
}
END_TEST

START_TEST(what_is_written_says_where_each_value_came_from)
{
	char text[16384] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	ck_assert_int_eq(load("preset: low_latency\nring:\n  entries: 64\n"), 0);
	ck_assert_int_eq(sfr_config_set(cfg, "log.level", "info", NULL), 0);
	ck_assert_int_eq(sfr_config_write(cfg, file), 0);
	ck_assert_int_eq(fclose(file), 0);

	ck_assert_ptr_nonnull(strstr(text, "preset: low_latency                 # a.yaml:1\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "\nring:\n  entries: 64                       # a.yaml:3\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "  spin: 20us                        # preset low_latency\n"));
	ck_assert_ptr_nonnull(strstr(text, "  level: info                       # program\n"));
	ck_assert_ptr_nonnull(strstr(text, "  size: 4KiB                        # default\n"));
}
END_TEST

START_TEST(a_wicked_file_name_cannot_leave_its_comment)
{
	static const char name[] = "x\nengine: uring # \xc2\x85\xff.yaml";

	file_of(name, "ring: {entries: 64}\n");
	ck_assert_int_eq(sfr_config_load(&cfg, name, &err), 0);
	ck_assert_int_eq(unlink(name), 0);

	write_and_reload();
}
END_TEST

START_TEST(a_full_disk_is_an_error_of_write)
{
	FILE *full = fopen("/dev/full", "w");

	ck_assert_int_eq(sfr_config_new(&cfg, NULL), 0);
	ck_assert_ptr_nonnull(full);

	ck_assert_int_eq(sfr_config_write(cfg, full), -EIO);
	ck_assert_int_eq(sfr__config_reference(full), -EIO);
	(void)fclose(full);
}
END_TEST

START_TEST(an_error_text_is_cut_to_fit_and_leaves_out_what_is_empty)
{
	sfr_config_error e = {.message = "broken"};
	char text[8];

	ck_assert_int_eq(sfr_config_error_text(&e, NULL, 0), 6);
	ck_assert_int_eq(sfr_config_error_text(&e, text, sizeof(text)), 6);
	ck_assert_str_eq(text, "broken");
	strcpy(e.file, "f");
	strcpy(e.hint, "mend it");
	e.line = 12;
	ck_assert_int_eq(sfr_config_error_text(&e, text, sizeof(text)), 22);
	ck_assert_str_eq(text, "f:12: b");
}
END_TEST

/* The files in conf/ */

static const char *conf_path(const char *name)
{
	static char path[512];
	const char *root = getenv("SFR_SOURCE_ROOT");

	ck_assert_msg(root != NULL, "SFR_SOURCE_ROOT must name the directory with conf/ in it");
	(void)snprintf(path, sizeof(path), "%s/conf/%s.yaml", root, name);
	return path;
}

START_TEST(a_shipped_file_is_its_preset)
{
	sfr_config *preset;

	ck_assert_int_eq(sfr_config_load(&cfg, conf_path(preset_name(_i)), &err), 0);
	ck_assert_int_eq(sfr_config_new(&preset, preset_name(_i)), 0);

	assert_equal(cfg, preset);
	for (const struct sfr__config_setting *s = sfr__config_preset(_i); s->key; s++)
		ck_assert_msg(origin(s->key)->rank == SFR__RANK_FILE, "%s is not shown", s->key);
	sfr_config_free(preset);
}
END_TEST

/* Spinning, polling network devices and a polling thread all burn CPU without work. */
START_TEST(a_preset_that_burns_cpu_while_idle_says_so_in_its_first_line)
{
	char line[128] = "";
	FILE *file = fopen(conf_path(preset_name(_i)), "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	(void)fclose(file);

	ck_assert_int_eq(sfr_config_new(&cfg, preset_name(_i)), 0);
	sfr__config_see(cfg, &(struct sfr__machine){.cores = 64});
	if (cfg->settings.ring.spin_ns > 0 || cfg->settings.ring.napi_ns > 0 ||
	    cfg->settings.ring.sqpoll != SFR__SQPOLL_OFF)
		ck_assert_msg(strstr(line, "burns") != NULL, "%s", line);
}
END_TEST

START_TEST(the_shipped_reference_is_the_table_and_loads_as_the_default)
{
	static char shipped[32768], printed[32768];
	FILE *file = fopen(conf_path("reference"), "r");
	sfr_config *preset;

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(shipped, 1, sizeof(shipped) - 1, file), 0);
	(void)fclose(file);
	file = fmemopen(printed, sizeof(printed), "w");
	ck_assert_int_eq(sfr__config_reference(file), 0);
	(void)fclose(file);
	ck_assert_str_eq(printed, shipped);

	ck_assert_int_eq(sfr_config_load(&cfg, conf_path("reference"), &err), 0);
	ck_assert_int_eq(sfr_config_new(&preset, NULL), 0);
	assert_equal(cfg, preset);
	sfr_config_free(preset);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_write");
	TCase *tc = case_of(suite, "writing");

	tcase_add_loop_test(tc, what_is_written_loads_as_the_same_configuration, 0, SFR__PRESETS);
	tcase_add_test(tc, what_is_written_says_where_each_value_came_from);
	tcase_add_test(tc, a_wicked_file_name_cannot_leave_its_comment);
	tcase_add_test(tc, a_full_disk_is_an_error_of_write);
	tcase_add_test(tc, an_error_text_is_cut_to_fit_and_leaves_out_what_is_empty);

	tc = case_of(suite, "conf/");
	tcase_add_loop_test(tc, a_shipped_file_is_its_preset, 0, SFR__PRESETS);
	tcase_add_loop_test(tc, a_preset_that_burns_cpu_while_idle_says_so_in_its_first_line, 0,
			    SFR__PRESETS);
	tcase_add_test(tc, the_shipped_reference_is_the_table_and_loads_as_the_default);
	return suite_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * The world of the configuration tests.
 */
#include "config_world.h"
#include "config/value.h"
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

sfr_config *cfg;
sfr_config_error err;

static char directory[] = "/tmp/safer-ring-config-XXXXXX";

static void world_up(void)
{
	ck_assert_int_eq(unsetenv("SAFER_RING_CONFIG"), 0);
	ck_assert_int_eq(unsetenv("SAFER_RING_ENGINE"), 0);
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	cfg = NULL;
	err = (sfr_config_error){0};
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

static void world_down(void)
{
	sfr_config_free(cfg);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(nftw(directory, entry_remove, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void file_of_bytes(const char *name, const char *bytes, size_t size)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

void file_of(const char *name, const char *text)
{
	file_of_bytes(name, text, strlen(text));
}

int load_bytes(const char *bytes, size_t size)
{
	sfr_config_free(cfg);
	cfg = NULL;
	file_of_bytes("a.yaml", bytes, size);
	return sfr_config_load(&cfg, "a.yaml", &err);
}

int load(const char *text)
{
	return load_bytes(text, strlen(text));
}

void assert_value(const sfr_config *config, const char *key, const char *expected)
{
	char seen[SFR__VALUE_SIZE];

	ck_assert_int_eq(sfr_config_get(config, key, seen, sizeof(seen)), (int)strlen(expected));
	ck_assert_msg(strcmp(seen, expected) == 0, "%s is %s, not %s", key, seen, expected);
}

const struct sfr__config_origin *origin(const char *key)
{
	return &cfg->origins[sfr__config_key_index(sfr__config_key_find(key))];
}

void assert_equal(const sfr_config *a, const sfr_config *b)
{
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		char value[SFR__VALUE_SIZE];

		sfr_config_get(b, keys[i].name, value, sizeof(value));
		assert_value(a, keys[i].name, value);
	}
}

void write_and_reload(void)
{
	FILE *file = fopen("env.yaml", "w");
	sfr_config *again = NULL;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(sfr_config_write(cfg, file), 0);
	ck_assert_int_eq(fclose(file), 0);

	ck_assert_int_eq(sfr_config_load(&again, "env.yaml", &err), 0);
	assert_equal(again, cfg);
	sfr_config_free(again);
}

const char *preset_name(int index)
{
	return sfr__config_key_find("preset")->words[index];
}

TCase *case_of(Suite *suite, const char *name)
{
	TCase *tc = patient_case(suite, name);

	tcase_add_checked_fixture(tc, world_up, world_down);
	return tc;
}

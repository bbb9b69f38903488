/* SPDX-License-Identifier: MIT */
/*
 * The world of the configuration tests: a directory of their own and an environment without settings.
 *
 * SFR_SOURCE_ROOT names the directory with conf/ in it.
 */
#ifndef SFR_TESTS_CONFIG_WORLD_H
#define SFR_TESTS_CONFIG_WORLD_H

#include "cases.h"
#include "config/object.h"
#include <safer_ring/error.h>

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* The hint for a name that is near to none. */
#define ALL_KEYS                                                                                \
	"(there are preset, engine, ring.*, features.*, buffers.*, server.*, safety.*, log.*; " \
	"`safer-ring config reference` prints them all)"

extern sfr_config *cfg;      /* of the test that runs; freed after it */
extern sfr_config_error err; /* what load() found */

/* Write a file into the directory of the test. */
void file_of(const char *name, const char *text);
void file_of_bytes(const char *name, const char *bytes, size_t size);

/* Load a.yaml with this text into cfg. */
int load(const char *text);
int load_bytes(const char *bytes, size_t size);

void assert_value(const sfr_config *config, const char *key, const char *expected);
void assert_equal(const sfr_config *a, const sfr_config *b);

/* Write cfg, and assert that loading what was written gives every value again. */
void write_and_reload(void);

/* Where a value of cfg came from. */
const struct sfr__config_origin *origin(const char *key);

const char *preset_name(int index);

/* A case in which every test has the world to itself. */
TCase *case_of(Suite *suite, const char *name);

#endif

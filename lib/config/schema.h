/* SPDX-License-Identifier: MIT */
/*
 * The table of keys and the presets: all there is to know about a key, in one place.
 */
#ifndef SFR_LIB_CONFIG_SCHEMA_H
#define SFR_LIB_CONFIG_SCHEMA_H

#include "config/config.h"

/* How a value is written, and what it is kept in. */
enum sfr__config_type {
	SFR__CONFIG_BOOL,     /* bool */
	SFR__CONFIG_INT,      /* uint32_t */
	SFR__CONFIG_SIZE,     /* uint64_t, bytes */
	SFR__CONFIG_DURATION, /* uint64_t, nanoseconds */
	SFR__CONFIG_ENUM,     /* uint32_t, index in words */
};

enum {
	SFR__CONFIG_POWER_OF_TWO = 1,
	SFR__CONFIG_OR_ZERO = 2, /* 0 is legal outside the limits, and has a meaning of its own */
};

struct sfr__config_key {
	const char *name; /* "buffers.count" */
	enum sfr__config_type type;
	unsigned flags;
	uint64_t min;
	uint64_t max;
	const char *const *words; /* of an enum, NULL after the last */
	const char *initial;      /* the default, as a file writes it */
	const char *unit;         /* what is counted */
	const char *meaning;      /* a sentence */
	size_t offset;            /* in struct sfr__settings */
};

/* More than there are keys; a bound for arrays with a place for each. */
enum { SFR__CONFIG_KEYS_MAX = 64 };

/* The index of the key `preset`, which is the first. */
enum { SFR__CONFIG_PRESET_KEY = 0 };

enum sfr__config_preset_index {
	SFR__PRESET_DEFAULT,
	SFR__PRESET_LOW_LATENCY,
	SFR__PRESET_HIGH_THROUGHPUT,
	SFR__PRESET_DEVELOPMENT,
	SFR__PRESET_AUTO_DETECT,
	SFR__PRESETS
};

struct sfr__config_setting {
	const char *key;
	const char *value;
};

/* All keys, those of a section side by side. */
const struct sfr__config_key *sfr__config_keys(size_t *count);

/* NULL if there is none of this name. */
const struct sfr__config_key *sfr__config_key_find(const char *name);

/* The first key of a section, "ring" or "server"; NULL if there is no such section. */
const struct sfr__config_key *sfr__config_section_find(const char *section);

/* The length of a key's section: 4 for "ring.entries", 0 for "engine". */
size_t sfr__config_section_length(const char *name);

size_t sfr__config_key_index(const struct sfr__config_key *key);

/* What a preset sets apart from the defaults; a NULL key after the last. */
const struct sfr__config_setting *sfr__config_preset(enum sfr__config_preset_index index);

uint64_t sfr__settings_get(const struct sfr__settings *settings, const struct sfr__config_key *key);
void sfr__settings_put(struct sfr__settings *settings, const struct sfr__config_key *key,
		       uint64_t value);

#endif

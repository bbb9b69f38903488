/* SPDX-License-Identifier: MIT */
/*
 * Values as files write them.
 *
 * There is one way to write each: a whole number, then a unit without a space. What other formats
 * allow besides is refused because readers disagree about it: 010 is eight to some, 64K is 64000.
 */
#include "config/value.h"
#include "config/error.h"
#include "config/nearest.h"
#include <safer_ring/error.h>
#include <inttypes.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first, for printing. */
static const struct unit size_units[] = {{"GiB", UINT64_C(1) << 30},
					 {"MiB", 1 << 20},
					 {"KiB", 1 << 10},
					 {"B", 1},
					 {"", 1},
					 {NULL, 0}};
static const struct unit duration_units[] = {
	{"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}, {NULL, 0}};
static const struct unit int_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum sfr__config_type type)
{
	if (type == SFR__CONFIG_SIZE)
		return size_units;
	return type == SFR__CONFIG_DURATION ? duration_units : int_units;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Returns where the number ends; NULL if it does not start, or starts with a needless zero. */
static const char *digits_read(const char *text, uint64_t *out)
{
	uint64_t number = 0;

	if (!is_digit(text[0]) || (text[0] == '0' && is_digit(text[1])))
		return NULL;
	for (; is_digit(*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
	}
	*out = number;
	return text;
}

/* Numbers too large for 64 bits become the largest, which is outside of every limit. */
static bool quantity_read(const char *text, const struct unit *unit, uint64_t *out)
{
	uint64_t number;
	const char *end = digits_read(text, &number);

	if (!end)
		return false;
	if (number == 0 && *end == '\0') { /* nothing needs no unit */
		*out = 0;
		return true;
	}
	while (unit->name && strcmp(unit->name, end) != 0)
		unit++;
	if (!unit->name)
		return false;
	*out = number > UINT64_MAX / unit->factor ? UINT64_MAX : number * unit->factor;
	return true;
}

static bool is_negative(const char *text)
{
	return text[0] == '-' && is_digit(text[1]);
}

static bool is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

static int refuse_type(const struct sfr__config_key *key, sfr_config_error *err)
{
	static const char *const names[] = {
		[SFR__CONFIG_INT] = "whole number",
		[SFR__CONFIG_SIZE] = "size",
		[SFR__CONFIG_DURATION] = "duration",
	};
	static const char *const hints[] = {
		[SFR__CONFIG_INT] = "write digits only",
		[SFR__CONFIG_SIZE] = "write a whole number and B, KiB, MiB or GiB, like 64KiB",
		[SFR__CONFIG_DURATION] = "write a whole number and ns, us, ms or s, like 50us",
	};

	(void)sfr__config_refuse(err, key->name, "this is not a %s", names[key->type]);
	sfr__config_hint(err, "%s", hints[key->type]);
	return -SFR_ECONFIG;
}

static int refuse_range(const struct sfr__config_key *key, bool low, sfr_config_error *err)
{
	char min[SFR__VALUE_SIZE];
	char max[SFR__VALUE_SIZE];

	sfr__value_print(key, key->min, min);
	sfr__value_print(key, key->max, max);
	(void)sfr__config_refuse(err, key->name, "this is outside %s to %s%s", min, max,
				 key->flags & SFR__CONFIG_OR_ZERO ? " (or 0)" : "");
	sfr__config_hint(err, "the nearest is %s", low ? min : max);
	return -SFR_ECONFIG;
}

static int refuse_uneven(const struct sfr__config_key *key, uint64_t value, sfr_config_error *err)
{
	char below[SFR__VALUE_SIZE];
	char above[SFR__VALUE_SIZE];
	uint64_t power = 1;

	while (power * 2 < value)
		power *= 2;
	(void)sfr__config_refuse(err, key->name, "this is not a power of two");
	sfr__config_hint(err, "the nearest are %s and %s", sfr__value_print(key, power, below),
			 sfr__value_print(key, power * 2, above));
	return -SFR_ECONFIG;
}

static int number_parse(const struct sfr__config_key *key, const char *text, uint64_t *out,
			sfr_config_error *err)
{
	uint64_t value;

	if (is_negative(text))
		return refuse_range(key, true, err);
	if (!quantity_read(text, units_of(key->type), &value))
		return refuse_type(key, err);
	if (value != 0 || !(key->flags & SFR__CONFIG_OR_ZERO)) {
		if (value < key->min || value > key->max)
			return refuse_range(key, value < key->min, err);
		if (key->flags & SFR__CONFIG_POWER_OF_TWO && !is_power_of_two(value))
			return refuse_uneven(key, value, err);
	}
	*out = value;
	return 0;
}

/* Whether a text is one of the ways to say on or off. */
static bool switch_read(const char *text, bool *out)
{
	static const char *const words[] = {"off", "on", "false", "true", "no", "yes", NULL};

	for (unsigned i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0) {
			*out = i % 2 == 1;
			return true;
		}
	return false;
}

static int bool_parse(const struct sfr__config_key *key, const char *text, uint64_t *out,
		      sfr_config_error *err)
{
	bool value;

	if (switch_read(text, &value)) {
		*out = value;
		return 0;
	}
	(void)sfr__config_refuse(err, key->name, "this is neither on nor off");
	sfr__config_hint(err, "write on or off");
	return -SFR_ECONFIG;
}

static void words_join(const char *const *words, char *out, size_t size)
{
	size_t used = 0;

	for (unsigned i = 0; words[i] && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", words[i]);
}

static bool word_find(const char *const *words, const char *text, uint64_t *out)
{
	for (unsigned i = 0; words[i]; i++)
		if (strcmp(words[i], text) == 0) {
			*out = i;
			return true;
		}
	return false;
}

/* Where on and off are both among the words, they can be said as for a flag. */
static bool word_read(const char *const *words, const char *text, uint64_t *out)
{
	uint64_t on, off;
	bool value;

	if (word_find(words, text, out))
		return true;
	if (!switch_read(text, &value) || !word_find(words, "on", &on) ||
	    !word_find(words, "off", &off))
		return false;
	*out = value ? on : off;
	return true;
}

static int enum_parse(const struct sfr__config_key *key, const char *text, uint64_t *out,
		      sfr_config_error *err)
{
	char guess[SFR__NEAREST_SIZE];
	char all[128] = "";

	if (word_read(key->words, text, out))
		return 0;
	words_join(key->words, all, sizeof(all));
	(void)sfr__config_refuse(err, key->name, "this is not one of %s", all);
	if (sfr__nearest_word(guess, key->words, text))
		sfr__config_hint(err, "did you mean %s?", guess);
	else
		sfr__config_hint(err, "the default is %s", key->initial);
	return -SFR_ECONFIG;
}

int sfr__value_parse(const struct sfr__config_key *key, const char *text, uint64_t *out,
		     sfr_config_error *err)
{
	switch (key->type) {
	case SFR__CONFIG_BOOL:
		return bool_parse(key, text, out, err);
	case SFR__CONFIG_ENUM:
		return enum_parse(key, text, out, err);
	case SFR__CONFIG_INT:
	case SFR__CONFIG_SIZE:
	case SFR__CONFIG_DURATION:
		break;
	}
	return number_parse(key, text, out, err);
}

const char *sfr__value_print(const struct sfr__config_key *key, uint64_t value,
			     char out[SFR__VALUE_SIZE])
{
	const struct unit *unit = units_of(key->type);

	if (key->type == SFR__CONFIG_ENUM || key->type == SFR__CONFIG_BOOL) {
		const char *word = key->words ? key->words[value] : (value ? "on" : "off");

		(void)snprintf(out, SFR__VALUE_SIZE, "%s", word);
		return out;
	}
	while (value % unit->factor != 0)
		unit++;
	(void)snprintf(out, SFR__VALUE_SIZE, "%" PRIu64 "%s", value / unit->factor,
		       value == 0 ? "" : unit->name);
	return out;
}

/* SPDX-License-Identifier: MIT */
/*
 * Nearest name by edit distance: letters to insert, drop or replace (Levenshtein).
 *
 * A key at the wrong level is the other common slip, so the last parts of two keys are compared as
 * well; having to move a key counts as one letter.
 */
#include "config/nearest.h"
#include "config/schema.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* SIZE_MAX for texts longer than any name. */
static size_t distance(const char *a, const char *b)
{
	size_t row[SFR__NEAREST_SIZE];
	size_t length = strlen(b);

	if (strlen(a) >= SFR__NEAREST_SIZE || length >= SFR__NEAREST_SIZE)
		return SIZE_MAX;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[length];
}

struct guess {
	char *out;
	size_t distance; /* of the best so far; out is empty while there is none */
};

static struct guess guess_for(char out[SFR__NEAREST_SIZE], const char *name)
{
	size_t length = strlen(name);

	out[0] = '\0';
	/* A third of the letters may be wrong, and always two, as when neighbours change places; in
	 * words so short that two say nothing, one. */
	if (length < 9)
		return (struct guess){.out = out, .distance = length < 4 ? 2 : 3};
	return (struct guess){.out = out, .distance = length / 3 + 1};
}

static void guess_offer(struct guess *guess, const char *name, size_t length, size_t far)
{
	if (far >= guess->distance)
		return;
	guess->distance = far;
	(void)snprintf(guess->out, SFR__NEAREST_SIZE, "%.*s", (int)length, name);
}

static const char *guess_made(const struct guess *guess)
{
	return guess->out[0] ? guess->out : NULL;
}

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static size_t key_distance(const char *name, const char *key)
{
	size_t moved = distance(last_part(name), last_part(key));

	return least(distance(name, key), moved == SIZE_MAX ? moved : moved + 1);
}

const char *sfr__nearest_key(char out[SFR__NEAREST_SIZE], const char *name)
{
	struct guess guess = guess_for(out, name);
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	for (size_t i = 0; i < count; i++)
		guess_offer(&guess, keys[i].name, strlen(keys[i].name),
			    key_distance(name, keys[i].name));
	return guess_made(&guess);
}

const char *sfr__nearest_section(char out[SFR__NEAREST_SIZE], const char *name)
{
	struct guess guess = guess_for(out, last_part(name));
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		size_t length = sfr__config_section_length(keys[i].name);
		char section[SFR__NEAREST_SIZE];

		(void)snprintf(section, sizeof(section), "%.*s", (int)length, keys[i].name);
		if (length > 0)
			guess_offer(&guess, section, length, distance(last_part(name), section));
	}
	return guess_made(&guess);
}

const char *sfr__nearest_word(char out[SFR__NEAREST_SIZE], const char *const *words,
			      const char *text)
{
	struct guess guess = guess_for(out, text);

	for (; *words; words++)
		guess_offer(&guess, *words, strlen(*words), distance(text, *words));
	return guess_made(&guess);
}

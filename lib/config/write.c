/* SPDX-License-Identifier: MIT */
/*
 * The configuration written as YAML: what is in force and why, and the reference of all keys.
 */
#include "config/config.h"
#include "config/error.h"
#include "config/object.h"
#include "config/value.h"
#include <errno.h>
#include <string.h>

enum {
	ORIGIN_COLUMN = 36,   /* at which the origins start */
	COMMENT_COLUMNS = 90, /* of text in a comment */
};

/* Start a section where one starts, and say how its keys are written. Returns the key's short name. */
static const char *section_step(FILE *out, const struct sfr__config_key *keys, size_t i)
{
	size_t length = sfr__config_section_length(keys[i].name);

	if (length == 0)
		return keys[i].name;
	if (i == 0 || strncmp(keys[i].name, keys[i - 1].name, length + 1) != 0)
		(void)fprintf(out, "\n%.*s:\n", (int)length, keys[i].name);
	return keys[i].name + length + 1;
}

static const char *indentation(const struct sfr__config_key *key)
{
	return sfr__config_section_length(key->name) > 0 ? "  " : "";
}

/* One flush and one look at the end: a stream remembers that a write failed. */
static int stream_end(FILE *out)
{
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}

/* A file's name may hold what ends a comment, so it is shown as plain text. */
static void origin_write(FILE *out, const struct sfr__config_origin *origin)
{
	char text[sizeof(origin->text)];

	sfr__config_plain(text, sizeof(text), origin->text);
	if (origin->line > 0)
		(void)fprintf(out, "# %s:%u\n", text, origin->line);
	else
		(void)fprintf(out, "# %s\n", text);
}

/* A comment, broken into lines between words; all lines but the first start with `hang`. */
static void comment_write(FILE *out, const char *indent, const char *hang, const char *text)
{
	const char *start = "";

	while (*text) {
		size_t room = COMMENT_COLUMNS - strlen(indent) - strlen(start);
		size_t n = strlen(text);

		if (n > room) {
			for (n = room; n > 0 && text[n] != ' '; n--)
				continue;
			if (n == 0)
				n = strcspn(text, " ");
		}
		(void)fprintf(out, "%s# %s%.*s\n", indent, start, (int)n, text);
		text += n;
		text += strspn(text, " ");
		start = hang;
	}
}

static void remark_write(FILE *out, const char *indent, const char *what, const char *text)
{
	char plain[sizeof(((struct sfr__config_choice *)0)->evidence)];
	char remark[sizeof(plain) + 32];

	sfr__config_plain(plain, sizeof(plain), text);
	(void)snprintf(remark, sizeof(remark), "%s: %s.", what, plain);
	comment_write(out, indent, "  ", remark);
}

/* Why the preset auto_detect chose a value, above it. */
static void choice_write(FILE *out, const char *indent, const struct sfr__config_choice *choice)
{
	remark_write(out, indent, "Rule", choice->rule);
	remark_write(out, indent, "Seen", choice->evidence);
	remark_write(out, indent, "To change it", choice->change);
}

int sfr_config_write(const sfr_config *cfg, FILE *out)
{
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	for (size_t i = 0; i < count; i++) {
		const char *name = section_step(out, keys, i);
		const char *indent = indentation(&keys[i]);
		char value[SFR__VALUE_SIZE];
		int used;

		if (cfg->origins[i].choice > 0)
			choice_write(out, indent, &cfg->choices[cfg->origins[i].choice - 1]);
		used = fprintf(out, "%s%s: %s", indent, name,
			       sfr__value_print(&keys[i],
						sfr__settings_get(&cfg->settings, &keys[i]),
						value));
		(void)fprintf(out, "%*s", used < ORIGIN_COLUMN ? ORIGIN_COLUMN - used : 1, "");
		origin_write(out, &cfg->origins[i]);
	}
	return stream_end(out);
}

static void words_write(FILE *out, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		(void)fprintf(out, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

static void number_limits_write(FILE *out, const struct sfr__config_key *key)
{
	char min[SFR__VALUE_SIZE];
	char max[SFR__VALUE_SIZE];

	(void)fprintf(out, "%s to %s", sfr__value_print(key, key->min, min),
		      sfr__value_print(key, key->max, max));
	if (key->type == SFR__CONFIG_INT)
		(void)fprintf(out, " %s", key->unit);
	if (key->flags & SFR__CONFIG_POWER_OF_TWO)
		(void)fprintf(out, ", a power of two");
	if (key->flags & SFR__CONFIG_OR_ZERO)
		(void)fprintf(out, ", or 0");
}

static void limits_write(FILE *out, const struct sfr__config_key *key)
{
	switch (key->type) {
	case SFR__CONFIG_BOOL:
		(void)fprintf(out, "on or off");
		return;
	case SFR__CONFIG_ENUM:
		words_write(out, key->words);
		return;
	case SFR__CONFIG_INT:
	case SFR__CONFIG_SIZE:
	case SFR__CONFIG_DURATION:
		number_limits_write(out, key);
		return;
	}
}

static void reference_head(FILE *out)
{
	(void)fprintf(
		out, "%s",
		"# Every key of the configuration with its meaning, limits and default.\n"
		"#\n"
		"# Printed from the table in the library, and compared with it by the tests.\n"
		"# Sizes are whole numbers with B, KiB, MiB or GiB, and bytes without a unit.\n"
		"# Durations are whole numbers with ns, us, ms or s. Flags are on or off; true,\n"
		"# false, yes and no are understood. The strongest setting wins: preset, file,\n"
		"# environment (SAFER_RING_CONFIG, SAFER_RING_ENGINE), program.\n"
		"#\n"
		"# Under features, on means: where the kernel has it. Auto is the same, unless\n"
		"# this kernel is known to have it broken. Programs differ in speed only.\n");
}

int sfr__config_reference(FILE *out)
{
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	reference_head(out);
	for (size_t i = 0; i < count; i++) {
		const char *name = section_step(out, keys, i);
		const char *indent = indentation(&keys[i]);

		if (!*indent)
			(void)fprintf(out, "\n");
		comment_write(out, indent, "", keys[i].meaning);
		(void)fprintf(out, "%s# Limits: ", indent);
		limits_write(out, &keys[i]);
		(void)fprintf(out, ". Default: %s.\n%s%s: %s\n", keys[i].initial, indent, name,
			      keys[i].initial);
	}
	return stream_end(out);
}

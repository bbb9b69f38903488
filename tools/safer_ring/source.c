/* SPDX-License-Identifier: MIT */
/*
 * Source: a word is a preset if it is the name of one, else a file, and "-" is standard input.
 *
 * Standard input is read once, and up to the limit of the library, so it can be loaded as often as
 * is needed.
 */
#include "source.h"
#include "config/error.h"
#include "config/file.h"
#include "config/nearest.h"
#include <safer_ring/error.h>
#include <safer_ring/log.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const *presets(void)
{
	return sfr__config_key_find("preset")->words;
}

static const char *preset_of(const char *word)
{
	const char *const *words = presets();

	for (unsigned i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return words[i];
	return NULL;
}

static int stdin_read(struct source *source, sfr_config_error *err)
{
	source->yaml.name = "standard input";
	source->yaml.text = source->read = malloc(SFR__CONFIG_FILE_MAX + 1);
	if (!source->read)
		return -ENOMEM;
	source->yaml.size = fread(source->read, 1, SFR__CONFIG_FILE_MAX + 1, stdin);
	(void)snprintf(err->file, sizeof(err->file), "%s", source->yaml.name);
	if (ferror(stdin)) {
		(void)sfr__config_refuse(err, "", "it cannot be read");
		return -EIO;
	}
	if (source->yaml.size > SFR__CONFIG_FILE_MAX) {
		sfr__config_hint(err, "is this a configuration?");
		return sfr__config_refuse(err, "", "it is larger than 1 MiB");
	}
	return 0;
}

int source_open(struct source *source, const char *word, sfr_config_error *err)
{
	if (!word)
		word = "default";
	*source = (struct source){.preset = preset_of(word)};
	*err = (sfr_config_error){0};
	if (source->preset)
		return 0;
	if (strcmp(word, "-") == 0)
		return stdin_read(source, err);
	source->yaml.name = word;
	return 0;
}

void source_close(struct source *source)
{
	free(source->read);
}

const char *source_name(const struct source *source)
{
	return source->preset ? source->preset : source->yaml.name;
}

/* The library says in its log what it says of presets, as there is no other way. */
static void refusal_hear(enum sfr_log_level level, const char *line, void *arg)
{
	(void)level;
	(void)snprintf(arg, SOURCE_TROUBLE_SIZE, "%s", line);
}

int source_load(sfr_config **out, const struct source *source, sfr_config_error *err,
		char trouble[SOURCE_TROUBLE_SIZE])
{
	char guess[SFR__NEAREST_SIZE];
	int r;

	*err = (sfr_config_error){0};
	trouble[0] = '\0';
	if (source->preset) {
		sfr_log_to(refusal_hear, trouble);
		r = sfr_config_new(out, source->preset);
		sfr_log_to(NULL, NULL);
		return r;
	}
	r = sfr__config_load(out, &source->yaml, err);
	if (r == -ENOENT && sfr__nearest_word(guess, presets(), source->yaml.name))
		sfr__config_hint(err, "did you mean the preset %s?", guess);
	if (r < 0)
		(void)sfr_config_error_text(err, trouble, SOURCE_TROUBLE_SIZE);
	return r;
}

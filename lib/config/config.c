/* SPDX-License-Identifier: MIT */
/*
 * Configuration: values under their origins.
 *
 * Origins are ranked, and a value only yields to an origin at least as strong as its own; so layers
 * can come in any order within a rank. What lies below all of them is base.c's concern.
 */
#include "config/config.h"
#include "base/log.h"
#include "config/error.h"
#include "config/nearest.h"
#include "config/object.h"
#include "config/value.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>

/* The preset a program starts from is a base like any other: a file may name another one. */
static int preset_start(sfr_config *cfg, const char *preset, sfr_config_error *err)
{
	struct sfr__config_origin origin =
		preset ? sfr__config_origin_of(SFR__RANK_PRESET, "program")
		       : sfr__config_origin_of(SFR__RANK_DEFAULT, "default");
	int r = sfr__config_put(cfg, sfr__config_key_find("preset"), preset ? preset : "default",
				&origin, err);

	if (r == 0)
		sfr__config_rebase(cfg);
	return r;
}

static int environment_lay(sfr_config *cfg, sfr_config_error *err)
{
	const struct sfr__config_source source = {.name = sfr__environment("SAFER_RING_CONFIG")};
	int r = source.name ? sfr__config_lay(cfg, &source, SFR__RANK_ENVIRONMENT, err) : 0;

	if (r == 0 || r == -ENOMEM || r == -SFR_ECONFIG)
		return r;
	/* That this file cannot be read is not to be taken for trouble with the program's own. */
	sfr__config_hint(err, "SAFER_RING_CONFIG names it");
	return -SFR_ECONFIG;
}

static int environment_engine(sfr_config *cfg, sfr_config_error *err)
{
	const char *engine = sfr__environment("SAFER_RING_ENGINE");
	struct sfr__config_origin origin = sfr__config_origin_of(SFR__RANK_ENVIRONMENT,
								 "SAFER_RING_ENGINE");
	int r;

	if (!engine)
		return 0;
	r = sfr__config_put(cfg, sfr__config_key_find("engine"), engine, &origin, err);
	if (r < 0)
		(void)snprintf(err->file, sizeof(err->file), "%s", origin.text);
	return r;
}

static int config_fill(sfr_config *cfg, const char *preset, const struct sfr__config_source *source,
		       sfr_config_error *err)
{
	int r = preset_start(cfg, preset, err);

	if (r == 0 && source)
		r = sfr__config_lay(cfg, source, SFR__RANK_FILE, err);
	if (r == 0)
		r = environment_lay(cfg, err);
	if (r == 0)
		r = environment_engine(cfg, err);
	if (r == 0)
		r = sfr__config_check(cfg, err);
	return r;
}

static int config_make(sfr_config **out, const char *preset,
		       const struct sfr__config_source *source, sfr_config_error *err)
{
	sfr_config *cfg = calloc(1, sizeof(*cfg));
	int r;

	if (!cfg)
		return -ENOMEM;
	r = config_fill(cfg, preset, source, err);
	if (r < 0) {
		free(cfg);
		return r;
	}
	*out = cfg;
	return 0;
}

int sfr_config_new(sfr_config **out, const char *preset)
{
	sfr_config_error found = {0};
	int r = config_make(out, preset, NULL, &found);
	char text[768];

	if (r == -SFR_ECONFIG) { /* there is no way to hand the reason out, and somebody needs it */
		(void)sfr_config_error_text(&found, text, sizeof(text));
		sfr__log(SFR_LOG_ERROR, SFR_LOG_ERROR, "%s", text);
	}
	return r;
}

int sfr__config_load(sfr_config **out, const struct sfr__config_source *source,
		     sfr_config_error *err)
{
	sfr_config_error found = {0};
	int r = config_make(out, NULL, source, &found);

	if (r < 0 && err)
		*err = found;
	return r;
}

int sfr_config_load(sfr_config **out, const char *path, sfr_config_error *err)
{
	return sfr__config_load(out, &(struct sfr__config_source){.name = path ? path : ""}, err);
}

static int key_refuse(const char *name, sfr_config_error *err)
{
	char guess[SFR__NEAREST_SIZE];

	(void)sfr__config_refuse(err, name, "there is no such key");
	if (sfr__nearest_key(guess, name))
		sfr__config_hint(err, "did you mean %s?", guess);
	else
		sfr__config_hint_keys(err);
	return -SFR_ECONFIG;
}

static int config_set(sfr_config *cfg, const char *name, const char *value, sfr_config_error *err)
{
	struct sfr__config_origin origin = sfr__config_origin_of(SFR__RANK_CODE, "program");
	const struct sfr__config_key *key = sfr__config_key_find(name);
	int r;

	if (!key)
		return key_refuse(name, err);
	r = sfr__config_put(cfg, key, value, &origin, err);
	if (r == 0)
		sfr__config_rebase(cfg);
	return r;
}

int sfr_config_set(sfr_config *cfg, const char *key, const char *value, sfr_config_error *err)
{
	sfr_config_error found = {0};
	int r = config_set(cfg, key ? key : "", value ? value : "", &found);

	if (r < 0 && err)
		*err = found;
	return r;
}

int sfr_config_get(const sfr_config *cfg, const char *name, char *value_out, size_t size)
{
	const struct sfr__config_key *key = name ? sfr__config_key_find(name) : NULL;
	char value[SFR__VALUE_SIZE];

	if (!key)
		return -SFR_ECONFIG;
	sfr__value_print(key, sfr__settings_get(&cfg->settings, key), value);
	return snprintf(value_out, size, "%s", value);
}

const struct sfr__settings *sfr__config_settings(const sfr_config *cfg)
{
	return &cfg->settings;
}

void sfr_config_free(sfr_config *cfg)
{
	free(cfg);
}

/* SPDX-License-Identifier: MIT */
/*
 * Configuration: values under their origins.
 *
 * Origins are ranked, and a value only yields to an origin at least as strong as its own; so layers
 * can come in any order within a rank. What the preset gives is worked out anew after each change:
 * auto_detect chooses by values that others may set, and sizes of the base give way to them.
 */
#include "config/config.h"
#include "base/log.h"
#include "config/error.h"
#include "config/nearest.h"
#include "config/object.h"
#include "config/value.h"
#include "machine/probe.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sfr__config_origin sfr__config_origin_of(enum sfr__config_rank rank, const char *text)
{
	struct sfr__config_origin origin = {.rank = rank};

	(void)snprintf(origin.text, sizeof(origin.text), "%s", text);
	return origin;
}

int sfr__config_put(sfr_config *cfg, const struct sfr__config_key *key, const char *text,
		    const struct sfr__config_origin *origin, sfr_config_error *err)
{
	struct sfr__config_origin *old = &cfg->origins[sfr__config_key_index(key)];
	uint64_t value;
	int r = sfr__value_parse(key, text, &value, err);

	if (r < 0 || origin->rank < old->rank)
		return r;
	sfr__settings_put(&cfg->settings, key, value);
	*old = *origin;
	return 0;
}

/* A value from the library's own tables. That each of them can be read is tested. */
static void base_put(sfr_config *cfg, const struct sfr__config_key *key, const char *text,
		     const struct sfr__config_origin *origin)
{
	sfr_config_error unwanted;

	(void)sfr__config_put(cfg, key, text, origin, &unwanted);
}

static void base_defaults(sfr_config *cfg)
{
	struct sfr__config_origin origin = sfr__config_origin_of(SFR__RANK_DEFAULT, "default");
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	for (size_t i = SFR__CONFIG_PRESET_KEY + 1; i < count; i++) {
		if (cfg->origins[i].rank == SFR__RANK_PRESET)
			cfg->origins[i].rank = SFR__RANK_DEFAULT; /* of an earlier preset */
		base_put(cfg, &keys[i], keys[i].initial, &origin);
	}
}

static void base_preset(sfr_config *cfg, enum sfr__config_preset_index preset)
{
	const struct sfr__config_key *preset_key = sfr__config_key_find("preset");
	struct sfr__config_origin origin = sfr__config_origin_of(SFR__RANK_PRESET, "");

	(void)snprintf(origin.text, sizeof(origin.text), "preset %s", preset_key->words[preset]);
	for (const struct sfr__config_setting *s = sfr__config_preset(preset); s->key; s++)
		base_put(cfg, sfr__config_key_find(s->key), s->value, &origin);
}

/* Who asks for another engine may be where trying io_uring is deadly. */
static bool may_try_uring(const sfr_config *cfg)
{
	const char *engine = sfr__environment("SAFER_RING_ENGINE");

	return cfg->settings.engine != SFR__ENGINE_EPOLL && !(engine && !strcmp(engine, "epoll"));
}

/* Each choice is in force before the next is made: later ones depend on earlier ones. */
static void base_detected(sfr_config *cfg)
{
	struct sfr__config_origin origin = sfr__config_origin_of(SFR__RANK_PRESET,
								 "preset auto_detect");

	if (!cfg->machine_seen) {
		sfr__machine_look(&cfg->machine);
		if (may_try_uring(cfg))
			sfr__probe_machine(&cfg->machine);
	}
	cfg->machine_seen = true;
	for (unsigned i = 0; i < sfr__choices(); i++) {
		struct sfr__config_choice *choice = &cfg->choices[i];

		origin.choice = i + 1;
		if (sfr__choose(i, &cfg->machine, &cfg->settings, choice))
			base_put(cfg, sfr__config_key_find(choice->key), choice->value, &origin);
	}
}

/* Nobody asked for a value of the base that cannot be beside one that somebody set: another one is. */
static void base_yield(sfr_config *cfg, const char *name, uint64_t value, const char *other)
{
	const struct sfr__config_key *key = sfr__config_key_find(name);
	struct sfr__config_origin *origin = &cfg->origins[sfr__config_key_index(key)];

	if (origin->rank > SFR__RANK_PRESET)
		return;
	sfr__settings_put(&cfg->settings, key, value);
	*origin = sfr__config_origin_of(SFR__RANK_PRESET, "");
	(void)snprintf(origin->text, sizeof(origin->text), "gives way to %s", other);
}

static void base_fit(sfr_config *cfg)
{
	const struct sfr__settings *s = &cfg->settings;
	uint64_t size = s->buffers.size * s->buffers.count;

	if (s->buffers.small >= s->buffers.size)
		base_yield(cfg, "buffers.small", 0, "buffers.size");
	if (s->buffers.large && s->buffers.large <= s->buffers.size)
		base_yield(cfg, "buffers.large", 0, "buffers.size");
	if (s->buffers.budget && s->buffers.budget < size)
		base_yield(cfg, "buffers.budget", size, "buffers.count x buffers.size");
}

void sfr__config_rebase(sfr_config *cfg)
{
	enum sfr__config_preset_index preset = cfg->settings.preset;

	base_defaults(cfg);
	base_preset(cfg, preset);
	if (preset == SFR__PRESET_AUTO_DETECT)
		base_detected(cfg);
	base_fit(cfg);
}

void sfr__config_see(sfr_config *cfg, const struct sfr__machine *machine)
{
	cfg->machine = *machine;
	cfg->machine_seen = true;
	sfr__config_rebase(cfg);
}

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

/* SPDX-License-Identifier: MIT */
/*
 * The base: what every key has before anything is set, from the schema, from a preset or from the machine.
 *
 * What the preset gives is worked out anew after each change: auto_detect chooses by values that others may
 * set, and sizes of the base give way to them.
 */
#include "config/object.h"
#include "config/value.h"
#include "machine/probe.h"
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

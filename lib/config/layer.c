/* SPDX-License-Identifier: MIT */
/*
 * A layer: one YAML file laid over a configuration.
 */
#include "config/error.h"
#include "config/file.h"
#include "config/nearest.h"
#include "config/object.h"
#include "config/yaml.h"
#include <safer_ring/error.h>
#include <stdlib.h>
#include <string.h>

struct layer {
	sfr_config *cfg;
	struct sfr__config_origin origin;
	unsigned key_lines[SFR__CONFIG_KEYS_MAX];     /* where each key was, 0 if it was not yet */
	unsigned section_lines[SFR__CONFIG_KEYS_MAX]; /* the same, by first key of the section */
};

static int refuse_unknown(const struct sfr__yaml_entry *entry, sfr_config_error *err)
{
	char guess[SFR__NEAREST_SIZE];
	const char *meant = entry->kind == SFR__YAML_MAPPING
				    ? sfr__nearest_section(guess, entry->key)
				    : sfr__nearest_key(guess, entry->key);

	sfr__config_at(err, entry->key_line, entry->key_column);
	(void)sfr__config_refuse(err, entry->key, "there is no such %s",
				 entry->kind == SFR__YAML_MAPPING ? "section" : "key");
	if (meant)
		sfr__config_hint(err, "did you mean %s?", meant);
	else
		sfr__config_hint_keys(err);
	return -SFR_ECONFIG;
}

static int refuse_section_value(const struct sfr__yaml_entry *entry,
				const struct sfr__config_key *first, sfr_config_error *err)
{
	sfr__config_at(err, entry->value_line, entry->value_column);
	(void)sfr__config_refuse(err, entry->key, "this is a section and has no value itself");
	sfr__config_hint(err, "nest its keys: %s: {%s: %s}", entry->key,
			 first->name + strlen(entry->key) + 1, first->initial);
	return -SFR_ECONFIG;
}

static int refuse_nested_value(const struct sfr__yaml_entry *entry,
			       const struct sfr__config_key *key, sfr_config_error *err)
{
	sfr__config_at(err, entry->value_line, entry->value_column);
	(void)sfr__config_refuse(err, entry->key, "a single value belongs here, not a %s",
				 entry->kind == SFR__YAML_MAPPING ? "mapping" : "list");
	sfr__config_hint(err, "the default is %s", key->initial);
	return -SFR_ECONFIG;
}

/* Remember that a key or section was seen, by its place in lines. */
static int note_once(unsigned *seen, const struct sfr__yaml_entry *entry, sfr_config_error *err)
{
	if (*seen == 0) {
		*seen = entry->key_line;
		return 0;
	}
	sfr__config_at(err, entry->key_line, entry->key_column);
	(void)sfr__config_refuse(err, entry->key, "this is here twice, first on line %u", *seen);
	sfr__config_hint(err, "keep one of them");
	return -SFR_ECONFIG;
}

static int layer_put(struct layer *layer, const struct sfr__config_key *key,
		     const struct sfr__yaml_entry *entry, sfr_config_error *err)
{
	int r = note_once(&layer->key_lines[sfr__config_key_index(key)], entry, err);

	if (r < 0)
		return r;
	layer->origin.line = entry->key_line;
	layer->origin.column = entry->key_column;
	sfr__config_at(err, entry->value_line, entry->value_column);
	return sfr__config_put(layer->cfg, key, entry->value, &layer->origin, err);
}

static int layer_visit(const struct sfr__yaml_entry *entry, sfr_config_error *err, void *arg)
{
	struct layer *layer = arg;
	const struct sfr__config_key *key = sfr__config_key_find(entry->key);
	const struct sfr__config_key *first = sfr__config_section_find(entry->key);

	if (key && entry->kind == SFR__YAML_SCALAR)
		return layer_put(layer, key, entry, err);
	if (key)
		return refuse_nested_value(entry, key, err);
	if (first && entry->kind == SFR__YAML_MAPPING)
		return note_once(&layer->section_lines[sfr__config_key_index(first)], entry, err);
	if (first)
		return refuse_section_value(entry, first, err);
	return refuse_unknown(entry, err);
}

int sfr__config_lay(sfr_config *cfg, const struct sfr__config_source *source,
		    enum sfr__config_rank rank, sfr_config_error *err)
{
	struct layer layer = {.cfg = cfg, .origin = sfr__config_origin_of(rank, source->name)};
	const char *text = source->text;
	char *read = NULL;
	size_t size = source->size;
	int r = text ? 0 : sfr__config_file_read(source->name, &read, &size, err);

	(void)snprintf(err->file, sizeof(err->file), "%s", source->name);
	if (r < 0)
		return r;
	r = sfr__yaml_read(text ? text : read, size, layer_visit, &layer, err);
	free(read);
	if (r < 0)
		return r;
	sfr__config_rebase(cfg);
	/* No line is to blame for what is found from here on, unless the finder says so. */
	*err = (sfr_config_error){0};
	return 0;
}

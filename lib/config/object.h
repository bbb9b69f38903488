/* SPDX-License-Identifier: MIT */
/*
 * The configuration itself: values, and for each where it came from.
 */
#ifndef SFR_LIB_CONFIG_OBJECT_H
#define SFR_LIB_CONFIG_OBJECT_H

#include "config/detect.h"
#include "config/schema.h"

/* Weakest first. */
enum sfr__config_rank {
	SFR__RANK_DEFAULT,
	SFR__RANK_PRESET,
	SFR__RANK_FILE,
	SFR__RANK_ENVIRONMENT,
	SFR__RANK_CODE,
};

struct sfr__config_origin {
	enum sfr__config_rank rank;
	unsigned line; /* of the key, from 1; 0 if it was not in a file */
	unsigned column;
	unsigned choice; /* of the preset auto_detect, counted from 1; 0 if it was none */
	char text[256];  /* the file's name, or what else set the value */
};

struct sfr_config {
	struct sfr__settings settings;
	struct sfr__config_origin origins[SFR__CONFIG_KEYS_MAX]; /* by index of the key */
	struct sfr__config_choice choices[SFR__CHOICES_MAX];
	/* looked at once, when the preset auto_detect first needs it */
	struct sfr__machine machine;
	bool machine_seen;
};

struct sfr__config_origin sfr__config_origin_of(enum sfr__config_rank rank, const char *text);

/*
 * Set a value unless a stronger origin has set it. The text is judged in any case: 0, or
 * -SFR_ECONFIG and nothing changed. Values of the base follow with sfr__config_rebase().
 */
int sfr__config_put(sfr_config *cfg, const struct sfr__config_key *key, const char *text,
		    const struct sfr__config_origin *origin, sfr_config_error *err);

/* Give every value that nothing stronger has set that of the preset. */
void sfr__config_rebase(sfr_config *cfg);

/* Take this for the machine that the preset auto_detect looks at, and choose anew. */
void sfr__config_see(sfr_config *cfg, const struct sfr__machine *machine);

/* YAML: a file, or text that is here already, and what messages call it. */
struct sfr__config_source {
	const char *name;
	const char *text; /* NULL: what is in the file of that name */
	size_t size;
};

/* Lay YAML over the configuration. 0, -ENOMEM, -SFR_ECONFIG, or -errno of the file. */
int sfr__config_lay(sfr_config *cfg, const struct sfr__config_source *source,
		    enum sfr__config_rank rank, sfr_config_error *err);

/* sfr_config_load(), of text as well. */
int sfr__config_load(sfr_config **out, const struct sfr__config_source *source,
		     sfr_config_error *err);

#endif

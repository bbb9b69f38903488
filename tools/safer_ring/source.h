/* SPDX-License-Identifier: MIT */
/*
 * Source: what a command line names as a configuration. A preset, a file, or standard input.
 */
#ifndef SFR_TOOLS_SAFER_RING_SOURCE_H
#define SFR_TOOLS_SAFER_RING_SOURCE_H

#include "config/object.h"

enum { SOURCE_TROUBLE_SIZE = 768 };

struct source {
	const char *preset; /* NULL: it is the other */
	struct sfr__config_source yaml;
	char *read; /* of standard input */
};

/*
 * What is meant by a word: "-" is standard input, which is read now; the name of a preset is that; all else is a
 * file. NULL is the preset default. 0; -ENOMEM; or another -errno of standard input, and err has words. The source
 * is to be given to source_close() in any case.
 */
int source_open(struct source *source, const char *word, sfr_config_error *err);
void source_close(struct source *source);

/* As messages call it. */
const char *source_name(const struct source *source);

/*
 * Make the configuration, under the environment as it is. As sfr_config_load(); and if it fails `trouble` has the
 * reason in words, also where err has none, as of a preset.
 */
int source_load(sfr_config **out, const struct source *source, sfr_config_error *err,
		char trouble[SOURCE_TROUBLE_SIZE]);

#endif

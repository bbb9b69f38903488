/* SPDX-License-Identifier: MIT */
/*
 * YAML as a list of keys and values, each with its place.
 */
#ifndef SFR_LIB_CONFIG_YAML_H
#define SFR_LIB_CONFIG_YAML_H

#include <safer_ring/config.h>

enum sfr__yaml_kind { SFR__YAML_SCALAR, SFR__YAML_MAPPING, SFR__YAML_SEQUENCE };

struct sfr__yaml_entry {
	char key[128]; /* with that of the mapping around it: "ring.entries"; longer ones are cut */
	unsigned key_line;
	unsigned key_column;
	enum sfr__yaml_kind kind;
	const char *value; /* of a scalar, until the visit ends; else NULL */
	unsigned value_line;
	unsigned value_column;
};

/* Sees the entries in their order; a mapping comes before what is in it. Negative ends the reading. */
typedef int sfr__yaml_visit(const struct sfr__yaml_entry *entry, sfr_config_error *err, void *arg);

/*
 * Read one document: a mapping of scalars and of mappings of scalars. 0, -ENOMEM, what the visit
 * returned, or -SFR_ECONFIG with line, column, message and hint.
 */
int sfr__yaml_read(const char *text, size_t size, sfr__yaml_visit *visit, void *arg,
		   sfr_config_error *err);

/* Explain why the parser gave up. Lives in config/syntax.c. */
struct yaml_parser_s;
int sfr__yaml_explain(const struct yaml_parser_s *parser, const char *text, size_t size,
		      sfr_config_error *err);

/* Refuse text with a NUL byte in it. Lives in config/syntax.c. */
int sfr__yaml_refuse_binary(const char *text, size_t size, sfr_config_error *err);

#endif

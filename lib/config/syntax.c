/* SPDX-License-Identifier: MIT */
/*
 * What libyaml says about broken YAML, in words that help.
 */
#include "config/error.h"
#include "config/yaml.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <string.h>
#include <yaml.h>

/* Line and column of a byte. */
static void blame_byte(sfr_config_error *err, const char *text, size_t offset)
{
	unsigned line = 1;
	unsigned column = 1;

	for (size_t i = 0; i < offset; i++)
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else {
			column++;
		}
	sfr__config_at(err, line, column);
}

int sfr__yaml_refuse_binary(const char *text, size_t size, sfr_config_error *err)
{
	const char *nul = memchr(text, '\0', size);

	if (!nul)
		return 0;
	blame_byte(err, text, (size_t)(nul - text));
	(void)sfr__config_refuse(err, "", "there is a NUL byte here");
	sfr__config_hint(err, "a configuration is text in UTF-8");
	return -SFR_ECONFIG;
}

/* The column, from 1, of a tab in the white space that a line starts with; 0 if there is none. */
static unsigned tab_in_indentation(const char *text, size_t size, size_t line)
{
	const char *end = text + size;

	for (; line > 0 && text < end; line--) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		text = newline ? newline + 1 : end;
	}
	for (unsigned column = 1; text < end && (*text == ' ' || *text == '\t'); column++, text++)
		if (*text == '\t')
			return column;
	return 0;
}

int sfr__yaml_explain(const yaml_parser_t *parser, const char *text, size_t size,
		      sfr_config_error *err)
{
	const yaml_mark_t *mark = &parser->problem_mark;
	unsigned tab = tab_in_indentation(text, size, mark->line);

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR) {
		blame_byte(err, text,
			   parser->problem_offset < size ? parser->problem_offset : size);
		(void)sfr__config_refuse(err, "", "this is not text: %s", parser->problem);
		sfr__config_hint(err, "a configuration is text in UTF-8");
		return -SFR_ECONFIG;
	}
	if (tab > 0) {
		sfr__config_at(err, (unsigned)mark->line + 1, tab);
		(void)sfr__config_refuse(err, "", "a tab cannot indent YAML");
		sfr__config_hint(err, "use spaces");
		return -SFR_ECONFIG;
	}
	sfr__config_at(err, (unsigned)mark->line + 1, (unsigned)mark->column + 1);
	(void)sfr__config_refuse(err, "", "this is not YAML: %s",
				 parser->problem ? parser->problem : "unknown problem");
	sfr__config_hint(err, "look at the indentation, the colons and the quotes here and above");
	return -SFR_ECONFIG;
}

/* SPDX-License-Identifier: MIT */
/*
 * YAML as a list of keys and values.
 *
 * Works on libyaml's events, not on its tree: nothing is kept that a hostile file could make large,
 * and reading stops at the first thing that cannot belong to a configuration. So aliases cannot
 * multiply and nesting cannot grow. Which keys exist is the visitor's concern.
 */
#include "config/yaml.h"
#include "config/error.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <string.h>
#include <yaml.h>

struct reader {
	yaml_parser_t parser;
	const char *text;
	size_t size;
	sfr__yaml_visit *visit;
	void *arg;
	sfr_config_error *err;
};

static unsigned line_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.line + 1;
}

static unsigned column_of(const yaml_event_t *event)
{
	return (unsigned)event->start_mark.column + 1;
}

static int refuse_at(struct reader *reader, const yaml_event_t *event, const char *key,
		     const char *message, const char *hint)
{
	sfr__config_at(reader->err, line_of(event), column_of(event));
	(void)sfr__config_refuse(reader->err, key, "%s", message);
	sfr__config_hint(reader->err, "%s", hint);
	return -SFR_ECONFIG;
}

static const yaml_char_t *tag_of(const yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		return event->data.scalar.tag;
	return event->type == YAML_MAPPING_START_EVENT ? event->data.mapping_start.tag : NULL;
}

static bool has_nul(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT &&
	       memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL;
}

static int event_check(struct reader *reader, const yaml_event_t *event)
{
	if (event->type == YAML_ALIAS_EVENT)
		return refuse_at(reader, event, "", "aliases are not understood here",
				 "write the value out");
	if (tag_of(event))
		return refuse_at(reader, event, "", "tags are not understood here",
				 "write the plain value");
	if (has_nul(event))
		return refuse_at(reader, event, "", "there is a NUL byte in this text",
				 "write the plain value");
	return 0;
}

/* On success the event is to be deleted; else there is none. */
static int event_next(struct reader *reader, yaml_event_t *event)
{
	int r;

	if (!yaml_parser_parse(&reader->parser, event))
		return sfr__yaml_explain(&reader->parser, reader->text, reader->size, reader->err);
	r = event_check(reader, event);
	if (r < 0)
		yaml_event_delete(event);
	return r;
}

static int refuse_dotted(struct reader *reader, const yaml_event_t *event, const char *key)
{
	const char *shown = reader->err->key; /* empty if it does not look like one */
	size_t section = strcspn(key, ".");

	(void)refuse_at(reader, event, key, "keys of a file are nested, not joined by dots", "");
	if (shown[0])
		sfr__config_hint(reader->err, "write %.*s: {%s: ...}", (int)section, shown,
				 shown + section + 1);
	return -SFR_ECONFIG;
}

static int key_take(struct reader *reader, const char *section, const yaml_event_t *event,
		    struct sfr__yaml_entry *entry)
{
	const char *key = (const char *)event->data.scalar.value;

	if (event->type != YAML_SCALAR_EVENT)
		return refuse_at(reader, event, section, "a key is a single word", "");
	if (strchr(key, '.'))
		return refuse_dotted(reader, event, key);
	entry->key_line = line_of(event);
	entry->key_column = column_of(event);
	(void)snprintf(entry->key, sizeof(entry->key), "%s%s%s", section, *section ? "." : "", key);
	return 0;
}

static int value_take(struct reader *reader, const yaml_event_t *event,
		      struct sfr__yaml_entry *entry)
{
	entry->value_line = line_of(event);
	entry->value_column = column_of(event);
	entry->value = NULL;
	if (event->type == YAML_SCALAR_EVENT) {
		entry->kind = SFR__YAML_SCALAR;
		entry->value = (const char *)event->data.scalar.value;
	} else {
		entry->kind = event->type == YAML_MAPPING_START_EVENT ? SFR__YAML_MAPPING
								      : SFR__YAML_SEQUENCE;
	}
	return reader->visit(entry, reader->err, reader->arg);
}

static int mapping_read(struct reader *reader, const char *section);

static int value_read(struct reader *reader, const char *section, struct sfr__yaml_entry *entry)
{
	yaml_event_t event;
	int r = event_next(reader, &event);

	if (r < 0)
		return r;
	r = value_take(reader, &event, entry);
	/* The visitor refuses these with a better reason. What bounds the recursion is here. */
	if (r == 0 &&
	    (entry->kind == SFR__YAML_SEQUENCE || (entry->kind == SFR__YAML_MAPPING && *section)))
		r = refuse_at(reader, &event, entry->key, "a single value belongs here", "");
	yaml_event_delete(&event);
	if (r < 0 || entry->kind != SFR__YAML_MAPPING)
		return r;
	return mapping_read(reader, entry->key);
}

/* Keys and values up to the end of a mapping; section is empty at the top. */
static int mapping_read(struct reader *reader, const char *section)
{
	for (;;) {
		struct sfr__yaml_entry entry = {0};
		yaml_event_t event;
		bool at_end;
		int r = event_next(reader, &event);

		if (r < 0)
			return r;
		at_end = event.type == YAML_MAPPING_END_EVENT;
		if (!at_end)
			r = key_take(reader, section, &event, &entry);
		yaml_event_delete(&event);
		if (r < 0 || at_end)
			return r;

		r = value_read(reader, section, &entry);
		if (r < 0)
			return r;
	}
}

/* Skips what says nothing, and deletes the event it found. Its type and place stay readable. */
static int event_skip_to(struct reader *reader, yaml_event_t *event)
{
	do {
		int r = event_next(reader, event);
		yaml_event_t kept;

		if (r < 0)
			return r;
		kept = *event;
		kept.type = event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0
				    ? YAML_NO_EVENT
				    : event->type;
		yaml_event_delete(event);
		*event = kept;
	} while (event->type == YAML_STREAM_START_EVENT || event->type == YAML_DOCUMENT_END_EVENT);
	return 0;
}

static int top_read(struct reader *reader)
{
	yaml_event_t event;
	int r = event_skip_to(reader, &event);

	if (r == 0 && event.type == YAML_DOCUMENT_START_EVENT)
		r = event_skip_to(reader, &event);
	if (r < 0)
		return r;
	if (event.type == YAML_MAPPING_START_EVENT)
		return mapping_read(reader, "");
	if (event.type == YAML_STREAM_END_EVENT || event.type == YAML_NO_EVENT) {
		(void)refuse_at(reader, &event, "", "the file is empty",
				"start with `preset: default`");
		sfr__config_at(reader->err, 1, 1);
		return -SFR_ECONFIG;
	}
	return refuse_at(reader, &event, "", "keys and values belong here",
			 "start with `preset: default`");
}

static int document_read(struct reader *reader)
{
	yaml_event_t event;
	int r = top_read(reader);

	if (r == 0)
		r = event_skip_to(reader, &event);
	if (r == 0 && event.type != YAML_STREAM_END_EVENT)
		r = refuse_at(reader, &event, "", "a second document starts here",
			      "a file holds one: remove the line ---");
	return r;
}

int sfr__yaml_read(const char *text, size_t size, sfr__yaml_visit *visit, void *arg,
		   sfr_config_error *err)
{
	static const char byte_order_mark[] = {'\xef', '\xbb', '\xbf'};
	struct reader reader = {.visit = visit, .arg = arg, .err = err};
	int r = sfr__yaml_refuse_binary(text, size, err);

	if (r < 0)
		return r;
	/* libyaml counts the mark as a column, and then finds a directive behind it out of place. */
	if (size >= sizeof(byte_order_mark) &&
	    memcmp(text, byte_order_mark, sizeof(byte_order_mark)) == 0) {
		text += sizeof(byte_order_mark);
		size -= sizeof(byte_order_mark);
	}
	reader.text = text;
	reader.size = size;
	if (!yaml_parser_initialize(&reader.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, size);
	r = document_read(&reader);
	yaml_parser_delete(&reader.parser);
	return r;
}

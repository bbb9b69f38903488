/* SPDX-License-Identifier: MIT */
/*
 * JSON: commas, indentation and escapes, so that callers only name values.
 *
 * Any bytes may be passed as a string. What is not UTF-8 comes out as U+FFFD, so the output is
 * always valid.
 */
#include "json.h"
#include <inttypes.h>

/* The length of the UTF-8 sequence that a text starts with; 0 if it is none. */
static unsigned sequence_length(const unsigned char *text)
{
	unsigned length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;

	if (text[0] >= 0xf5 || (text[0] >= 0x80 && text[0] < 0xc2))
		return 0;
	for (unsigned i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] >= 0xa0) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] >= 0x90))
		return 0;
	return length;
}

static void string_write(FILE *out, const char *value)
{
	const unsigned char *at = (const unsigned char *)value;

	(void)fputc('"', out);
	while (*at) {
		unsigned length = sequence_length(at);

		if (length == 0)
			(void)fputs("\\ufffd", out);
		else if (*at == '"' || *at == '\\')
			(void)fprintf(out, "\\%c", *at);
		else if (*at < ' ' || *at == 0x7f)
			(void)fprintf(out, "\\u%04x", *at);
		else
			(void)fwrite(at, 1, length, out);
		at += length ? length : 1;
	}
	(void)fputc('"', out);
}

static void line_start(struct json *json)
{
	(void)fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
}

static void member_start(struct json *json, const char *name)
{
	if (json->filled)
		(void)fputc(',', json->out);
	if (json->depth > 0)
		line_start(json);
	json->filled = true;
	if (name) {
		string_write(json->out, name);
		(void)fputs(": ", json->out);
	}
}

void json_open(struct json *json, const char *name, char bracket)
{
	member_start(json, name);
	(void)fputc(bracket, json->out);
	json->depth++;
	json->filled = false;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	if (json->filled)
		line_start(json);
	(void)fputc(bracket, json->out);
	if (json->depth == 0)
		(void)fputc('\n', json->out);
	json->filled = true;
}

void json_string(struct json *json, const char *name, const char *value)
{
	if (!value) {
		json_null(json, name);
		return;
	}
	member_start(json, name);
	string_write(json->out, value);
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	member_start(json, name);
	(void)fprintf(json->out, "%" PRIu64, value);
}

void json_signed(struct json *json, const char *name, int64_t value)
{
	member_start(json, name);
	(void)fprintf(json->out, "%" PRId64, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	member_start(json, name);
	(void)fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *name)
{
	member_start(json, name);
	(void)fputs("null", json->out);
}

/* SPDX-License-Identifier: MIT */
/*
 * Configuration errors: filling them, and writing them as a compiler would.
 *
 * The reader of these errors may not be allowed to read the file, as when a privileged program is told to load
 * /etc/shadow; and anyone may have written the file. So errors name places, and quote nothing but keys and what
 * looks like a key. Then they neither reveal secrets nor forge lines in a log.
 */
#include "config/error.h"
#include "config/schema.h"
#include <safer_ring/error.h>
#include <stdarg.h>
#include <string.h>

int sfr__config_refuse(sfr_config_error *err, const char *key, const char *format, ...)
{
	va_list args;

	(void)snprintf(err->key, sizeof(err->key), "%s", sfr__config_is_word(key) ? key : "");
	va_start(args, format);
	(void)vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	err->hint[0] = '\0';
	return -SFR_ECONFIG;
}

void sfr__config_hint(sfr_config_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(err->hint, sizeof(err->hint), format, args);
	va_end(args);
}

void sfr__config_hint_keys(sfr_config_error *err)
{
	size_t count, used = 0;
	const struct sfr__config_key *keys = sfr__config_keys(&count);
	char names[sizeof(err->hint)] = "";

	for (size_t i = 0; i < count && used < sizeof(names); i++) {
		const char *name = keys[i].name;
		size_t length = sfr__config_section_length(name);

		if (i > 0 && length > 0 && strncmp(keys[i - 1].name, name, length + 1) == 0)
			continue;
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%.*s%s",
					 used ? ", " : "", (int)(length ? length : strlen(name)),
					 name, length ? ".*" : "");
	}
	sfr__config_hint(err, "there are %s; `safer-ring config reference` prints them all", names);
}

void sfr__config_at(sfr_config_error *err, unsigned line, unsigned column)
{
	err->line = line;
	err->column = column;
}

void sfr__config_plain(char *out, size_t size, const char *text)
{
	size_t i = 0;

	for (; text[i] && i + 1 < size; i++)
		out[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
	out[i] = '\0';
}

bool sfr__config_is_word(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_.");

	return text[length] == '\0' && length <= SFR__WORD_MAX;
}

int sfr_config_error_text(const sfr_config_error *err, char *out, size_t size)
{
	char place[32] = "";

	if (err->line > 0 && err->column > 0)
		(void)snprintf(place, sizeof(place), ":%u:%u", err->line, err->column);
	else if (err->line > 0)
		(void)snprintf(place, sizeof(place), ":%u", err->line);

	return snprintf(out, size, "%s%s%s%s%s%s%s%s%s", err->file, place,
			err->file[0] || place[0] ? ": " : "", err->key, err->key[0] ? ": " : "",
			err->message, err->hint[0] ? " (" : "", err->hint, err->hint[0] ? ")" : "");
}

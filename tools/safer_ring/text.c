/* SPDX-License-Identifier: MIT */
/*
 * Text for people: lines are cut at spaces, and a word that is longer than a line stays whole.
 *
 * What comes from outside is made plain first: no control character of a file reaches the terminal.
 */
#include "text.h"
#include "config/error.h"
#include "machine/machine.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* How much of a text fits into a line: up to a space if there is one, else all of a word. */
static size_t line_length(const char *text, size_t room)
{
	size_t n = room;

	if (strlen(text) <= room)
		return strlen(text);
	while (n > 0 && text[n] != ' ')
		n--;
	return n > 0 ? n : strcspn(text, " ");
}

/* The first line goes on behind what `used` columns of it hold already. */
static void words_write(FILE *out, unsigned column, unsigned used, const char *text)
{
	do {
		size_t n = line_length(text, TEXT_COLUMNS - column);

		(void)fprintf(out, "%*s%.*s\n", used < column ? (int)(column - used) : 0, "",
			      (int)n, text);
		text += n;
		text += strspn(text, " ");
		used = 0;
	} while (*text);
}

static void words_format(FILE *out, unsigned column, unsigned used, const char *format,
			 va_list args)
{
	char text[TEXT_SIZE];
	char plain[TEXT_SIZE];

	(void)vsnprintf(text, sizeof(text), format, args);
	sfr__config_plain(plain, sizeof(plain), text);
	words_write(out, column, used, plain);
}

void text_row(FILE *out, unsigned column, const char *label, const char *format, ...)
{
	va_list args;
	int used = fprintf(out, "  %s", label);

	if (used > 0 && (unsigned)used >= column) {
		(void)fputc('\n', out);
		used = 0;
	}
	va_start(args, format);
	words_format(out, column, used > 0 ? (unsigned)used : 0, format, args);
	va_end(args);
}

void text_words(FILE *out, unsigned column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	words_format(out, column, 0, format, args);
	va_end(args);
}

const char *text_amount(uint64_t bytes, char out[TEXT_AMOUNT_SIZE])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	uint64_t factor = 1;
	unsigned unit = 0;

	if (bytes == 0 || bytes == SFR__NO_LIMIT) {
		(void)snprintf(out, TEXT_AMOUNT_SIZE, "%s", bytes ? "no limit" : "unknown");
		return out;
	}
	for (; unit < 4 && bytes / factor >= 1024; unit++)
		factor *= 1024;
	if (bytes % factor * 10 / factor == 0)
		(void)snprintf(out, TEXT_AMOUNT_SIZE, "%" PRIu64 " %s", bytes / factor,
			       units[unit]);
	else
		(void)snprintf(out, TEXT_AMOUNT_SIZE, "%" PRIu64 ".%" PRIu64 " %s", bytes / factor,
			       bytes % factor * 10 / factor, units[unit]);
	return out;
}

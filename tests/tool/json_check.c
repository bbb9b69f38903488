/* SPDX-License-Identifier: MIT */
/*
 * Reads standard input, and says whether it is one JSON object and nothing else: by its exit status.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int next; /* the character that is looked at */

static void step(void)
{
	next = getchar();
}

static void space_skip(void)
{
	while (next == ' ' || next == '\n' || next == '\t' || next == '\r')
		step();
}

static bool take(int c)
{
	if (next != c)
		return false;
	step();
	return true;
}

static bool escape_read(void)
{
	if (!take('u')) {
		if (next == EOF || !strchr("\"\\/bfnrt", next))
			return false;
		step();
		return true;
	}
	for (unsigned i = 0; i < 4; i++) {
		if (!isxdigit(next))
			return false;
		step();
	}
	return true;
}

static bool string_read(void)
{
	if (!take('"'))
		return false;
	while (next != '"') {
		if (next == EOF || next < ' ')
			return false;
		if (take('\\')) {
			if (!escape_read())
				return false;
		} else {
			step();
		}
	}
	return take('"');
}

static bool digits_read(void)
{
	if (!isdigit(next))
		return false;
	while (isdigit(next))
		step();
	return true;
}

static bool number_read(void)
{
	bool zero;

	(void)take('-');
	zero = next == '0';
	if (zero)
		step();
	else if (!digits_read())
		return false;
	return !isdigit(next);
}

static bool word_read(const char *word)
{
	for (; *word; word++)
		if (!take(*word))
			return false;
	return true;
}

static bool value_read(unsigned depth);

static bool members_read(unsigned depth, int end)
{
	space_skip();
	if (take(end))
		return true;
	do {
		space_skip();
		if (end == '}') {
			if (!string_read())
				return false;
			space_skip();
			if (!take(':'))
				return false;
		}
		if (!value_read(depth + 1))
			return false;
		space_skip();
	} while (take(','));
	return take(end);
}

static bool value_read(unsigned depth)
{
	space_skip();
	switch (depth < 64 ? next : EOF) {
	case '{':
		step();
		return members_read(depth, '}');
	case '[':
		step();
		return members_read(depth, ']');
	case '"':
		return string_read();
	case 't':
		return word_read("true");
	case 'f':
		return word_read("false");
	case 'n':
		return word_read("null");
	default:
		return number_read();
	}
}

int main(void)
{
	bool good;

	step();
	good = next == '{' && value_read(0);
	space_skip();
	return good && next == EOF ? 0 : 1;
}

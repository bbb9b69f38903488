/* SPDX-License-Identifier: MIT */
/*
 * Text for people: rows of a label and words beside it, wrapped where a terminal ends.
 */
#ifndef SFR_TOOLS_SAFER_RING_TEXT_H
#define SFR_TOOLS_SAFER_RING_TEXT_H

#include <stdint.h>
#include <stdio.h>

enum {
	TEXT_COLUMNS = 80,
	TEXT_SIZE = 1536, /* of one row */
	TEXT_AMOUNT_SIZE = 32,
};

/*
 * Write a label after two spaces, and words from a column on, in as many lines as they take. What may
 * come from anyone is shown as printable ASCII only.
 */
__attribute__((format(printf, 4, 5))) void text_row(FILE *out, unsigned column, const char *label,
						    const char *format, ...);

/* Write words from a column on. */
__attribute__((format(printf, 3, 4))) void text_words(FILE *out, unsigned column,
						      const char *format, ...);

/* "8 MiB", "23.5 GiB", "no limit"; "unknown" for nothing. Returns out. */
const char *text_amount(uint64_t bytes, char out[TEXT_AMOUNT_SIZE]);

#endif

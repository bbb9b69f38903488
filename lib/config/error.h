/* SPDX-License-Identifier: MIT */
/*
 * How the parts of the configuration say what they refuse.
 */
#ifndef SFR_LIB_CONFIG_ERROR_H
#define SFR_LIB_CONFIG_ERROR_H

#include <safer_ring/config.h>
#include <stdbool.h>

#if defined(__GNUC__)
#define SFR__PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define SFR__PRINTF(text, first)
#endif

/* No key is longer, with its section. */
enum { SFR__WORD_MAX = 40 };

/*
 * Set key and message, and drop an older hint. Returns -SFR_ECONFIG, for `return refuse(...)`. A key that does
 * not look like one is left out, and neither message nor hint may have anything else that the file says.
 */
int sfr__config_refuse(sfr_config_error *err, const char *key, const char *format, ...)
	SFR__PRINTF(3, 4);

void sfr__config_hint(sfr_config_error *err, const char *format, ...) SFR__PRINTF(2, 3);

/* The hint for a name that is near to no key: which keys there are, and the command that prints them all. It names no
 * file, as a program may run where none of ours is installed. */
void sfr__config_hint_keys(sfr_config_error *err);

void sfr__config_at(sfr_config_error *err, unsigned line, unsigned column);

/* Copy, cut to fit, what may come from anyone: all that is not printable ASCII becomes '?'. */
void sfr__config_plain(char *out, size_t size, const char *text);

/* Whether it could be a key, known or not: small letters, _ and ., and not many of them. */
bool sfr__config_is_word(const char *text);

#endif

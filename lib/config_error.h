/*
 * How the parts of the configuration say what they refuse.
 */
#ifndef SFR_LIB_CONFIG_ERROR_H
#define SFR_LIB_CONFIG_ERROR_H

#include <safer_ring/config.h>

#if defined(__GNUC__)
#define SFR__PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define SFR__PRINTF(text, first)
#endif

/* Room for a quoted text: enough to recognise it, not enough to drown the sentence around it. */
enum { SFR__QUOTE_SIZE = 48 };

/* Set key and message, and drop an older hint. Returns -SFR_ECONFIG, for `return refuse(...)`. */
int sfr__config_refuse(sfr_config_error *err, const char *key, const char *format, ...)
	SFR__PRINTF(3, 4);

void sfr__config_hint(sfr_config_error *err, const char *format, ...) SFR__PRINTF(2, 3);

void sfr__config_at(sfr_config_error *err, unsigned line, unsigned column);

/* Copy, cut to fit, what may come from anyone: all that is not printable ASCII becomes '?'. */
void sfr__config_plain(char *out, size_t size, const char *text);

/* The same between quotes, with dots where it was cut. Returns out. */
const char *sfr__config_quote(char out[SFR__QUOTE_SIZE], const char *text);

#endif

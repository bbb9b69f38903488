/* SPDX-License-Identifier: MIT */
/*
 * Values as files write them: `64KiB`, `50us`, `on`, `256`, `auto`.
 */
#ifndef SFR_LIB_CONFIG_VALUE_H
#define SFR_LIB_CONFIG_VALUE_H

#include "config/schema.h"

/* Room for any value, printed. */
enum { SFR__VALUE_SIZE = 32 };

/* Read a value within the limits of its key. 0, or -SFR_ECONFIG with key, message and hint. */
int sfr__value_parse(const struct sfr__config_key *key, const char *text, uint64_t *out,
		     sfr_config_error *err);

/* Print a value so that reading it gives the same again. Returns out. */
const char *sfr__value_print(const struct sfr__config_key *key, uint64_t value,
			     char out[SFR__VALUE_SIZE]);

#endif

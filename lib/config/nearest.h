/* SPDX-License-Identifier: MIT */
/*
 * Guesses what was meant by a name that does not exist.
 */
#ifndef SFR_LIB_CONFIG_NEAREST_H
#define SFR_LIB_CONFIG_NEAREST_H

#include <stddef.h>

/* Room for any name that is guessed, its end included. */
enum { SFR__NEAREST_SIZE = 64 };

/* Each writes the guess to out and returns it, or NULL if nothing is near. */
const char *sfr__nearest_key(char out[SFR__NEAREST_SIZE], const char *name);
const char *sfr__nearest_section(char out[SFR__NEAREST_SIZE], const char *name);
const char *sfr__nearest_word(char out[SFR__NEAREST_SIZE], const char *const *words,
			      const char *text);

#endif

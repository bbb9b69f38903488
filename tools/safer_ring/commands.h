/* SPDX-License-Identifier: MIT */
/*
 * Commands: the one table of what the program can do, which its helps and its guesses are made of.
 */
#ifndef SFR_TOOLS_SAFER_RING_COMMANDS_H
#define SFR_TOOLS_SAFER_RING_COMMANDS_H

#include "config/nearest.h"
#include <stdbool.h>

struct command {
	/* as written after safer-ring: a word, or two, of which the first is a group */
	const char *name;
	const char *operands; /* as written after that */
	unsigned operands_min, operands_max;
	bool json;          /* it has --json */
	const char *brief;  /* for the list of commands; docs/safer-ring.1 has the same list */
	const char *help;   /* what it does, in full */
	const char *status; /* how it exits, but for what is so of all */
	/* NULL ends the operands; no function: see line_run(). */
	int (*run)(const char *const *operands, bool json);
	/* Instead, with --selftest; NULL: it has no such option. */
	int (*selftest)(bool json);
};

/* The command that these words begin with, and how many of them are its name; NULL if there is none. */
const struct command *command_find(const char *const *words, unsigned *used_out);

bool is_group(const char *word);

/* What may have been meant by a word: of a group, or with "" of all first words. NULL if nothing is near. */
const char *command_nearest(char out[SFR__NEAREST_SIZE], const char *group, const char *word);

/* "check, show or path": out has room for the words of any group, and is returned. */
enum { COMMAND_WORDS_SIZE = 128 };
const char *command_words(char out[COMMAND_WORDS_SIZE], const char *group);

/* Print what there is to know: of a command; of a group, or with "" of all. */
void command_help(const struct command *command);
void group_help(const char *group);

#endif

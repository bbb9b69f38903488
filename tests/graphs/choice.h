/* SPDX-License-Identifier: MIT */
/*
 * Choices, all from one seed, and the end of a process that finds something broken.
 */
#ifndef SFR_TESTS_GRAPHS_CHOICE_H
#define SFR_TESTS_GRAPHS_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

/* Ends the process, and says all that is known, if a rule is broken. */
#define must(holds, ...)                                                      \
	do {                                                                  \
		if (!(holds))                                                 \
			graphs_fail(__FILE__, __LINE__, #holds, __VA_ARGS__); \
	} while (0)

__attribute__((format(printf, 4, 5))) _Noreturn void
graphs_fail(const char *file, int line, const char *what, const char *format, ...);

/* The same for the same seed and step, whatever happened before. */
void choices_begin(uint64_t seed, uint64_t step);
uint32_t choice(uint32_t below);

/* True in so many of a hundred cases. */
static inline bool chance(uint32_t percent)
{
	return choice(100) < percent;
}

#endif

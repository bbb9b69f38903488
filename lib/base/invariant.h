/* SPDX-License-Identifier: MIT */
/*
 * Three kinds of trouble, three answers: operating errors are returned; here are the other two.
 *
 * sfr__invariant: we are wrong. It stops the program, in release builds too, because going on would
 * hand somebody's memory to somebody else.
 */
#ifndef SFR_LIB_BASE_INVARIANT_H
#define SFR_LIB_BASE_INVARIANT_H

#define sfr__likely(x) __builtin_expect(!!(x), 1)
#define sfr__unlikely(x) __builtin_expect(!!(x), 0)

#define sfr__invariant(holds)                                              \
	do {                                                               \
		if (sfr__unlikely(!(holds)))                               \
			sfr__invariant_broken(#holds, __FILE__, __LINE__); \
	} while (0)

_Noreturn void sfr__invariant_broken(const char *what, const char *file, int line);

#endif

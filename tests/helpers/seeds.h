/* SPDX-License-Identifier: MIT */
/*
 * Seeds: programs that do random things, seed after seed, until something is found broken.
 *
 * Each seed runs in a process of its own. It chooses the world, and all that choice() says; what the kernel and other
 * threads do meanwhile it does not choose. So a seed that failed fails again as soon as their timing is as it was,
 * which --repeat tries. Whatever is broken ends the process of the seed with words on how to see it again.
 */
#ifndef SFR_TESTS_SEEDS_H
#define SFR_TESTS_SEEDS_H

#include <stdbool.h>
#include <stdint.h>

struct seeds {
	const char *program, *about; /* what --help says */
	int ops, ops_max; /* --ops: the default, and the most; 0: there is no such option */
	void (*run)(uint64_t seed, int world, int ops);
	void (*explain)(void); /* on stderr, when a seed fails: what is known; NULL: nothing */
	void (*sum_up)(void);  /* after all seeds, in the process that started them */
};

/* Run the seeds that the command line asks for. Returns what main() is to return. */
int seeds_run(const struct seeds *seeds, int argc, char **argv);

/* End the process of a seed if a rule is broken. */
#define must(holds, ...)                                                    \
	do {                                                                \
		if (!(holds))                                               \
			seed_fail(__FILE__, __LINE__, #holds, __VA_ARGS__); \
	} while (0)

__attribute__((format(printf, 4, 5))) _Noreturn void
seed_fail(const char *file, int line, const char *what, const char *format, ...);

/* Choices: the same for the same seed and step, whatever happened before. */
void choices_begin(uint64_t seed, uint64_t step);
uint32_t choice(uint32_t below);

/* True in so many of a hundred cases. */
static inline bool chance(uint32_t percent)
{
	return choice(100) < percent;
}

#endif

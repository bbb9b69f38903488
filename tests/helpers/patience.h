/* SPDX-License-Identifier: MIT */
/*
 * How long tests wait for what is to come.
 *
 * What is right comes by itself, however long the machine takes for it: it may be busy with something else, run
 * under Valgrind, or be emulated. So these are for what never comes, and are minutes. No test passes because
 * something was quick, or was slow.
 */
#ifndef SFR_TESTS_PATIENCE_H
#define SFR_TESTS_PATIENCE_H

#define PATIENCE_S 300 /* for one thing */
#define PATIENCE_MS (PATIENCE_S * 1000)
#define PATIENCE_NS (PATIENCE_S * 1000000000LL)
#define WATCHDOG_S \
	(3 * PATIENCE_S) /* for a whole test, a seed, a child: says less of what was wrong */

#endif

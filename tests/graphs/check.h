/* SPDX-License-Identifier: MIT */
/*
 * Whether what came of a trial is what the model says: results, buffers and their contents, the order of
 * what was written to the log.
 */
#ifndef SFR_TESTS_GRAPHS_CHECK_H
#define SFR_TESTS_GRAPHS_CHECK_H

#include "members.h"

/* Note who had ended, for sure, before each member started: what is below needs it. */
void order_find(struct trial *trial);

/* Each result follows from those before it, or from what was done in the middle. */
void results_check(const struct trial *trial, int cancelled_fd);

/* So do the number of failures and the first of them. */
void error_check(const struct trial *trial);

/* Take buffers, of all members or of some, and look at them. */
void buffers_take(struct trial *trial);

/* Who is in the log ran, once, and after those which had to be before. */
void log_check(const struct trial *trial);

#endif

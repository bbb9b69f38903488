/* SPDX-License-Identifier: MIT */
/*
 * Counts of what was seen, in all processes that are forked after counts_begin().
 */
#ifndef SFR_TESTS_GRAPHS_COUNTS_H
#define SFR_TESTS_GRAPHS_COUNTS_H

#include "members.h"

void counts_begin(void);
void count_plan(const sfr_batch_plan_info *plan);
void count_ending(const struct trial *trial, int n);
void counts_print(void);

#endif

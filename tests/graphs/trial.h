/* SPDX-License-Identifier: MIT */
/*
 * A trial: a random graph as a batch, what is done to it in the middle, and whether all came as the model
 * says.
 */
#ifndef SFR_TESTS_GRAPHS_TRIAL_H
#define SFR_TESTS_GRAPHS_TRIAL_H

#include "members.h"

/* Choose a graph of at most `count_max` members for trial->disturbance, and make the batch of it. */
void trial_build(struct trial *trial, int count_max);

/* Hand it over; with trial->disturbance NOT_SUBMITTED or REFUSED it is not. */
void trial_submit(struct trial *trial, bool with_callback);

/* After a turn: what has ended stays as it is. */
void trial_watch(struct trial *trial);

/* Members that have not ended; those of which nobody asks for the result count as `doubtful`. */
int trial_pending(const struct trial *trial, int *doubtful);

bool trial_is_done(const struct trial *trial);

/* Look at all that came of it, and empty the batch. */
void trial_end(struct trial *trial, int cancelled_fd);

/* Print it. */
void trial_print(const struct trial *trial);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A kernel that takes fewer entries than there are, as it does when it is short of memory, where a test says so. The
 * suite wraps io_uring_enter2.
 */
#ifndef SFR_TESTS_CUT_H
#define SFR_TESTS_CUT_H

/* Of the next two enters that submit, the first takes at most so many entries, and so does the second. */
void cut_at(unsigned first, unsigned second);

extern unsigned cut_sizes[2]; /* what cut_at() was told last; at first all 0 */

#endif

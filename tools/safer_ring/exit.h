/* SPDX-License-Identifier: MIT */
/*
 * How the program safer-ring ends.
 */
#ifndef SFR_TOOLS_SAFER_RING_EXIT_H
#define SFR_TOOLS_SAFER_RING_EXIT_H

enum {
	EXIT_FINE = 0,    /* io_uring works and is used; the file is valid; it was shown */
	EXIT_NO = 1,      /* it is not; it is not */
	EXIT_USAGE = 2,   /* the command line makes no sense */
	EXIT_TROUBLE = 3, /* the program could not find out, or not write */
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Step: how far a request has come that system calls are made for, and what they share.
 */
#ifndef SFR_LIB_SQE_STEP_H
#define SFR_LIB_SQE_STEP_H

#include "machine/kernel.h"
#include "sqe/counted.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

/* How far a request has come; 0 is the beginning. */
enum {
	SFR__STEP_CONNECTING = 1, /* the connection is being made: its socket will be writable */
	SFR__STEP_BLOCKING = 2,   /* of a file: the rest is for a worker */
	SFR__STEP_LATER = 3,      /* nothing to wait for: it is tried again after a while */
	SFR__STEP_FILLING = 4,    /* of a splice: there will be bytes in what it reads from */
	SFR__STEP_EMPTYING = 5,   /* of a splice: there will be room in what it writes to */
};

static inline int sfr__result_of(ssize_t r)
{
	return r < 0 ? -errno : (int)r;
}

static inline bool sfr__ready_for(int fd, short events)
{
	struct pollfd pollfd = {.fd = fd, .events = events};

	return poll(&pollfd, 1, 0) > 0;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The two sides of a splice: what its descriptors are, as far as that decides what it waits for.
 */
#ifndef SFR_LIB_SQE_SPLICE_SIDE_H
#define SFR_LIB_SQE_SPLICE_SIDE_H

#include "sqe/fd_kind.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sfr__side {
	const struct sfr__system *system; /* whose descriptor it is */
	int fd;
	uint64_t off;  /* SFR__POSITION: none */
	unsigned kind; /* SFR__FD_PIPE ... */
	bool is_append;
	int access; /* O_RDONLY, O_WRONLY or O_RDWR; -1: there is no such descriptor */
	dev_t device;
	ino_t number; /* of what it refers to, there */
};

struct sfr__side sfr__side_of(const struct sfr__system *system, int fd, uint64_t off);

/* A splice between these ends with an error at once. Which one is left to the system. */
bool sfr__sides_are_wrong(const struct sfr__side *in, const struct sfr__side *out);

/* Whether a splice may wait for it: it is a socket, a terminal or the like. True also of a side of zeros. */
bool sfr__side_may_wait(const struct sfr__side *side);

static inline bool sfr__kind_may_wait(unsigned fd_kind)
{
	return !(fd_kind & (SFR__FD_PIPE | SFR__FD_FILE | SFR__FD_NONBLOCKING));
}

#endif

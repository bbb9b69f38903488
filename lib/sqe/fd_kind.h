/* SPDX-License-Identifier: MIT */
/*
 * What a descriptor refers to, as far as that decides how operations wait for it.
 */
#ifndef SFR_LIB_SQE_FD_KIND_H
#define SFR_LIB_SQE_FD_KIND_H

#include "sqe/system.h"
#include <fcntl.h>
#include <stdbool.h>

enum {
	SFR__FD_PIPE = 1,
	SFR__FD_SOCKET = 2,
	SFR__FD_FILE = 4,       /* it has its bytes, and nobody waits for them; or a directory */
	SFR__FD_NONBLOCKING = 8 /* O_NONBLOCK */
};

/* 0: none of these, or not known. */
unsigned sfr__fd_kind(const struct sfr__system *system, int fd);

/* Whether operations give up instead of waiting: it is O_NONBLOCK, or no descriptor. */
bool sfr__fd_is_nonblocking(const struct sfr__system *system, int fd);

/* An option of SOL_SOCKET that is an int: SO_TYPE, SO_DOMAIN ...; else -errno: -ENOTSOCK, -EBADF. */
int sfr__socket_option(const struct sfr__system *system, int fd, int name);

/* The same as sfr__fd_kind(), without O_NONBLOCK, of what fstat() says. */
static inline unsigned sfr__stat_kind(const struct stat *stat)
{
	switch (stat->st_mode & S_IFMT) {
	case S_IFIFO:
		return SFR__FD_PIPE;
	case S_IFSOCK:
		return SFR__FD_SOCKET;
	case S_IFREG:
	case S_IFBLK:
	case S_IFDIR:
		return SFR__FD_FILE;
	default:
		return 0;
	}
}

static inline unsigned sfr__flags_kind(int flags)
{
	return flags & O_NONBLOCK ? SFR__FD_NONBLOCKING : 0;
}

#endif

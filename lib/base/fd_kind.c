/* SPDX-License-Identifier: MIT */
/*
 * What a descriptor refers to, by two system calls and without a memory of them: descriptors are
 * closed and their numbers used again, so the answer is good for the operation that asked.
 */
#include "base/fd_kind.h"
#include <fcntl.h>

unsigned sfr__fd_kind(int fd)
{
	struct stat stat;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &stat) < 0)
		return 0;
	return sfr__stat_kind(&stat) | (flags & O_NONBLOCK ? SFR__FD_NONBLOCKING : 0);
}

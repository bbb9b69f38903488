/* SPDX-License-Identifier: MIT */
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

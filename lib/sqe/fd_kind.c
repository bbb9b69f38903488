/* SPDX-License-Identifier: MIT */
/*
 * What is behind a descriptor, by fstat and fcntl. A descriptor that is not open is of no kind, and does not wait.
 */
#include "sqe/fd_kind.h"

unsigned sfr__fd_kind(const struct sfr__system *system, int fd)
{
	struct stat stat;
	int flags = system->fd_flags(system, fd);

	if (flags < 0 || system->fd_stat(system, fd, &stat) < 0)
		return 0;
	return sfr__stat_kind(&stat) | sfr__flags_kind(flags);
}

bool sfr__fd_is_nonblocking(const struct sfr__system *system, int fd)
{
	int flags = system->fd_flags(system, fd);

	return flags < 0 || sfr__flags_kind(flags);
}

int sfr__socket_option(const struct sfr__system *system, int fd, int name)
{
	int value = 0;
	socklen_t size = sizeof(value);
	int r = system->option_get(system, fd, SOL_SOCKET, name, &value, &size);

	return r < 0 ? r : value;
}

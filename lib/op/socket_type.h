/* SPDX-License-Identifier: MIT */
/*
 * Socket type: asked of the system, where there is somebody to ask about.
 */
#ifndef SFR_LIB_OP_SOCKET_TYPE_H
#define SFR_LIB_OP_SOCKET_TYPE_H

#include <errno.h>
#include <sys/socket.h>

/* SOCK_STREAM or the like; -errno, as -ENOTSOCK; -EBADF for the name of a registered file as well. */
static inline int sfr__socket_type(int fd)
{
	int type;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ? -errno : type;
}

#endif

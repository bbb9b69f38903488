/* SPDX-License-Identifier: MIT */
/*
 * System: what the library asks the system for besides operations.
 *
 * Each engine says whom to ask: the system itself, or a world of its own, with descriptors and a clock of that
 * world. Nothing above the engines makes such a call by itself; tests/order looks.
 */
#ifndef SFR_LIB_SQE_SYSTEM_H
#define SFR_LIB_SQE_SYSTEM_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Whatever can fail answers -errno. A world of its own keeps what it needs behind. */
struct sfr__system {
	/* CLOCK_MONOTONIC, read now. */
	uint64_t (*clock_ns)(const struct sfr__system *system);
	/* Sleep for so long, or less. */
	void (*sleep_ns)(const struct sfr__system *system, uint64_t ns);

	int (*socket_new)(const struct sfr__system *system, int domain, int type, int protocol);
	int (*socket_bind)(const struct sfr__system *system, int fd, const struct sockaddr *address,
			   socklen_t size);
	int (*socket_listen)(const struct sfr__system *system, int fd, int backlog);
	int (*socket_connect)(const struct sfr__system *system, int fd,
			      const struct sockaddr *address, socklen_t size);
	int (*socket_shutdown)(const struct sfr__system *system, int fd, int how);
	int (*socket_own_name)(const struct sfr__system *system, int fd, struct sockaddr *address,
			       socklen_t *size);
	int (*socket_peer_name)(const struct sfr__system *system, int fd, struct sockaddr *address,
				socklen_t *size);
	int (*option_get)(const struct sfr__system *system, int fd, int level, int name,
			  void *value, socklen_t *size);
	int (*option_set)(const struct sfr__system *system, int fd, int level, int name,
			  const void *value, socklen_t size);

	/* How many bytes can be received now. */
	int (*fd_unread)(const struct sfr__system *system, int fd);
	/* Which of these events there are now. */
	int (*fd_poll)(const struct sfr__system *system, int fd, short events);
	/* O_NONBLOCK, O_APPEND ... */
	int (*fd_flags)(const struct sfr__system *system, int fd);
	int (*fd_stat)(const struct sfr__system *system, int fd, struct stat *out);
	int64_t (*fd_seek)(const struct sfr__system *system, int fd, int64_t off, int whence);
	/* Another descriptor of the same file, with O_CLOEXEC. */
	int (*fd_copy)(const struct sfr__system *system, int fd);
	/* It was somebody else's: from now on it is O_CLOEXEC, and has these flags of F_SETFL besides its own. */
	int (*fd_take)(const struct sfr__system *system, int fd, int flags);
	int (*fd_close)(const struct sfr__system *system, int fd);
	/* Send bytes of a file to a socket: how many. It may take long, and raise SIGPIPE: for a thread that blocks that. */
	int64_t (*file_send)(const struct sfr__system *system, int out, int fd, uint64_t off,
			     size_t size);

	/* What has this name, also if it is a symbolic link. */
	int (*path_stat)(const struct sfr__system *system, const char *path, struct stat *out);
	int (*path_mode)(const struct sfr__system *system, const char *path, mode_t mode);
	/* Remove a name, not of a directory. */
	int (*path_unlink)(const struct sfr__system *system, int dirfd, const char *path);
};

/* The system that this process runs on. */
extern const struct sfr__system sfr__plain_system;

#endif

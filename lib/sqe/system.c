/* SPDX-License-Identifier: MIT */
/*
 * The plain system calls, each counted by the thread that makes it.
 */
#include "sqe/system.h"
#include "base/clock.h"
#include "sqe/counted.h"
#include "sqe/step.h"

static uint64_t clock_ns(const struct sfr__system *system)
{
	(void)system;
	return sfr__clock_ns();
}

static void sleep_ns(const struct sfr__system *system, uint64_t ns)
{
	const struct timespec time = {.tv_sec = (time_t)(ns / 1000000000U),
				      .tv_nsec = (long)(ns % 1000000000U)};

	(void)system;
	(void)nanosleep(&time, NULL); /* a signal ends it early */
}

static int socket_new(const struct sfr__system *system, int domain, int type, int protocol)
{
	(void)system;
	return sfr__result_of(socket(domain, type, protocol));
}

static int socket_bind(const struct sfr__system *system, int fd, const struct sockaddr *address,
		       socklen_t size)
{
	(void)system;
	return sfr__result_of(bind(fd, address, size));
}

static int socket_listen(const struct sfr__system *system, int fd, int backlog)
{
	(void)system;
	return sfr__result_of(listen(fd, backlog));
}

static int socket_connect(const struct sfr__system *system, int fd, const struct sockaddr *address,
			  socklen_t size)
{
	(void)system;
	return sfr__result_of(connect(fd, address, size));
}

static int socket_shutdown(const struct sfr__system *system, int fd, int how)
{
	(void)system;
	return sfr__result_of(shutdown(fd, how));
}

static int socket_own_name(const struct sfr__system *system, int fd, struct sockaddr *address,
			   socklen_t *size)
{
	(void)system;
	return sfr__result_of(getsockname(fd, address, size));
}

static int socket_peer_name(const struct sfr__system *system, int fd, struct sockaddr *address,
			    socklen_t *size)
{
	(void)system;
	return sfr__result_of(getpeername(fd, address, size));
}

static int option_get(const struct sfr__system *system, int fd, int level, int name, void *value,
		      socklen_t *size)
{
	(void)system;
	return sfr__result_of(getsockopt(fd, level, name, value, size));
}

static int option_set(const struct sfr__system *system, int fd, int level, int name,
		      const void *value, socklen_t size)
{
	(void)system;
	return sfr__result_of(setsockopt(fd, level, name, value, size));
}

static int fd_unread(const struct sfr__system *system, int fd)
{
	int count = 0;

	(void)system;
	return ioctl(fd, FIONREAD, &count) < 0 ? -errno : count;
}

static int fd_poll(const struct sfr__system *system, int fd, short events)
{
	struct pollfd pollfd = {.fd = fd, .events = events};

	(void)system;
	return poll(&pollfd, 1, 0) < 0 ? -errno : pollfd.revents;
}

static int fd_flags(const struct sfr__system *system, int fd)
{
	(void)system;
	return sfr__result_of(fcntl(fd, F_GETFL));
}

static int fd_stat(const struct sfr__system *system, int fd, struct stat *out)
{
	(void)system;
	return sfr__result_of(fstat(fd, out));
}

static int64_t fd_seek(const struct sfr__system *system, int fd, int64_t off, int whence)
{
	int64_t position = lseek(fd, (off_t)off, whence);

	(void)system;
	return position < 0 ? -errno : position;
}

static int fd_copy(const struct sfr__system *system, int fd)
{
	(void)system;
	return sfr__result_of(fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static int fd_take(const struct sfr__system *system, int fd, int flags)
{
	int now = fcntl(fd, F_GETFL);

	(void)system;
	if (now < 0 || ((now | flags) != now && fcntl(fd, F_SETFL, now | flags) < 0))
		return -errno;
	return sfr__result_of(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

static int64_t file_send(const struct sfr__system *system, int out, int fd, uint64_t off,
			 size_t size)
{
	off_t at = (off_t)off;
	ssize_t sent = sendfile(out, fd, &at, size);

	(void)system;
	return sent < 0 ? -errno : sent;
}

static int fd_close(const struct sfr__system *system, int fd)
{
	(void)system;
	return sfr__result_of(close(fd));
}

static int path_stat(const struct sfr__system *system, const char *path, struct stat *out)
{
	(void)system;
	return sfr__result_of(fstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW));
}

static int path_mode(const struct sfr__system *system, const char *path, mode_t mode)
{
	(void)system;
	return sfr__result_of(fchmodat(AT_FDCWD, path, mode, 0));
}

static int path_unlink(const struct sfr__system *system, int dirfd, const char *path)
{
	(void)system;
	return sfr__result_of(unlinkat(dirfd, path, 0));
}

const struct sfr__system sfr__plain_system = {
	.clock_ns = clock_ns,
	.sleep_ns = sleep_ns,
	.socket_new = socket_new,
	.socket_bind = socket_bind,
	.socket_listen = socket_listen,
	.socket_connect = socket_connect,
	.socket_shutdown = socket_shutdown,
	.socket_own_name = socket_own_name,
	.socket_peer_name = socket_peer_name,
	.option_get = option_get,
	.option_set = option_set,
	.fd_unread = fd_unread,
	.fd_poll = fd_poll,
	.fd_flags = fd_flags,
	.fd_stat = fd_stat,
	.fd_seek = fd_seek,
	.fd_copy = fd_copy,
	.fd_take = fd_take,
	.fd_close = fd_close,
	.file_send = file_send,
	.path_stat = path_stat,
	.path_mode = path_mode,
	.path_unlink = path_unlink,
};

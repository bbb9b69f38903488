/* SPDX-License-Identifier: MIT */
/*
 * A whole file in memory.
 *
 * The name may be of anything. What is not a regular file is refused, and never waited for; it is not even opened,
 * as opening a device may already do something to it. The size is not asked for but found by reading, so
 * that files that grow, and those of /proc, are bounded too.
 */
#include "config/file.h"
#include "config/error.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where nothing is inherited anyway, and where nothing makes an open wait. */
#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif
#ifndef O_NONBLOCK
#define O_NONBLOCK 0
#define O_NOCTTY 0
#endif
#ifndef S_ISSOCK
#define S_ISSOCK(mode) 0
#endif

static int refuse_unreadable(int error, sfr_config_error *err)
{
	const char *why = "the file cannot be read";

	if (error == ENOENT)
		why = "there is no such file";
	else if (error == EACCES)
		why = "the file may not be read by this user";
	else if (error == EISDIR)
		why = "this is a directory, not a file";
	(void)sfr__config_refuse(err, "", "%s", why);
	return -error;
}

static int refuse_large(sfr_config_error *err)
{
	(void)sfr__config_refuse(err, "", "the file is larger than 1 MiB");
	sfr__config_hint(err, "is this a configuration?");
	return -SFR_ECONFIG;
}

static int kind_check(const struct stat *status, sfr_config_error *err)
{
	if (S_ISREG(status->st_mode))
		return 0;
	if (S_ISDIR(status->st_mode))
		return refuse_unreadable(EISDIR, err);
	(void)sfr__config_refuse(err, "", "this is a %s, not a file",
				 S_ISFIFO(status->st_mode)   ? "pipe"
				 : S_ISSOCK(status->st_mode) ? "socket"
							     : "device");
	sfr__config_hint(err, "copy the configuration into a file");
	return -SFR_ECONFIG;
}

/* A descriptor, or -errno. An open with O_NONBLOCK fails with EAGAIN only if another process holds a lease on the
 * file; then it is opened without that flag, and waits until the holder lets go. */
static int file_open(const char *path)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY;
	int fd = open(path, flags | O_NONBLOCK);

	if (fd < 0 && errno == EWOULDBLOCK)
		fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

/* Up to size bytes: fewer at the end of the file, or -errno. */
static ssize_t read_all(int fd, char *out, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, out + used, size - used);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			used += (size_t)n;
	}
	return (ssize_t)used;
}

int sfr__config_fd_read(int fd, char **text_out, size_t *size_out, sfr_config_error *err)
{
	char *text = malloc(SFR__CONFIG_FILE_MAX + 1);
	ssize_t n = text ? read_all(fd, text, SFR__CONFIG_FILE_MAX + 1) : -ENOMEM;

	if (n >= 0 && n <= SFR__CONFIG_FILE_MAX) {
		*text_out = text;
		*size_out = (size_t)n;
		return 0;
	}
	free(text);
	if (n == -ENOMEM)
		return -ENOMEM;
	return n < 0 ? refuse_unreadable((int)-n, err) : refuse_large(err);
}

int sfr__config_file_read(const char *path, char **text_out, size_t *size_out,
			  sfr_config_error *err)
{
	struct stat status;
	int fd, r;

	if (stat(path, &status) < 0)
		return refuse_unreadable(errno, err);
	r = kind_check(&status, err);
	if (r < 0)
		return r;
	fd = file_open(path);
	if (fd < 0)
		return refuse_unreadable(-fd, err);
	if (fstat(fd, &status) < 0) /* what is there by now */
		r = refuse_unreadable(errno, err);
	else
		r = kind_check(&status, err);
	if (r == 0)
		r = sfr__config_fd_read(fd, text_out, size_out, err);
	(void)close(fd); /* only read from: nothing can be lost */
	return r;
}

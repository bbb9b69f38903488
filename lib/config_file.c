/*
 * A whole file in memory.
 *
 * The size is not asked for but found by reading, so that pipes and growing files are bounded too.
 */
#include "config_file.h"
#include "config_error.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef O_CLOEXEC
#define O_CLOEXEC 0 /* where nothing is inherited anyway */
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

int sfr__config_file_read(const char *path, char **text_out, size_t *size_out,
			  sfr_config_error *err)
{
	char *text;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return refuse_unreadable(errno, err);
	text = malloc(SFR__CONFIG_FILE_MAX + 1);
	n = text ? read_all(fd, text, SFR__CONFIG_FILE_MAX + 1) : -ENOMEM;
	(void)close(fd); /* only read from: nothing can be lost */

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

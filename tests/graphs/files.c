/* SPDX-License-Identifier: MIT */
#include "files.h"
#include "seeds.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

unsigned char source_byte(uint64_t at)
{
	return (unsigned char)(1 + (at * 7 + at / 251) % 255);
}

static int memory_or_disk(const struct files *files, const char *path)
{
	int fd = files->real ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
			     : memfd_create("graphs", MFD_CLOEXEC);

	must(fd >= 0, "a file: %s", strerror(errno));
	return fd;
}

/* A file, and by which path it can be opened. */
static int file_open(struct files *files, const char *name, char *path, size_t size)
{
	int fd;

	snprintf(path, size, "%s/%s", files->dir, name);
	fd = memory_or_disk(files, path);
	if (!files->real)
		snprintf(path, size, "/proc/self/fd/%d", fd);
	return fd;
}

void files_open(struct files *files, sfr_loop *loop)
{
	unsigned char bytes[SOURCE_SIZE];
	char path[64];
	int i;

	files->loop = loop;
	snprintf(files->dir, sizeof(files->dir), "/tmp/safer-ring-graphs-XXXXXX");
	must(mkdtemp(files->dir), "a directory");
	files->source = file_open(files, "source", files->source_path, sizeof(files->source_path));
	files->out = file_open(files, "out", files->out_path, sizeof(files->out_path));
	files->edge = file_open(files, "edge", path, sizeof(path));
	files->readonly = open(files->out_path, O_RDONLY | O_CLOEXEC);
	files->writeonly = open(files->out_path, O_WRONLY | O_CLOEXEC);
	for (i = 0; i < SOURCE_SIZE; i++)
		bytes[i] = source_byte((uint64_t)i);
	must(ftruncate(files->out, OUT_SIZE) == 0, "a file to write to");
	must(write(files->source, bytes, SOURCE_SIZE) == SOURCE_SIZE, "bytes to read");
	must(pipe2(files->ready, O_CLOEXEC) == 0 && write(files->ready[1], "!", 1) == 1, "a pipe");
	for (i = 0; i < LANES; i++) {
		char name[8];

		snprintf(name, sizeof(name), "log%d", i);
		files->logs[i] = file_open(files, name, path, sizeof(path));
		must(fcntl(files->logs[i], F_SETFL, O_APPEND) == 0, "a log");
	}
}

void files_register(struct files *files)
{
	int fds[2 + LANES * PLACES], names[2 + LANES * PLACES], i;

	for (i = 0; i < LANES * PLACES; i++)
		fds[2 + i] = -1;
	fds[0] = files->source;
	fds[1] = files->out;
	must(sfr_files_register(files->loop, fds, 2 + LANES * PLACES, names) == 0,
	     "files are registered");
	files->source_name = names[0];
	files->out_name = names[1];
	memcpy(files->places, names + 2, sizeof(files->places));
}

void files_close(struct files *files)
{
	const int fds[] = {files->source,    files->out,      files->edge,     files->readonly,
			   files->writeonly, files->ready[0], files->ready[1], files->logs[0],
			   files->logs[1],   files->logs[2]};
	static const char *const names[] = {"source", "out", "edge", "log0", "log1", "log2"};
	char path[96];
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	for (i = 0; files->real && i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", files->dir, names[i]);
		must(unlink(path) == 0, "it is still there");
	}
	must(rmdir(files->dir) == 0, "nothing else is in it");
}

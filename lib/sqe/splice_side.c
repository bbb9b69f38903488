/* SPDX-License-Identifier: MIT */
/*
 * The sides of a splice, by fstat and fcntl.
 *
 * Which pairs of sides are wrong is decided as the kernel does, and only to keep from waiting for
 * what would be refused anyway. The error itself comes from the system call.
 */
#include "sqe/splice_side.h"
#include "machine/kernel.h"
#include <fcntl.h>
#include <unistd.h>

struct sfr__side sfr__side_of(const struct sfr__system *system, int fd, uint64_t off)
{
	struct stat stat;
	struct sfr__side side = {.system = system, .fd = fd, .off = off, .access = -1};
	int flags = system->fd_flags(system, fd);

	if (flags < 0 || system->fd_stat(system, fd, &stat) < 0)
		return side;
	side.kind = sfr__stat_kind(&stat) | sfr__flags_kind(flags);
	side.is_append = flags & O_APPEND;
	side.access = flags & O_ACCMODE;
	side.device = stat.st_dev;
	side.number = stat.st_ino;
	return side;
}

/* A pipe has no offsets, and neither has a socket or a terminal. */
static bool has_offset(const struct sfr__side *side)
{
	return (int64_t)side->off >= 0 &&
	       side->system->fd_seek(side->system, side->fd, 0, SEEK_CUR) >= 0;
}

static bool side_is_wrong(const struct sfr__side *side, int access)
{
	return side->access < 0 || side->access == access ||
	       (side->off != SFR__POSITION && !has_offset(side));
}

bool sfr__sides_are_wrong(const struct sfr__side *in, const struct sfr__side *out)
{
	return side_is_wrong(in, O_WRONLY) || side_is_wrong(out, O_RDONLY) ||
	       !((in->kind | out->kind) & SFR__FD_PIPE) ||
	       (out->is_append && !(out->kind & SFR__FD_PIPE)) ||
	       (in->kind & SFR__FD_PIPE && in->device == out->device && in->number == out->number);
}

bool sfr__side_may_wait(const struct sfr__side *side)
{
	return side->access >= 0 && sfr__kind_may_wait(side->kind);
}

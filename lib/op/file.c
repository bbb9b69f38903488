/* SPDX-License-Identifier: MIT */
/*
 * Builders of what is done with files and directories, and of a caller's own blocking functions.
 *
 * Paths are copied, both of one op into one block of the heap. Where the kernel has no opcode for an op a
 * worker of the loop makes the system call.
 */
#include "base/log.h"
#include "machine/kernel.h"
#include "op/build.h"
#include "op/kind.h"
#include "op/registered.h"
#include <safer_ring/error.h>
#include <safer_ring/file.h>
#include <safer_ring/system.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>

/* It is prepared: who does it? */
static void op_assign(sfr_op *op)
{
	if (!(op->loop->engine->ops >> op->sqe.opcode & 1))
		op->flags |= SFR__OP_ERRAND;
}

/* Paths cannot begin at a registered directory: it has no descriptor. */
static bool begins_at_name(const sfr_op *op)
{
	bool two = sfr__op_is(op, SFR__KIND_TWO_DIRS);

	return sfr__op_is(op, SFR__KIND_DIRFD) &&
	       (sfr__fd_is_name(op->sqe.fd) || (two && sfr__fd_is_name((int)op->sqe.len)));
}

static sfr_op *op_ready(sfr_op *op)
{
	if (!op || op->result < 0)
		return op;
	op_assign(op);
	if (!begins_at_name(op))
		return op;
	sfr__log(op->loop->settings.log.level, SFR_LOG_WARN,
		 "sfr_%s: a path cannot begin at a registered file, which has no descriptor",
		 sfr__kinds[op->kind].name);
	op->result = -SFR_EUNSUPPORTED;
	return op;
}

/* An op with a copy of one path or two, which are where the SQE will say. */
static sfr_op *op_with_paths(sfr_op *op, const char *path, const char *other,
			     const char **other_out)
{
	size_t size = path ? strlen(path) + 1 : 0, other_size = other ? strlen(other) + 1 : 0;
	char *copy;

	if (!op || op->result < 0)
		return op;
	if (!path || (other_out && !other)) {
		op->result = -EFAULT;
		return op;
	}
	copy = malloc(size + other_size);
	if (!copy) {
		op->result = -ENOMEM;
		return op;
	}
	memcpy(copy, path, size);
	if (other)
		memcpy(copy + size, other, other_size);
	if (other_out)
		*other_out = copy + size;
	op->flags |= SFR__OP_COPIES;
	op->sqe.addr = (uint64_t)(uintptr_t)copy;
	return op;
}

static const char *copied(const sfr_op *op)
{
	return (const char *)(uintptr_t)op->sqe.addr;
}

sfr_op *sfr_socket(sfr_loop *loop, int domain, int type, int protocol)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_SOCKET, false);

	if (sfr__op_sound(op))
		io_uring_prep_socket(&op->sqe, domain, type | SOCK_CLOEXEC, protocol, 0);
	return op_ready(op);
}

sfr_op *sfr_openat(sfr_loop *loop, int dirfd, const char *path, int flags, unsigned mode)
{
	sfr_op *op = op_with_paths(sfr__op_new(loop, SFR__OP_OPENAT, false), path, NULL, NULL);

	if (sfr__op_sound(op))
		io_uring_prep_openat(&op->sqe, dirfd, copied(op), flags | O_CLOEXEC, mode);
	return op_ready(op);
}

sfr_op *sfr_statx(sfr_loop *loop, int dirfd, const char *path, int flags, unsigned mask,
		  sfr_buf *buf)
{
	sfr_op *op = op_with_paths(sfr__op_new_into(loop, SFR__OP_STATX, buf, sizeof(struct statx)),
				   path, NULL, NULL);

	if (sfr__op_sound(op))
		io_uring_prep_statx(&op->sqe, dirfd, copied(op), flags, mask,
				    (struct statx *)(void *)sfr__buf_data(buf));
	return op_ready(op);
}

sfr_op *sfr_fsync(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_FSYNC, false);

	if (sfr__op_sound(op))
		io_uring_prep_fsync(&op->sqe, fd, 0);
	return op_ready(op);
}

sfr_op *sfr_fdatasync(sfr_loop *loop, int fd)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_FDATASYNC, false);

	if (sfr__op_sound(op))
		io_uring_prep_fsync(&op->sqe, fd, IORING_FSYNC_DATASYNC);
	return op_ready(op);
}

sfr_op *sfr_fallocate(sfr_loop *loop, int fd, int mode, uint64_t off, uint64_t len)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_FALLOCATE, false);

	if (sfr__op_sound(op))
		io_uring_prep_fallocate(&op->sqe, fd, mode, (off_t)off, (off_t)len);
	return op_ready(op);
}

sfr_op *sfr_ftruncate(sfr_loop *loop, int fd, uint64_t len)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_FTRUNCATE, false);

	if (sfr__op_sound(op))
		io_uring_prep_rw(SFR__OP_CODE_FTRUNCATE, &op->sqe, fd, NULL, 0, len);
	return op_ready(op);
}

sfr_op *sfr_unlinkat(sfr_loop *loop, int dirfd, const char *path, int flags)
{
	sfr_op *op = op_with_paths(sfr__op_new(loop, SFR__OP_UNLINKAT, false), path, NULL, NULL);

	if (sfr__op_sound(op))
		io_uring_prep_unlinkat(&op->sqe, dirfd, copied(op), flags);
	return op_ready(op);
}

sfr_op *sfr_renameat(sfr_loop *loop, int dirfd, const char *path, int new_dirfd,
		     const char *new_path, unsigned flags)
{
	const char *other = NULL;
	sfr_op *op = op_with_paths(sfr__op_new(loop, SFR__OP_RENAMEAT, false), path, new_path,
				   &other);

	if (sfr__op_sound(op))
		io_uring_prep_renameat(&op->sqe, dirfd, copied(op), new_dirfd, other, flags);
	return op_ready(op);
}

sfr_op *sfr_mkdirat(sfr_loop *loop, int dirfd, const char *path, unsigned mode)
{
	sfr_op *op = op_with_paths(sfr__op_new(loop, SFR__OP_MKDIRAT, false), path, NULL, NULL);

	if (sfr__op_sound(op))
		io_uring_prep_mkdirat(&op->sqe, dirfd, copied(op), mode);
	return op_ready(op);
}

sfr_op *sfr_linkat(sfr_loop *loop, int dirfd, const char *path, int new_dirfd, const char *new_path,
		   int flags)
{
	const char *other = NULL;
	sfr_op *op = op_with_paths(sfr__op_new(loop, SFR__OP_LINKAT, false), path, new_path,
				   &other);

	if (sfr__op_sound(op))
		io_uring_prep_linkat(&op->sqe, dirfd, copied(op), new_dirfd, other, flags);
	return op_ready(op);
}

sfr_op *sfr_symlinkat(sfr_loop *loop, const char *target, int dirfd, const char *path)
{
	const char *other = NULL;
	sfr_op *op = op_with_paths(sfr__op_new(loop, SFR__OP_SYMLINKAT, false), target, path,
				   &other);

	if (sfr__op_sound(op))
		io_uring_prep_symlinkat(&op->sqe, copied(op), dirfd, other);
	return op_ready(op);
}

sfr_op *sfr_work(sfr_loop *loop, sfr_work_fn *fn, void *arg)
{
	sfr_op *op = sfr__op_new(loop, SFR__OP_WORK, false);

	if (!op)
		return NULL;
	op->flags |= SFR__OP_ERRAND;
	op->sqe.fd = -1;
	op->sqe.addr = (uint64_t)(uintptr_t)fn;
	op->sqe.addr3 = (uint64_t)(uintptr_t)arg;
	if (!fn)
		op->result = -EFAULT;
	return op;
}

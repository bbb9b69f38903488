/* SPDX-License-Identifier: MIT */
/*
 * Positions: what kind each descriptor is, asked once, and the position asked for before and after.
 *
 * lseek decides: an op is mended only if the position is where it was before the op. So a kernel
 * that moves it by itself is left alone, and so is a program that moved it meanwhile.
 */
#include "loop/position.h"
#include "loop/loop.h"
#include "machine/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* What O_DIRECT asks of addresses and lengths, at least. */
#define DIRECT_ALIGN 512

/* KEPT: of a copy that the loop has for itself. */
enum kind { UNKNOWN, WITHOUT, WITH, KEPT };

/* Where the op keeps it, whose entry has no use for that field. Negative: it was not noted. */
static int64_t noted(const sfr_op *op)
{
	return (int64_t)op->sqe.addr3;
}

static bool is_write(const sfr_op *op)
{
	return op->sqe.opcode == IORING_OP_WRITE || op->sqe.opcode == IORING_OP_WRITEV ||
	       op->sqe.opcode == IORING_OP_WRITE_FIXED;
}

static bool is_read(const sfr_op *op)
{
	return op->sqe.opcode == IORING_OP_READ || op->sqe.opcode == IORING_OP_READ_FIXED;
}

/* It moves the position, and the engine may not. */
static bool is_in_doubt(const sfr_op *op)
{
	return op->loop->engine->position_lags && (is_read(op) || is_write(op));
}

static uint64_t bytes_asked_for(const sfr_op *op)
{
	const struct iovec *vectors = (const void *)(uintptr_t)op->sqe.addr;
	uint64_t size = 0;
	uint32_t i;

	if (op->sqe.opcode != IORING_OP_WRITEV)
		return op->sqe.len;
	for (i = 0; i < op->sqe.len; i++)
		size += vectors[i].iov_len;
	return size;
}

/*
 * Descriptors.
 */

static enum kind kind_of(const struct sfr__system *system, int fd)
{
	struct stat stat;

	if (system->fd_stat(system, fd, &stat) < 0)
		return UNKNOWN;
	return S_ISREG(stat.st_mode) || S_ISBLK(stat.st_mode) ? WITH : WITHOUT;
}

static enum kind kind_known(const struct sfr__positions *positions, int fd)
{
	const uint8_t *known = sfr__array_find(&positions->kinds, (size_t)fd);

	return known ? (enum kind) * known : UNKNOWN;
}

/* False without memory. */
static bool kind_note(struct sfr__positions *positions, int fd, enum kind kind)
{
	uint8_t *known = sfr__array_get(&positions->kinds, (size_t)fd);

	if (known)
		*known = (uint8_t)kind;
	return known;
}

/* What cannot be noted is asked again each time. */
static enum kind kind_learn(sfr_loop *loop, int fd)
{
	struct sfr__positions *positions = &loop->positions;
	enum kind kind = kind_known(positions, fd);

	if (kind == KEPT)
		return KEPT;
	kind = kind_of(loop->engine->system, fd);
	(void)kind_note(positions, fd, kind);
	return kind;
}

/* A descriptor of an op's file; -1 if there is none. */
static int op_fd(const sfr_op *op)
{
	const int *kept;

	if (!sfr__fd_is_name(op->sqe.fd))
		return op->sqe.fd;
	kept = sfr__array_find(&op->loop->positions.kept, sfr__fd_place(op->sqe.fd));
	return kept ? *kept - 1 : -1;
}

/*
 * Noting and moving.
 */

/* Negative if there is none. */
static int64_t position_of(sfr_loop *loop, int fd)
{
	const struct sfr__system *system = loop->engine->system;
	enum kind kind = fd < 0 ? WITHOUT : kind_known(&loop->positions, fd);
	int64_t position;

	if (kind == UNKNOWN)
		kind = kind_learn(loop, fd);
	if (kind != WITH && kind != KEPT)
		return -1;
	position = system->fd_seek(system, fd, 0, SEEK_CUR);
	if (position < 0)
		(void)kind_learn(loop, fd); /* it is another file's number by now */
	return position;
}

/* Where it will begin is not known if it is behind others that may write there. */
void sfr__position_note(sfr_op *op, struct io_uring_sqe *sqe)
{
	if (!is_in_doubt(op))
		return;
	sqe->addr3 = 0;
	op->sqe.addr3 = is_write(op) && op->flags & SFR__OP_BEHIND
				? (uint64_t)-1
				: (uint64_t)position_of(op->loop, op_fd(op));
}

/* What was appended ends where the file does. */
static void position_move(const sfr_op *op, int fd, int64_t by)
{
	const struct sfr__system *system = op->loop->engine->system;

	if (is_write(op) && system->fd_flags(system, fd) & O_APPEND)
		(void)system->fd_seek(system, fd, 0, SEEK_END);
	else
		(void)system->fd_seek(system, fd, by, SEEK_CUR); /* it could be asked where it is */
}

void sfr__position_mend(const sfr_op *op, int result)
{
	const struct sfr__system *system = op->loop->engine->system;
	bool is_short, may_be_direct;
	int fd;

	if (!is_in_doubt(op))
		return;
	fd = op_fd(op);
	is_short = (uint64_t)result < bytes_asked_for(op);
	may_be_direct = result % DIRECT_ALIGN == 0 && op->sqe.addr % DIRECT_ALIGN == 0;
	if (noted(op) >= 0 && (is_short || may_be_direct)) {
		if (system->fd_seek(system, fd, 0, SEEK_CUR) == noted(op))
			position_move(op, fd, result);
	} else if (noted(op) < 0 && is_short && is_write(op) && fd >= 0) {
		if (kind_learn(op->loop, fd) >= WITH)
			position_move(op, fd, result);
	}
}

void sfr__position_forget(sfr_loop *loop, int fd)
{
	uint8_t *known = fd < 0 ? NULL : sfr__array_find(&loop->positions.kinds, (size_t)fd);

	if (known && *known != KEPT)
		*known = UNKNOWN;
}

/*
 * Registered files.
 */

/* One that cannot be kept, for want of descriptors or memory, is as one without a position. */
static void place_keep(sfr_loop *loop, unsigned place, int fd)
{
	const struct sfr__system *system = loop->engine->system;
	struct sfr__positions *positions = &loop->positions;
	int *kept = kind_of(system, fd) == WITH ? sfr__array_get(&positions->kept, place) : NULL;
	int copy = kept ? system->fd_copy(system, fd) : -1;

	if (copy < 0)
		return;
	if (kind_note(positions, copy, KEPT))
		*kept = copy + 1;
	else
		sfr__loop_close_fd(loop, copy); /* nothing was written to it */
}

static void place_drop(sfr_loop *loop, unsigned place)
{
	struct sfr__positions *positions = &loop->positions;
	int *kept = sfr__array_find(&positions->kept, place);

	if (!kept || !*kept)
		return;
	(void)kind_note(positions, *kept - 1, UNKNOWN);
	sfr__loop_close_fd(loop, *kept - 1); /* a copy: nothing was written to it */
	*kept = 0;
}

void sfr__positions_keep(sfr_loop *loop, const int *fds, unsigned count)
{
	unsigned i;

	for (i = 0; i < count && loop->engine->position_lags; i++)
		if (fds[i] >= 0)
			place_keep(loop, i, fds[i]);
}

void sfr__position_place_emptied(sfr_loop *loop, unsigned place)
{
	place_drop(loop, place);
}

void sfr__positions_drop(sfr_loop *loop)
{
	size_t place = 0;

	for (; (place = sfr__array_next(&loop->positions.kept, place)) != SFR__ARRAY_NONE; place++)
		place_drop(loop, (unsigned)place);
}

bool sfr__position_is_kept(const struct sfr__positions *positions, int fd)
{
	return kind_known(positions, fd) == KEPT;
}

uint64_t sfr__positions_kept(const struct sfr__positions *positions)
{
	uint64_t bits = 0;
	size_t place = 0;

	for (; (place = sfr__array_next(&positions->kept, place)) != SFR__ARRAY_NONE; place++) {
		int kept = *(const int *)sfr__array_at(&positions->kept, place);

		if (kept)
			bits |= UINT64_C(1) << (unsigned)(kept - 1) % 64;
	}
	return bits;
}

void sfr__positions_init(struct sfr__positions *positions)
{
	sfr__array_init(&positions->kinds, sizeof(uint8_t), (size_t)INT_MAX + 1);
	sfr__array_init(&positions->kept, sizeof(int), SFR__FILES_MAX);
}

void sfr__positions_fini(struct sfr__positions *positions)
{
	sfr__array_fini(&positions->kinds);
	sfr__array_fini(&positions->kept);
}

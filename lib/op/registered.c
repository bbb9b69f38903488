/* SPDX-License-Identifier: MIT */
/*
 * Registered files and ops: an op on a name finds its file, an op that fills or empties a place has the place
 * for itself until it is done, and the table stays while an op needs it.
 */
#include "op/registered.h"
#include "base/log.h"
#include "op/inherit.h"
#include "op/kind.h"
#include "op/start.h"
#include "sqe/fd_kind.h"
#include <safer_ring/error.h>
#include <safer_ring/registry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct sfr__place place_of_file(const sfr_loop *loop, int fd)
{
	return (struct sfr__place){fd < 0 ? SFR__PLACE_EMPTY : SFR__PLACE_FULL,
				   (uint8_t)sfr__fd_kind(loop->engine->system, fd)};
}

int sfr_files_register(sfr_loop *loop, const int *fds, unsigned n, int *names_out)
{
	int r = sfr__loop_check(loop, "files were registered");
	struct sfr__place *places;
	unsigned i;

	if (r < 0)
		return r;
	if (!fds || !names_out || n == 0 || n > SFR__FILES_MAX)
		return -EINVAL;
	if (loop->files.places)
		return -EBUSY;
	for (i = 0; i < n; i++)
		if (sfr__loop_owns(loop, fds[i]))
			return -EBADF;
	places = calloc(n, sizeof(*places));
	if (!places)
		return -ENOMEM;
	r = loop->engine->calls->files_add(loop->engine, fds, n);
	if (r < 0) {
		free(places);
		return r;
	}
	for (i = 0; i < n; i++) {
		places[i] = place_of_file(loop, fds[i]);
		names_out[i] = INT_MIN + (int)i;
	}
	loop->files = (struct sfr__files){places, n};
	sfr__positions_keep(loop, fds, n);
	sfr__loop_note_own(loop);
	return 0;
}

/* Submitted, not done, and on a name or with a place to fill. Raw ones may have a place's number. */
static bool op_needs_table(const sfr_op *op)
{
	if (op->state < SFR__OP_QUEUED || !sfr__op_has_entry(op))
		return false;
	return op->flags & (SFR__OP_PLACE | SFR__OP_PLACE_HELD) ||
	       (op->kind == SFR__OP_RAW && op->sqe.flags & IOSQE_FIXED_FILE) ||
	       (op->kind == SFR__OP_SPLICE && sfr__fd_is_name(sfr__registered_splice_in(op))) ||
	       (sfr__op_is(op, SFR__KIND_ON_FD) && sfr__fd_is_name(op->sqe.fd));
}

static bool table_is_needed(const sfr_loop *loop)
{
	size_t i;

	for (i = 0; i < loop->ops.made; i++)
		if (op_needs_table(sfr__op_at(&loop->ops, i)))
			return true;
	return false;
}

int sfr_files_unregister(sfr_loop *loop)
{
	int r = sfr__loop_check(loop, "files were unregistered");

	if (r < 0)
		return r;
	if (!loop->files.places)
		return -SFR_ENOTREGISTERED;
	if (table_is_needed(loop))
		return -SFR_EOPSINFLIGHT;
	r = loop->engine->calls->files_remove(loop->engine);
	if (r == 0) {
		sfr__files_fini(&loop->files);
		sfr__positions_drop(loop);
		sfr__loop_note_own(loop);
	}
	return r;
}

static bool has_direct_files(const sfr_loop *loop)
{
	return sfr__has(loop->engine->features, SFR__FEATURE_DIRECT_FILES);
}

/* What is a name is that even if there is no such place: the engine says so when it looks. */
void sfr__registered_write(const sfr_op *op, struct io_uring_sqe *sqe)
{
	unsigned place = sfr__fd_place(op->sqe.fd);

	if (!sfr__op_is(op, SFR__KIND_ON_FD))
		return;
	if (op->kind != SFR__OP_CLOSE) {
		sqe->fd = (int)place;
		sqe->flags |= IOSQE_FIXED_FILE;
	} else if (has_direct_files(op->loop)) {
		sqe->fd = 0;
		sqe->file_index = place + 1;
	} else { /* an older kernel would close descriptor 0: the place is emptied when this is done */
		sqe->opcode = IORING_OP_NOP;
		sqe->fd = -1;
	}
}

void sfr__registered_splice(sfr_op *op)
{
	if (!sfr__fd_is_name(op->sqe.splice_fd_in))
		return;
	op->sqe.splice_fd_in = (int)sfr__fd_place(op->sqe.splice_fd_in);
	op->sqe.splice_flags |= SPLICE_F_FD_IN_FIXED;
}

int sfr__registered_splice_in(const sfr_op *op)
{
	bool fixed = op->sqe.splice_flags & SPLICE_F_FD_IN_FIXED;

	return fixed ? INT_MIN + op->sqe.splice_fd_in : op->sqe.splice_fd_in;
}

bool sfr__registered_is_missing(const sfr_op *op)
{
	const struct sfr__files *files = &op->loop->files;

	if (op->kind == SFR__OP_SPLICE && sfr__name_is_empty(files, sfr__registered_splice_in(op)))
		return true;
	return sfr__op_is(op, SFR__KIND_ON_FD) && sfr__name_is_empty(files, op->sqe.fd);
}

int sfr__registered_refuse(const sfr_op *op)
{
	if (sfr__registered_is_missing(op))
		return -SFR_ENOTREGISTERED;
	sfr__log(
		op->loop->settings.log.level, SFR_LOG_WARN,
		"sfr_%s: not on a registered file: this kernel has no opcode for it, and a worker of "
		"the loop needs a descriptor",
		sfr__kinds[op->kind].name);
	return -SFR_EUNSUPPORTED;
}

static bool can_fill(const sfr_op *op)
{
	return op->kind == SFR__OP_ACCEPT || op->kind == SFR__OP_OPENAT ||
	       op->kind == SFR__OP_SOCKET;
}

/* Have the engine do it at once. There is no descriptor whose flag for programs that are executed could be
 * set, and kernels refuse it. */
static void fill_directly(sfr_op *op, unsigned place)
{
	op->sqe.file_index = place + 1;
	if (op->kind == SFR__OP_OPENAT)
		op->sqe.open_flags &= ~(unsigned)O_CLOEXEC;
	else if (op->kind == SFR__OP_ACCEPT)
		op->sqe.accept_flags &= ~(unsigned)SOCK_CLOEXEC;
	else
		op->sqe.off &= ~(uint64_t)SOCK_CLOEXEC; /* its type */
}

sfr_op *sfr_into(sfr_op *op, int name)
{
	if (!op || sfr__op_check(op) < 0 || op->result < 0)
		return op;
	if (!can_fill(op)) {
		op->result = -EINVAL;
		return op;
	}
	if (!sfr__fd_is_name(name)) {
		op->result = -SFR_ENOTREGISTERED;
		return op;
	}
	op->flags |= SFR__OP_PLACE;
	if (has_direct_files(op->loop) && !(op->flags & SFR__OP_ERRAND))
		fill_directly(op, sfr__fd_place(name));
	else
		op->sqe.addr3 = sfr__fd_place(
			name); /* of which engines take no notice in these ops */
	return op;
}

static unsigned place_of(const sfr_op *op)
{
	if (op->kind == SFR__OP_CLOSE)
		return sfr__fd_place(op->sqe.fd);
	return op->sqe.file_index ? op->sqe.file_index - 1 : (unsigned)op->sqe.addr3;
}

int sfr__place_name(const sfr_op *op)
{
	return INT_MIN + (int)place_of(op);
}

unsigned sfr__place_filled_by(const sfr_op *op)
{
	return op->flags & SFR__OP_PLACE && op->kind != SFR__OP_CLOSE ? place_of(op)
								      : SFR__NO_PLACE;
}

/* What will be in the place. What is opened can be anything. */
static unsigned fill_kind(const sfr_op *op)
{
	bool waits;

	if (op->kind == SFR__OP_OPENAT)
		return op->sqe.open_flags & O_NONBLOCK ? SFR__FD_NONBLOCKING : 0;
	waits = op->kind == SFR__OP_ACCEPT ? !(op->sqe.accept_flags & SOCK_NONBLOCK)
					   : !(op->sqe.off & SOCK_NONBLOCK); /* its type */
	return SFR__FD_SOCKET | (waits ? 0 : SFR__FD_NONBLOCKING);
}

int sfr__place_begin(const sfr_op *op, unsigned ahead)
{
	const struct sfr__files *files = &op->loop->files;
	unsigned place = place_of(op);
	enum sfr__place_event event = op->kind != SFR__OP_CLOSE ? SFR__PLACE_FILL
				      : place == ahead          ? SFR__PLACE_CLOSE_BEHIND
								: SFR__PLACE_CLOSE;

	if (place >= files->count)
		return -SFR_ENOTREGISTERED;
	if (!sfr__place_step(&files->places[place], event))
		return -EBUSY;
	if (event == SFR__PLACE_FILL)
		files->places[place].kind = (uint8_t)fill_kind(op);
	return 0;
}

static int place_update(const sfr_loop *loop, unsigned place, int fd)
{
	return loop->engine->calls->files_update(loop->engine, place, fd);
}

/* The engine gave a descriptor: it goes into the place in a step of its own. */
static int place_move_in(const sfr_loop *loop, unsigned place, int fd)
{
	int r = place_update(loop, place, fd);

	sfr__loop_close_fd(loop, fd); /* never used by itself */
	return r;
}

static int fill_end(const sfr_op *op, struct sfr__place *place, int result)
{
	if (result >= 0 && !op->sqe.file_index)
		result = place_move_in(op->loop, place_of(op), result);
	if (result >= 0 && !op->done) {
		(void)place_update(op->loop, place_of(op),
				   -1); /* else the next to come replaces it */
		result = -ECANCELED;
	}
	sfr__invariant(
		sfr__place_step(place, result < 0 ? SFR__PLACE_NOT_FILLED : SFR__PLACE_FILLED));
	return result;
}

static int empty_end(const sfr_op *op, struct sfr__place *place, int result)
{
	bool closed;

	if (result == 0 && !has_direct_files(op->loop))
		result = sfr__place_has_file(place) ? place_update(op->loop, place_of(op), -1)
						    : -EBADF;
	if (result == -EBADF)
		result = -SFR_ENOTREGISTERED;
	closed = result == 0 || result == -SFR_ENOTREGISTERED;
	if (closed)
		sfr__position_place_emptied(op->loop, place_of(op));
	sfr__invariant(sfr__place_step(place, closed ? SFR__PLACE_CLOSED : SFR__PLACE_NOT_CLOSED));
	return result;
}

int sfr__place_end(const sfr_op *op, int result)
{
	struct sfr__place *place = &op->loop->files.places[place_of(op)];

	return op->kind == SFR__OP_CLOSE ? empty_end(op, place, result)
					 : fill_end(op, place, result);
}

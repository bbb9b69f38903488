/* SPDX-License-Identifier: MIT */
/*
 * Kinds of ops: one row each, with what is true of all ops of that kind.
 *
 * Most kinds are only traits: such an op is an entry for the engine, and ends with the engine's result. A kind
 * that steps out of line names functions in its row. A trait says that there is one, so the usual start and the
 * usual completion look at a bit and make no indirect call.
 */
#ifndef SFR_LIB_OP_KIND_H
#define SFR_LIB_OP_KIND_H

#include "loop/op_cell.h"

/*
 * The rows: PLAIN(enumerator, name, traits), and OWN() of the same and fields of struct sfr__kind. The name is that
 * of the builder without sfr_. Traits are those below without SFR__KIND_.
 */
#define SFR__OP_ROWS(PLAIN, OWN)                                                                   \
	PLAIN(NOP, nop, BREAKS)                                                                    \
	PLAIN(READ, read, FILLS | LENGTH | ON_FD | BREAKS | WAITS)                                 \
	PLAIN(WRITE, write, LENGTH | ON_FD | BREAKS | WAITS)                                       \
	PLAIN(RECV, recv, FILLS | LENGTH | MESSAGE | ON_FD | BREAKS | WAITS)                       \
	PLAIN(SEND, send, LENGTH | MESSAGE | ON_FD | BREAKS | WAITS)                               \
	PLAIN(ACCEPT, accept, WINS | ON_FD | BREAKS | WAITS)                                       \
	OWN(ACCEPT_MULTI, accept_multi, MULTI | STEPS | WINS | ON_FD | WAITS,                      \
	    .complete = sfr__accept_multi_complete)                                                \
	OWN(RECV_MULTI, recv_multi, MULTI | STEPS | ON_FD, .complete = sfr__receive_complete)      \
	PLAIN(CONNECT, connect, ON_FD | BREAKS | WAITS)                                            \
	OWN(TIMEOUT, timeout, HERE, .start = sfr__timeout_start, .cancel = sfr__timeout_cancel)    \
	OWN(INTERVAL, interval, HERE | MULTI, .start = sfr__timeout_start,                         \
	    .cancel = sfr__timeout_cancel)                                                         \
	PLAIN(POLL, poll, ON_FD | BREAKS)                                                          \
	PLAIN(SHUTDOWN, shutdown, ON_FD | ENDS)                                                    \
	PLAIN(CLOSE, close, ON_FD | ENDS | BREAKS)                                                 \
	PLAIN(SOCKET, socket, WINS | BREAKS)                                                       \
	PLAIN(OPENAT, openat, WINS | ON_FD | DIRFD | BREAKS)                                       \
	OWN(STATX, statx, STRUCT | ON_FD | DIRFD, .size = sizeof(struct statx))                    \
	PLAIN(FSYNC, fsync, ON_FD)                                                                 \
	PLAIN(FDATASYNC, fdatasync, ON_FD)                                                         \
	PLAIN(FALLOCATE, fallocate, ON_FD)                                                         \
	PLAIN(FTRUNCATE, ftruncate, ON_FD)                                                         \
	PLAIN(UNLINKAT, unlinkat, ON_FD | DIRFD)                                                   \
	PLAIN(RENAMEAT, renameat, ON_FD | DIRFD | TWO_DIRS)                                        \
	PLAIN(MKDIRAT, mkdirat, ON_FD | DIRFD)                                                     \
	PLAIN(LINKAT, linkat, ON_FD | DIRFD | TWO_DIRS)                                            \
	PLAIN(SYMLINKAT, symlinkat, ON_FD | DIRFD)                                                 \
	PLAIN(WORK, work, 0)                                                                       \
	OWN(SEND_ZC, send_zc, STEPS | LENGTH | MESSAGE | ON_FD, .complete = sfr__send_zc_complete) \
	PLAIN(SENDTO, sendto, ON_FD | BREAKS | WAITS)                                              \
	OWN(RECVFROM, recvfrom, STEPS | FILLS | ON_FD | WAITS, .complete = sfr__recvfrom_complete) \
	OWN(RECVFROM_MULTI, recvfrom_multi, MULTI | STEPS | ON_FD,                                 \
	    .complete = sfr__receive_complete)                                                     \
	OWN(READ_MULTI, read_multi, MULTI | STEPS | ON_FD, .complete = sfr__receive_complete)      \
	OWN(SPLICE, splice, STEPS | ON_FD, .complete = sfr__splice_complete)                       \
	OWN(POLL_MULTI, poll_multi, MULTI | STEPS | ON_FD, .complete = sfr__poll_multi_complete)   \
	OWN(WAITID, waitid, STRUCT | STEPS, .complete = sfr__waitid_complete,                      \
	    .size = sizeof(siginfo_t))                                                             \
	OWN(SIGNAL, signal, HERE | MULTI, .start = sfr__signal_start,                              \
	    .cancel = sfr__signal_cancel)                                                          \
	OWN(MSG, msg, HERE, .start = sfr__msg_start)                                               \
	OWN(RAW, raw, STEPS | ON_FD, .complete = sfr__raw_complete)

enum {
	/* Its buffer: it puts as many bytes as its result says into it; with result 0, a structure of `size` bytes. */
	SFR__KIND_FILLS = 1 << 0,
	SFR__KIND_STRUCT = 1 << 1,
	/* It may be done in part: sfr_all(). */
	SFR__KIND_LENGTH = 1 << 2,
	/* Of a socket: it has message flags, and no offset. */
	SFR__KIND_MESSAGE = 1 << 3,
	/* It calls back more than once. */
	SFR__KIND_MULTI = 1 << 4,
	/* Its result is a descriptor. */
	SFR__KIND_WINS = 1 << 5,
	/* It lets go of something, and so goes on even while a loop drains. */
	SFR__KIND_ENDS = 1 << 6,
	/* sqe.fd is what it is on; is where its path begins; and sqe.len is where its other path begins. */
	SFR__KIND_ON_FD = 1 << 7,
	SFR__KIND_DIRFD = 1 << 8,
	SFR__KIND_TWO_DIRS = 1 << 9,
	/* If it fails, an engine starts nothing that is softly linked behind it. */
	SFR__KIND_BREAKS = 1 << 10,
	/* -EAGAIN is not its end: see op/again.c. */
	SFR__KIND_WAITS = 1 << 11,
	/* The row has `start`: the loop does it, and it has no SQE. */
	SFR__KIND_HERE = 1 << 12,
	/* The row has `complete`: a completion of it is not simply its end. */
	SFR__KIND_STEPS = 1 << 13,
};

#define SFR__OP_ENUMERATOR(id, ...) SFR__OP_##id,

enum sfr__op_kind { SFR__OP_ROWS(SFR__OP_ENUMERATOR, SFR__OP_ENUMERATOR) SFR__OP_KINDS };

#undef SFR__OP_ENUMERATOR

struct sfr__kind {
	const char *name;
	/* It is QUEUED, and starts. Of those with SFR__KIND_HERE. */
	void (*start)(sfr_op *op);
	/* The engine has completed its entry. Of those with SFR__KIND_STEPS. */
	void (*complete)(sfr_op *op, int result, unsigned flags);
	/* It is IN_FLIGHT, and is to end. NULL: the engine is asked to end it. */
	void (*cancel)(sfr_op *op);
	/* Of its structure. Of those with SFR__KIND_STRUCT. */
	uint32_t size;
};

/* Apart from the rest of a row: they are looked at all the time, and are two cache lines together. */
extern const uint16_t sfr__kind_traits[SFR__OP_KINDS];
extern const struct sfr__kind sfr__kinds[SFR__OP_KINDS];

static inline bool sfr__kind_is(unsigned kind, unsigned trait)
{
	return sfr__kind_traits[kind] & trait;
}

static inline bool sfr__op_is(const sfr_op *op, unsigned trait)
{
	return sfr__kind_is(op->kind, trait);
}

/* The behaviour that rows name. Each function stands in the file of its op. */
void sfr__accept_multi_complete(sfr_op *op, int result, unsigned flags);
void sfr__msg_start(sfr_op *op);
void sfr__poll_multi_complete(sfr_op *op, int result, unsigned flags);
void sfr__raw_complete(sfr_op *op, int result, unsigned flags);
void sfr__receive_complete(sfr_op *op, int result, unsigned flags);
void sfr__recvfrom_complete(sfr_op *op, int result, unsigned flags);
void sfr__send_zc_complete(sfr_op *op, int result, unsigned flags);
void sfr__signal_cancel(sfr_op *op);
void sfr__signal_start(sfr_op *op);
void sfr__splice_complete(sfr_op *op, int result, unsigned flags);
void sfr__timeout_cancel(sfr_op *op);
void sfr__timeout_start(sfr_op *op);
void sfr__waitid_complete(sfr_op *op, int result, unsigned flags);

#endif

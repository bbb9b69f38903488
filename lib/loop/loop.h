/* SPDX-License-Identifier: MIT */
/*
 * Loop: what a run loop consists of. run/ makes it and turns it.
 */
#ifndef SFR_LIB_LOOP_LOOP_H
#define SFR_LIB_LOOP_LOOP_H

#include "base/handle.h"
#include "base/list.h"
#include "base/timer.h"
#include "base/workers.h"
#include "buffer/pool.h"
#include "config/config.h"
#include "engine/engine.h"
#include "loop/deadline.h"
#include "loop/face.h"
#include "loop/files.h"
#include "loop/fixed_buf.h"
#include "loop/gather.h"
#include "loop/kept.h"
#include "loop/mailbox.h"
#include "loop/nesting.h"
#include "loop/op_cell.h"
#include "loop/position.h"
#include "loop/pressure.h"
#include "loop/recv_ring.h"
#include "loop/signals.h"
#include <safer_ring/loop.h>
#include <safer_ring/system.h>

/*
 * Something that lives on a loop above the ops, such as its connections. The loop knows no more of it
 * than this.
 */
struct sfr__resident {
	/* Once a turn, before the engine is entered: submit what has gathered. True if there is more. */
	bool (*flush)(struct sfr__resident *resident);
	/* Whether flush would do something, which may call back. */
	bool (*gathered)(const struct sfr__resident *resident);
	/* Whether it will go on by itself, though nothing of it is in flight. */
	bool (*waits)(const struct sfr__resident *resident);
	/* The loop drains: end what can end. Called until the loop is empty. */
	void (*drain)(struct sfr__resident *resident);
	/* Whether the loop cannot be freed yet. */
	bool (*busy)(const struct sfr__resident *resident);
	void (*free)(struct sfr__resident *resident);
};

struct sfr_loop {
	struct sfr__engine *engine;
	struct sfr__pool *pool;
	struct sfr__op_table ops;
	struct sfr__recv_ring recv[SFR__RECV_GROUPS];
	struct sfr__kept kept;       /* arrivals that there was no memory to describe */
	struct sfr__gather *gathers; /* spare ones */
	uint64_t own_bits;           /* of its own descriptors, modulo 64 */
	uint64_t now;                /* ns; read once a turn */
	size_t inflight;             /* ops submitted and not called back for the last time */
	size_t orphans;              /* of these, abandoned, and with the engine */
	unsigned called;             /* callbacks in this turn */
	atomic_bool bound;           /* the engine belongs to pool->thread */
	struct sfr__nesting nesting; /* who takes turns, or has left in one */
	size_t holds;                /* while there are some, a run goes on */
	void *data;                  /* the program's */
	bool draining;               /* what is submitted is cancelled at once */
	bool row_first;              /* a row found no room: it goes before requests to cancel */
	/* receives that wait for a ring found no room either: they go before the backlog */
	bool rings_first;
	uint16_t batch_serial;    /* of the last one that was made */
	struct sfr__hook batches; /* of this loop, in whatever state */
	/* Upcall: the loop goes, and none of these runs. NULL until there is one. */
	void (*batches_free)(sfr_loop *loop);
	struct sfr__hook backlog; /* ops QUEUED, to be written to the engine's queue, in order */
	/* ops QUEUED, that polled, and wait for a block to receive, in order */
	struct sfr__hook unfed;
	struct sfr__hook later;   /* ops QUEUED, that were tried in vain, until it is time again */
	struct sfr__hook ready;   /* ops DONE, whose callbacks are due */
	struct sfr__hook cancels; /* ops CANCELLING, of which the engine has not been told */
	struct sfr__resident *resident; /* NULL until something lives here */
	struct sfr__files files;
	struct sfr__fixed_bufs fixed;
	struct sfr__positions positions;
	struct sfr__mailbox mailbox;
	struct sfr__face face;       /* for a host that sleeps for it */
	struct sfr__workers workers; /* for errands */
	atomic_bool alerted;         /* errands are done, or signals arrived */
	struct sfr__hook signals;    /* ops IN FLIGHT that wait for one */
	struct sfr__signal_watch signal_watch;
	_Atomic(sfr_msg_fn *) on_msg; /* other loops look whether it is there */
	void *on_msg_arg;
	struct sfr__pressure pressure;
	sfr_loop_stats stats;
	struct sfr__settings settings;
	char engine_reason[SFR__REASON_SIZE]; /* why it is not io_uring; empty if it is */
	char refusal[256];
	struct sfr__wheel wheel;
	struct sfr__array deadlines; /* by the index of an op */
	unsigned seat;               /* in the table of loops */
	struct sfr__objects objects[SFR__HANDLE_KINDS];
};

/*
 * Descriptors that the loop has for itself. Nobody was told their numbers, so an operation on one uses a number that
 * once was another descriptor's. It would take the count that is to wake the loop, or close one of these.
 */

/* The set of them has changed. */
void sfr__loop_note_own(sfr_loop *loop);

/* Whether this is one of them. */
bool sfr__loop_owns(const sfr_loop *loop, int fd);

/* Whether it may be one of them: true may be wrong, false is always right. */
static inline bool sfr__loop_may_own(const sfr_loop *loop, int fd)
{
	return loop->own_bits >> ((unsigned)fd % 64) & 1;
}

/* A rule was broken: log it, and abort if safety.abort says so. Returns err. */
int sfr__loop_misuse(const sfr_loop *loop, int err, const char *what);

/* CLOCK_MONOTONIC of the world that the engine is in, read now. */
static inline uint64_t sfr__loop_clock_ns(const sfr_loop *loop)
{
	const struct sfr__system *system = loop->engine->system;

	return system->clock_ns(system);
}

/* Close a descriptor of which there is nothing to hear: nothing is queued that could be lost. */
static inline void sfr__loop_close_fd(const sfr_loop *loop, int fd)
{
	const struct sfr__system *system = loop->engine->system;

	(void)system->fd_close(system, fd);
}

/* It was given something to do: outside of its turns a host that sleeps for it must know. */
static inline void sfr__loop_stir(sfr_loop *loop)
{
	if (sfr__unlikely(loop->face.asleep))
		sfr__face_nudge(&loop->face);
}

/* 0 if nobody runs the loop. Else the call of this frame, which did `what`, is misuse: -SFR_ENESTED inside a
 * callback, -ENOTRECOVERABLE if a callback was left. */
int sfr__loop_nested(const sfr_loop *loop, const void *frame, const char *what);

/* The frame of a public call, for these. */
#if defined(__GNUC__) && \
	!defined(__clang__) /* where its caller's ends, whatever the machine keeps in it */
#define SFR__FRAME() __builtin_dwarf_cfa()
#else
#define SFR__FRAME() __builtin_frame_address(0)
#endif

/* 0 if the caller is on the loop's thread, its maker's until the first turn. Else he did `what` and may not,
 * which is misuse: -SFR_ETHREAD or -SFR_EFORKED. */
static inline int sfr__loop_check(const sfr_loop *loop, const char *what)
{
	return sfr__likely(sfr__pool_is_open(loop->pool)) ? 0 : sfr__pool_foreign(loop->pool, what);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Engine: whoever executes SQEs and posts CQEs.
 *
 * An engine provides a queue and the calls below. The loop writes entries into the queue, calls `enter`
 * once a turn, and reaps; nothing else stands between an operation and its engine. What is no operation, as the
 * time, or the type of a socket, the library asks the engine's `system`.
 *
 *	uring   the kernel: engine/uring/uring.c, and the ring it is given by engine/uring/setup.c
 *	epoll   an interpreter: engine/interpreter/ has what SQEs mean, and engine/epoll/epoll.c how they are
 *	        attempted
 *
 * choose.c decides which of them a loop gets.
 */
#ifndef SFR_LIB_ENGINE_ENGINE_H
#define SFR_LIB_ENGINE_ENGINE_H

#include "engine/queue.h"
#include "machine/feature.h"
#include "sqe/system.h"
#include <stddef.h>
#include <sys/uio.h>

struct sfr__settings;
struct sfr__engine;

struct sfr__engine_calls {
	const char *name;

	/* The calling thread becomes the one that runs the engine. 0 or -errno. */
	int (*bind)(struct sfr__engine *engine);

	/*
	 * Take what is written to the queue and do what can be done; if `wait` and no completion is
	 * there, sleep for one, at most timeout_ns (negative: no limit). What could not be taken stays
	 * written. 0, also when interrupted; -errno only if the engine is of no use any more.
	 */
	int (*enter)(struct sfr__engine *engine, bool wait, int64_t timeout_ns);

	/* Whether entering would find completions that are not visible yet. Cheap; may say no. */
	bool (*pending)(struct sfr__engine *engine);

	/* Receive from this ring of provided buffers under a group number; flags: SFR__PBUF_RING_INC. 0 or
	 * -errno. */
	int (*buf_ring_add)(struct sfr__engine *engine, void *ring, unsigned entries,
			    unsigned group, unsigned flags);

	/*
	 * The table that IOSQE_FIXED_FILE refers to: -EBUSY if there is one. It keeps its files open by
	 * itself; -1 is an empty place. Requests in flight keep their files, whatever becomes of a place. 0 or
	 * -errno.
	 */
	int (*files_add)(struct sfr__engine *engine, const int *fds, unsigned count);
	int (*files_update)(struct sfr__engine *engine, unsigned place, int fd);
	int (*files_remove)(struct sfr__engine *engine);

	/* The table that buf_index refers to: once. Empty places are all zero; a place is changed only while
	 * no request uses it. 0 or -errno. */
	int (*buffers_add)(struct sfr__engine *engine, const struct iovec *buffers, unsigned count);
	int (*buffers_update)(struct sfr__engine *engine, unsigned place,
			      const struct iovec *buffer);

	/*
	 * For hosts that sleep in a set of their own: have this epoll set tell when entering would find
	 * something, from now on, though nobody waits in enter. Once. 0 or -errno.
	 */
	int (*show)(struct sfr__engine *engine, int set);

	/* Forget what the set was told so far: enter is about to look. */
	void (*hush)(struct sfr__engine *engine);

	/* Until entering is due whatever happens: ns from now; -1: never. */
	int64_t (*time_left)(struct sfr__engine *engine, uint64_t now_ns);

	/* Nothing is in flight: free it. */
	void (*close)(struct sfr__engine *engine);
};

/* The beginning of every engine. */
struct sfr__engine {
	struct sfr__queue queue;
	const struct sfr__engine_calls *calls;
	/* Whom the library asks what is no operation. It outlives the engine. */
	const struct sfr__system *system;
	sfr__features features; /* what it has, and is allowed to use */
	uint64_t ops;           /* the opcodes it knows, a bit each */
	int own[2];             /* its descriptors; -1: there is none */
	bool locks;             /* registered buffers are locked: RLIMIT_MEMLOCK counts them */
	bool position_lags; /* it may leave the position of a file behind: see loop/position.h */
	bool splice_locks;  /* a splice that waits for a socket has its pipe locked meanwhile */
	bool overflown;     /* more completions wait for room in the queue; may say no */
	/* For messages that are to be sent whole: MSG_DONTWAIT where the engine, when it tries one again, may send
	 * what the try before left of it: see op/again.c. */
	unsigned send_flags;
	uint64_t enters;
	uint64_t syscalls; /* made to enter, and to do what operations ask for */
	uint64_t overflows;
};

enum { SFR__REASON_SIZE = 256 };

/* How many bytes of addresses an engine takes at most when it is made, with what a loop takes from the allocator. */
uint64_t sfr__engine_addresses(const struct sfr__settings *settings);

/*
 * Make the engine that the settings ask for and the platform offers. The choice is logged in one line;
 * `reason` receives why it is not io_uring, or is empty. 0; -ENOSYS where there is none; else why the
 * one asked for does not work here.
 */
int sfr__engine_open(struct sfr__engine **out, const struct sfr__settings *settings,
		     char reason[SFR__REASON_SIZE]);

#endif

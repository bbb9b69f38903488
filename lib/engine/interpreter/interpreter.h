/* SPDX-License-Identifier: MIT */
/*
 * Interpreter: what SQEs mean, for engines that are not the kernel.
 *
 * Rows, cancelling, timeouts, multishot, provided buffers, fixed files and buffers are the same
 * wherever SQEs are executed, and are here. How an SQE is attempted, and when another attempt is worth it,
 * is the engine's: the core has no thread, and asks the engine's `system` for the time.
 *
 * Every request takes this way:
 *
 *	taken from the queue, checked together with its row
 *	started when the member before it has ended, if that did not break the row
 *	attempted; if it is too early, the engine waits and says `go_on` (another attempt) or `finish`
 *	ended: its CQE is posted, and the next member is due
 *
 * Where the completion queue is full, CQEs wait in the requests they belong to: none is lost, and
 * nothing is allocated for them.
 */
#ifndef SFR_LIB_ENGINE_INTERPRETER_INTERPRETER_H
#define SFR_LIB_ENGINE_INTERPRETER_INTERPRETER_H

#include "base/array.h"
#include "base/list.h"
#include "base/timer.h"
#include "base/workers.h"
#include "engine/engine.h"
#include "sqe/request.h"
#include <stdatomic.h>

struct sfr__interpreter;

/*
 * A request from being taken to its completion. What an engine wants to know besides it keeps behind, in a structure of
 * its own that begins with this one.
 *
 * Most of them are receives of connections on which nothing happens. So it has what these need, and the time is kept
 * elsewhere: see struct sfr__alarm. By request.sqe.fd it can be cancelled: -1 once that descriptor was closed.
 */
struct sfr__flight {
	struct sfr__request request;
	struct sfr__flight *next;   /* the member of its row that comes after it */
	struct sfr__flight *bucket; /* the next one in its place of the table */
	union {
		/* Where it waits: the engine's while that has it, else the core's. */
		struct sfr__hook hook;
		/* The same, for engines with workers; and the result of the CQE. */
		struct sfr__work work;
	};
	uint32_t flags;        /* of the CQE */
	atomic_bool cancelled; /* wanted to end while it could not: it does at the next chance */
	bool timed;            /* its alarm is set */
	uint8_t retries;       /* how many there were in succession */
};

/* The time of a request that is a timeout, or is retried. Each request has one, by its index. Memory that is not used
 * is not taken, so those that are never set cost nothing. */
struct sfr__alarm {
	struct sfr__timer timer;
	struct sfr__interpreter *interpreter;
	struct sfr__flight *flight;
	struct sfr__flight *limits; /* a LINK_TIMEOUT: the op it limits */
};

static inline bool sfr__is_cancelled(const struct sfr__flight *flight)
{
	return atomic_load_explicit(&flight->cancelled, memory_order_relaxed);
}

/* What an engine adds. */
struct sfr__interpreter_calls {
	/* Do it now, from byte `done` of `at` on, without blocking. A result, or SFR__NOT_YET. */
	int (*attempt)(struct sfr__interpreter *interpreter, struct sfr__flight *flight);

	/* SFR__NOT_YET: the engine will call sfr__interpreter_go_on() each time another attempt is worth it,
	 * or has the request done elsewhere and will call sfr__interpreter_finish(). If it can do neither: the
	 * result with which the request ends. Asked again after each attempt; `forward` is whether that
	 * attempt got the request anywhere. */
	int (*wait)(struct sfr__interpreter *interpreter, struct sfr__flight *flight, bool forward);

	/* Stop waiting. False: it is being done, go_on or finish will come. */
	bool (*forget)(struct sfr__interpreter *interpreter, struct sfr__flight *flight);

	/* It has ended: what the engine keeps for it can go. */
	void (*ended)(struct sfr__interpreter *interpreter, struct sfr__flight *flight);

	/* CLOSE is about to be attempted: requests that wait for that descriptor must keep their file open, or
	 * end. 0, or -EBADF if the descriptor is one of the engine's own, whose number nobody was told. */
	int (*closing)(struct sfr__interpreter *interpreter, int fd);

	/* Another descriptor of the same file, or -errno; and an end to one. */
	int (*keep)(struct sfr__interpreter *interpreter, int fd);
	void (*drop)(struct sfr__interpreter *interpreter, int fd);
};

/* A ring of provided buffers. */
struct sfr__buf_group {
	struct io_uring_buf_ring *ring;
	uint32_t entries;
	uint16_t number;
	uint16_t head;
	bool incremental; /* an entry stays the first until it is full */
};

struct sfr__interpreter {
	struct sfr__engine engine;
	const struct sfr__interpreter_calls *calls;
	size_t flight_size;           /* of the engine's structure that begins with a request */
	unsigned cq_head, cq_tail;    /* what the queue points to */
	struct sfr__array flights;    /* all memory of requests */
	struct sfr__array alarms;     /* by the index of a request */
	size_t made;                  /* requests used at least once */
	struct sfr__flight *free;     /* of these */
	struct sfr__flight **table;   /* in flight, by user_data */
	size_t table_size, in_flight; /* a power of two; how many */
	struct sfr__hook due;         /* members whose turn has come, through `hook` */
	struct sfr__hook late;        /* ended, and the completion queue was full */
	struct sfr__buf_group *groups;
	unsigned groups_count;
	int *files; /* descriptors of its own */
	unsigned files_count;
	struct iovec *buffers;
	unsigned buffers_count;
	struct sfr__wheel wheel;
};

/* 0 or -ENOMEM; what is half built may be passed to fini. */
int sfr__interpreter_init(struct sfr__interpreter *interpreter, unsigned sq_entries,
			  unsigned cq_entries);
void sfr__interpreter_fini(struct sfr__interpreter *interpreter);

/* Post what was late. If there is room for completions then, nothing is late any more. */
void sfr__interpreter_post_late(struct sfr__interpreter *interpreter);

/* Take what is written to the queue, if there is room for a completion. False if memory was short for some of it. */
bool sfr__interpreter_take(struct sfr__interpreter *interpreter);

/* Let timeouts expire. And how long until the next one may: ns, or -1. */
void sfr__interpreter_tick(struct sfr__interpreter *interpreter);
int64_t sfr__interpreter_time_left(struct sfr__interpreter *interpreter);

/* Another attempt at a request that waits. False if it was in vain, and the request waits on. */
bool sfr__interpreter_go_on(struct sfr__interpreter *interpreter, struct sfr__flight *flight);

/* Go on after a while besides, and again, less and less often, until it is not in vain. */
void sfr__interpreter_retry(struct sfr__interpreter *interpreter, struct sfr__flight *flight);

/* The engine has done, and let go of, a request that waited. */
void sfr__interpreter_finish(struct sfr__interpreter *interpreter, struct sfr__flight *flight,
			     int result);

/* The tables, as the seam has them: of an engine that is an interpreter. */
int sfr__interpreter_buf_ring_add(struct sfr__engine *engine, void *ring, unsigned entries,
				  unsigned group, unsigned flags);
int sfr__interpreter_files_add(struct sfr__engine *engine, const int *fds, unsigned count);
int sfr__interpreter_files_update(struct sfr__engine *engine, unsigned place, int fd);
int sfr__interpreter_files_remove(struct sfr__engine *engine);
int sfr__interpreter_buffers_add(struct sfr__engine *engine, const struct iovec *buffers,
				 unsigned count);
int sfr__interpreter_buffers_update(struct sfr__engine *engine, unsigned place,
				    const struct iovec *buffer);

#endif

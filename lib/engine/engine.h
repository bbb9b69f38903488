/*
 * Engine: whoever executes SQEs and posts CQEs.
 *
 * An engine provides a queue and the few calls below. The loop writes entries into the queue, calls
 * `enter` once a turn, and reaps; nothing else stands between an operation and its engine.
 */
#ifndef SFR_LIB_ENGINE_ENGINE_H
#define SFR_LIB_ENGINE_ENGINE_H

#include "queue.h"
#include <stddef.h>

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
	bool (*pending)(const struct sfr__engine *engine);

	/* Receive from this ring of provided buffers under a group number. 0 or -errno. */
	int (*buf_ring_add)(struct sfr__engine *engine, void *ring, unsigned entries,
			    unsigned group);

	/* Nothing is in flight: free it. */
	void (*close)(struct sfr__engine *engine);
};

/* The beginning of every engine. */
struct sfr__engine {
	struct sfr__queue queue;
	const struct sfr__engine_calls *calls;
	uint64_t enters;
	uint64_t overflows;
};

/*
 * Make the engine that the settings ask for and the platform offers. The choice is logged in one line.
 * 0; -ENOSYS where there is none; else why the one asked for does not work here.
 */
int sfr__engine_open(struct sfr__engine **out, const struct sfr__settings *settings);

#endif

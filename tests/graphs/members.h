/* SPDX-License-Identifier: MIT */
/*
 * Members of a graph: operations of every kind whose outcome is known beforehand, and what each leaves behind
 * for others to see, if and only if it ran.
 */
#ifndef SFR_TESTS_GRAPHS_MEMBERS_H
#define SFR_TESTS_GRAPHS_MEMBERS_H

#include "files.h"

enum {
	CARRIES = 1,       /* a buffer */
	FILLS = 2,         /* that */
	INHERITS = 4,      /* it, if so chosen */
	GIVES = 8,         /* it to who inherits, and it is known what is in it */
	ALL = 16,          /* sfr_all() makes no difference to its outcome */
	STOPS = 32,        /* is not kept from running by being cancelled */
	FAILS = 64,        /* or may be short */
	ENDLESS = 128,     /* until it is cancelled */
	LINKS = 1024,      /* the engine may take over what waits for it, or it for others */
	WRITES = 512,      /* to its own place */
	BUILT_WRONG = 256, /* its buffer does not come back as it should be */
};

enum winning {
	WINS_NOTHING,
	WINS_SOURCE,
	WINS_OUT,
	WINS_DIR,
	WINS_CONNECTION,
	WINS_SOCKET,
	WINS_NEVER
};

struct trial;

struct kind {
	const char *name;
	int traits, weight;
	/* Says what will come of it; false if it cannot be had now. */
	bool (*choose)(struct trial *trial, int n);
	sfr_op *(*build)(struct trial *trial, int n, sfr_buf *buf);
	/* Looks at what it left behind. `done`: it ran, and without an error. May be NULL. */
	void (*check)(struct trial *trial, int n, bool done);
};

/* What is in its buffer. */
enum content { ITS_OWN, OF_SOURCE, ITS_RECORD };

struct record {
	uint32_t magic;
	int32_t n;
};

struct member {
	const struct kind *kind;

	/* Its window on its buffer, and its contents; inherited, the window of who had it first. */
	uint32_t cap, at, len;
	enum content content;
	bool wrapped, all, within;
	unsigned char *memory; /* of a wrapped one */
	int released;          /* times */
	bool taken;

	int fd;       /* that it is on, or a name; -1: none, or that of `winner` */
	int other_fd; /* the same */
	int winner;   /* whose descriptor it takes; -1 */
	enum winning wins;
	bool unasked; /* nobody asks for the result: so the batch is to close it */
	int place;    /* that it fills; -1 */
	uint64_t users;
	int closer; /* that closes what it won; -1 */

	uint64_t offset;
	int looks_at; /* at the place of which member; -1 */
	int ends[2];  /* descriptors of its own; -1 */
	char path[96], other_path[96];
	struct record record;
	int log; /* for a function on a worker: where its record goes */
	int says;
};

/* What is done to a batch in the middle. */
enum disturbance {
	UNDISTURBED,
	CANCELLED,
	TIMED_OUT,
	FD_CANCELLED,
	DRAINED,
	NOT_SUBMITTED,
	REFUSED
};

/* One life of one batch. */
struct trial {
	struct files *files;
	sfr_batch *batch;
	int lane, round;
	enum disturbance disturbance;
	uint32_t failing; /* percent */
	bool linked;      /* of such as the engine may link */
	int places_used;
	struct model model;
	struct member members[NODES_MAX];
	int expected[NODES_MAX], actual[NODES_MAX];
	uint64_t ended, earlier[NODES_MAX];
	uint64_t took; /* whose buffers were taken while it ran */
	sfr_batch_plan_info plan;
	bool submitted, collects, collected; /* results are taken in the callback; were taken */
	int calls, error;
	int failures; /* that waiting for it told; -1: nobody waited */
	bool links;   /* may be used */
};

/* Choose the next member, and add the edges that it cannot do without. */
void member_choose(struct trial *trial);

/* Add it to the batch, after `then` if that is not -1. */
void member_build(struct trial *trial, int n, int then);

/* The byte that is in its buffer at a place, once it ran. */
unsigned char member_byte(const struct trial *trial, int n, uint32_t i);

/* Look at what it left behind, and let go of what it had. */
void member_end(struct trial *trial, int n);

/* Whether the call that cancels a descriptor is about this member. */
bool member_is_on(const struct trial *trial, int n, int fd);

bool member_is(const struct trial *trial, int n, int trait);

/* It ran, and to what end whatever. */
bool member_ran(const struct trial *trial, int n);

#endif

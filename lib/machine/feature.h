/* SPDX-License-Identifier: MIT */
/*
 * Features: what the uring engine takes from the kernel beyond the least it needs, by name.
 *
 * Each is found out by trying, can be turned off, and has something else in its place when it is
 * missing or off. A row: symbol, name in the configuration, what it gives, what happens without;
 * the last two are clauses that conf/reference.yaml makes sentences of.
 */
#ifndef SFR_LIB_MACHINE_FEATURE_H
#define SFR_LIB_MACHINE_FEATURE_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define SFR__FEATURE_LIST(row)                                                                  \
	row(SINGLE_ISSUER, "single_issuer", "the kernel relies on one thread to submit",        \
	    "it takes locks, as any thread might")                                              \
	row(DEFER_TASKRUN, "defer_taskrun", "operations complete only while the loop waits",    \
	    "they also do in between, as features.coop_taskrun says")                           \
	row(COOP_TASKRUN, "coop_taskrun", "completions do not interrupt running callbacks",     \
	    "each of them does")                                                                \
	row(SUBMIT_ALL, "submit_all", "an entry that is refused does not hold up the others",   \
	    "those after it go with the next system call")                                      \
	row(NO_SQARRAY, "no_sqarray", "the kernel takes entries in the order they are in",      \
	    "it looks their order up in an array")                                              \
	row(LINKS, "links", "a row of operations is started by the kernel itself",            \
	    "the loop starts each when those before it are done")                               \
	row(RECV_MULTI, "recv_multi", "one receive delivers until it is cancelled",             \
	    "each arrival takes a receive of its own")                                          \
	row(READ_MULTI, "read_multi", "one read of a pipe delivers until it is cancelled",      \
	    "the loop polls, and then reads into a buffer")                                     \
	row(ACCEPT_MULTI, "accept_multi", "one accept delivers until it is cancelled",          \
	    "each connection takes an accept of its own")                                       \
	row(BUFFER_RINGS, "buffer_rings", "the kernel picks a buffer when bytes arrive",        \
	    "the loop polls, and then receives into a buffer")                                  \
	row(INCREMENTAL, "incremental", "streams are received one behind the other into blocks", \
	    "each arrival takes a buffer of its own")                                          \
	row(FIXED_BUFFERS, "fixed_buffers", "the kernel keeps the pages of the buffers mapped", \
	    "it looks them up for each read and write of a file")                               \
	row(DIRECT_FILES, "direct_files", "the kernel puts what it opens where sfr_into says",  \
	    "the loop does, in a second step")                                                  \
	row(SEND_ZC, "send_zc", "the kernel sends from the buffer itself where it is asked to", \
	    "it sends a copy")                                                                  \
	row(NEW_OPCODES, "new_opcodes", "the kernel makes directories, links and sockets",      \
	    "a worker of the loop does what Linux 5.11 had no opcodes for")                     \
	row(NO_IOWAIT, "no_iowait", "a sleeping loop does not count as waiting for a disk",     \
	    "it shows up as iowait")                                                            \
	row(MIN_WAIT, "min_wait", "ring.min_wait lets completions gather",                      \
	    "the first of them ends the sleep")                                                 \
	row(NAPI, "napi", "ring.napi lets the kernel poll network devices",                     \
	    "they interrupt when something arrives")
/* clang-format on */

enum sfr__feature {
#define SFR__FEATURE_SYMBOL(symbol, name, gives, without) SFR__FEATURE_##symbol,
	SFR__FEATURE_LIST(SFR__FEATURE_SYMBOL)
#undef SFR__FEATURE_SYMBOL
		SFR__FEATURES
};

/* Its key in the configuration, "features.recv_multi". */
static inline const char *sfr__feature_key(enum sfr__feature feature)
{
	static const char *const keys[] = {
#define SFR__FEATURE_KEY(symbol, name, gives, without) "features." name,
		SFR__FEATURE_LIST(SFR__FEATURE_KEY)
#undef SFR__FEATURE_KEY
	};

	return keys[feature];
}

/* What the configuration says of one. */
enum sfr__switch {
	SFR__AUTO, /* where the kernel has it, and no quirk speaks against it */
	SFR__ON,   /* where the kernel has it, quirk or not */
	SFR__OFF,
};

/* A set of features. */
typedef uint32_t sfr__features;

#define SFR__FEATURES_ALL ((sfr__features)((1U << SFR__FEATURES) - 1))

static inline bool sfr__has(sfr__features set, enum sfr__feature feature)
{
	return set >> feature & 1;
}

#endif

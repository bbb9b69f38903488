/* SPDX-License-Identifier: MIT */
/*
 * Facts: what there is to know before anything can be said about io_uring on a machine.
 *
 * Plain data, so that a child can find it out, and tests can make it up. Looking and speaking are
 * apart: what follows from facts is the same wherever they come from.
 */
#ifndef SFR_TOOLS_SAFER_RING_FACTS_H
#define SFR_TOOLS_SAFER_RING_FACTS_H

#include "config/object.h"
#include "machine/probe.h"
#include "machine/quirk.h"
#include "source.h"

/* How far finding out went. */
enum facts_probing {
	FACTS_STUCK,  /* the child gave no answer */
	FACTS_SPARED, /* not tried: engine: epoll means that it must not be */
	FACTS_KILLED, /* a filter ended the child when it tried */
	FACTS_PROBED,
};

/* What loops here get. */
enum facts_outcome {
	FACTS_USE_URING,
	FACTS_USE_EPOLL,
	FACTS_NO_LOOP, /* the configuration is bad, or cannot be had here */
	FACTS_DEATH,   /* the program that makes one is killed */
	FACTS_UNKNOWN,
};

enum facts_feature {
	FACTS_FEATURE_UNKNOWN,
	FACTS_FEATURE_PRESENT,
	FACTS_FEATURE_MISSING,
	FACTS_FEATURE_BROKEN, /* present; a quirk speaks against it, and is heeded */
	FACTS_FEATURE_FORCED, /* the same, and the configuration insists */
	FACTS_FEATURE_OFF,    /* present; the configuration does without */
};

/* Which liburing it is. */
struct facts_liburing {
	char built[32]; /* the release whose headers it was built with; empty: unknown */
	/* the one it runs with; empty: it is older than 2.4, and cannot be asked */
	char running[32];
	char file[256]; /* where that one is; empty: it is part of the program */
};

struct facts {
	struct sfr__machine machine;
	struct facts_liburing liburing;
	enum facts_probing probing;
	struct sfr__probe probe; /* if probed */
	int signal;              /* that ended the child; 0: none */

	/* SAFER_RING_ENGINE, and below SAFER_RING_CONFIG; empty: not set */
	char engine_variable[64];
	char config_variable[256];

	bool configured;   /* how the next came out is known */
	int config_result; /* 0, or why `config` is empty: -SFR_ECONFIG, -ENOMEM, -errno of a file */
	sfr_config_error config_error;            /* if it was read from a file */
	char config_trouble[SOURCE_TROUBLE_SIZE]; /* the reason in words */
	struct sfr_config config;
};

/* Fill config_result and what belongs to it. Runs in the child. */
typedef void facts_configure(struct facts *facts, const void *arg);

/* With what the environment says, as programs without a file of their own have it. */
void facts_configure_default(struct facts *facts, const void *arg);

/* With a source alone, which is the argument. */
void facts_configure_source(struct facts *facts, const void *arg);

/*
 * Find out about this machine. Where a filter kills, it kills a child. 0 or -errno; the facts are to be
 * given to facts_free() in any case.
 */
int facts_look(struct facts **out, facts_configure *configure, const void *arg);
void facts_free(struct facts *facts);

enum facts_outcome facts_outcome(const struct facts *facts);

/* How many bytes of addresses a loop of this configuration takes when it is made; and whether RLIMIT_AS leaves
 * fewer, even to a program as small as this one. */
uint64_t facts_addresses(const struct facts *facts);
bool facts_lacks_addresses(const struct facts *facts);

/* Whether io_uring was tried, and works. */
bool facts_uring_works(const struct facts *facts);

/* Whether ring.sqpoll would be granted. `why` receives the evidence, in words. */
bool facts_sqpoll_fits(const struct facts *facts, char *why, size_t size);

enum facts_feature facts_feature(const struct facts *facts, enum sfr__feature feature);

/* The quirk against a feature here, or NULL. */
const struct sfr__quirk *facts_quirk(const struct facts *facts, enum sfr__feature feature);

const struct sfr__config_origin *facts_origin(const struct facts *facts, const char *key);

/* "/etc/ring.yaml:3", "SAFER_RING_ENGINE", "preset low_latency". Returns out. */
enum { FACTS_ORIGIN_SIZE = 288 };
const char *facts_origin_text(const struct facts *facts, const char *key,
			      char out[FACTS_ORIGIN_SIZE]);

/* Names, and what a feature is good for. */
const char *facts_feature_name(enum sfr__feature feature);
const char *facts_feature_gives(enum sfr__feature feature);
const char *facts_feature_without(enum sfr__feature feature);

#endif

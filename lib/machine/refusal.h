/* SPDX-License-Identifier: MIT */
/*
 * Refusal: why io_uring does not work here, and the narrowest way to allow it, in words for whoever
 * administrates the machine.
 */
#ifndef SFR_LIB_MACHINE_REFUSAL_H
#define SFR_LIB_MACHINE_REFUSAL_H

#include <stdbool.h>

struct sfr__machine;

/* How far it came. */
enum sfr__uring_step { SFR__STEP_SETUP, SFR__STEP_REGISTER, SFR__STEP_ENTER };

/* Who says so. */
enum sfr__verdict {
	SFR__ANSWERED, /* the call itself, with the error */
	SFR__KILLED,   /* the death of a child that called: see machine/sandbox.h */
	SFR__UNASKED,  /* nobody: a filter is in force, and there could be no such child */
};

struct sfr__refusal {
	int error; /* -errno; 0: it works */
	enum sfr__uring_step step;
	enum sfr__verdict verdict;
};

/* Whether another engine should do instead: the machine has none, or forbids it. */
bool sfr__refusal_is_final(const struct sfr__refusal *refusal);

/* Whether a seccomp filter is what forbids it. */
bool sfr__refusal_is_filter(const struct sfr__refusal *refusal, const struct sfr__machine *machine);

const char *sfr__refusal_call(enum sfr__uring_step step);

/* What the call was answered with: "EPERM", "SIGSYS". */
const char *sfr__refusal_answer(const struct sfr__refusal *refusal);

/* A clause each, without full stop. */
const char *sfr__refusal_cause(const struct sfr__refusal *refusal,
			       const struct sfr__machine *machine);
const char *sfr__refusal_fix(const struct sfr__refusal *refusal,
			     const struct sfr__machine *machine);

#endif

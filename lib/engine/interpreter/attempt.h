/* SPDX-License-Identifier: MIT */
/*
 * Attempt: what comes of trying a request once: which buffer it fills, whether it goes on after a part,
 * and how many completions it posts.
 */
#ifndef SFR_LIB_ENGINE_INTERPRETER_ATTEMPT_H
#define SFR_LIB_ENGINE_INTERPRETER_ATTEMPT_H

#include "engine/interpreter/interpreter.h"

/* The result with which it ends, or SFR__NOT_YET. A multishot request posts what came before that. */
int sfr__attempt(struct sfr__interpreter *interpreter, struct sfr__flight *flight);

/* What was transferred before it ended is the result, whatever ended it. */
int sfr__result_so_far(const struct sfr__flight *flight, int result);

#endif

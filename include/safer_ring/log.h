/* SPDX-License-Identifier: MIT */
/*
 * The log: the few things a library has to say that are not the result of a call.
 *
 * The library prints nothing by itself. A program that wants to hear installs a callback; the key
 * log.level of the configuration decides what reaches it. At level debug a loop tells the lives of its
 * operations, batches and connections, a line for each step:
 *
 *	op 0x100000003 read on fd 7: queued -> in flight (started)
 *	batch 2 op 1 write: waiting -> doomed (one that must succeed did not)
 *	connection on 9: open -> closing (ECONNRESET)
 *
 * The number of an op is its ticket. These lines are for people: their words may change.
 */
#ifndef SAFER_RING_LOG_H
#define SAFER_RING_LOG_H

#include <safer_ring/base.h>

SFR_BEGIN_DECLS

/** How much it matters, most first. */
enum sfr_log_level { SFR_LOG_OFF, SFR_LOG_ERROR, SFR_LOG_WARN, SFR_LOG_INFO, SFR_LOG_DEBUG };

/**
 * Hears one line, without line end. Must not call into the loop.
 *
 * @thread The one that had something to say.
 */
typedef void sfr_log_fn(enum sfr_log_level level, const char *line, void *arg);

/**
 * Install the callback of this process. Do it before loops are made.
 *
 * @param fn  NULL: silence, which is also the default.
 * @param arg Handed to fn.
 * @thread Any, before loops run.
 * @since 0.1
 */
SFR_API void sfr_log_to(sfr_log_fn *fn, void *arg);

/** A ready-made callback: "safer-ring: LEVEL: LINE" on standard error. @since 0.1 */
SFR_API void sfr_log_stderr(enum sfr_log_level level, const char *line, void *arg);

SFR_END_DECLS

#endif

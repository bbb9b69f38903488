/* SPDX-License-Identifier: MIT */
/*
 * Log: one line at a time to the callback of the process.
 */
#ifndef SFR_LIB_BASE_LOG_H
#define SFR_LIB_BASE_LOG_H

#include <safer_ring/log.h>

/* Say something, if `level` matters at least as much as `limit` asks for. */
__attribute__((format(printf, 3, 4))) void
sfr__log(enum sfr_log_level limit, enum sfr_log_level level, const char *format, ...);

/*
 * The caller broke a rule: say which. Returns err; with `fatal` (safety.abort) it does not return, but
 * prints the rule on standard error and aborts, so that the debugger stands at the very call.
 */
__attribute__((format(printf, 3, 4))) int sfr__misuse(bool fatal, int err, const char *format, ...);

/* The same for what only a loop's thread may do, and another did: -SFR_EFORKED in a child of fork, else -SFR_ETHREAD. */
int sfr__misuse_strange(bool fatal, bool forked, const char *what);

#endif

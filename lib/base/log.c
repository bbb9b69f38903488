/* SPDX-License-Identifier: MIT */
/*
 * Log, and the two ways to end a program that went wrong.
 *
 * The callback is one per process: libraries that log per object make their users plumb a pointer
 * through every call. Lines are cut at 512 bytes; nothing here allocates.
 */
#include "base/log.h"
#include "base/invariant.h"
#include <safer_ring/error.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
	sfr_log_fn *fn;
	void *arg;
} sink;

static const char *const level_names[] = {"off", "error", "warn", "info", "debug"};

void sfr_log_to(sfr_log_fn *fn, void *arg)
{
	sink.fn = fn;
	sink.arg = arg;
}

void sfr_log_stderr(enum sfr_log_level level, const char *line, void *arg)
{
	(void)arg;
	fprintf(stderr, "safer-ring: %s: %s\n", level_names[level], line);
}

static void log_args(enum sfr_log_level level, const char *format, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, args);
	sink.fn(level, line, sink.arg);
}

void sfr__log(enum sfr_log_level limit, enum sfr_log_level level, const char *format, ...)
{
	va_list args;

	if (!sink.fn || level > limit)
		return;
	va_start(args, format);
	log_args(level, format, args);
	va_end(args);
}

int sfr__misuse(bool fatal, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (fatal) {
		fprintf(stderr, "safer-ring: broken rule (%s): ", sfr_errname(err));
		vfprintf(stderr, format, args);
		fputc('\n', stderr);
		abort();
	}
	if (sink.fn)
		log_args(SFR_LOG_ERROR, format, args);
	va_end(args);
	return err;
}

int sfr__misuse_strange(bool fatal, bool forked, const char *what)
{
	return sfr__misuse(fatal, forked ? -SFR_EFORKED : -SFR_ETHREAD, "%s %s", what,
			   forked ? "in a forked child" : "by a thread that is not the loop's");
}

void sfr__invariant_broken(const char *what, const char *file, int line)
{
	fprintf(stderr, "safer-ring: internal error, please report: %s:%d: %s does not hold\n",
		file, line, what);
	abort();
}

/* SPDX-License-Identifier: MIT */
/*
 * What safer-ring-load tells people and programs.
 */
#ifndef SFR_TOOLS_LOAD_REPORT_H
#define SFR_TOOLS_LOAD_REPORT_H

#include "histogram.h"
#include "options.h"

typedef struct load_result {
	double seconds;           /* measured */
	uint64_t messages;        /* that came back while measuring */
	uint64_t bytes_verified;  /* from the first byte to the last */
	uint64_t errors;          /* connections that failed, and stalls */
	double server_cpu_us;     /* per message; negative: not known */
	const histogram *latency; /* nanoseconds, of the measured messages */
} load_result;

void load_report_table(const load_options *options, const load_result *result);
void load_report_json(const load_options *options, const load_result *result);

/* One line that overwrites the one before. */
void load_report_progress(double seconds, const char *phase, double messages_per_s,
			  const histogram *latency, uint64_t errors);

/* Before anything else is written to stderr. */
void load_report_progress_end(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The report: a table for people or one JSON object for programs, on standard output; progress on
 * standard error, in a line that is written over and over until load_report_progress_end() ends it.
 */
#include "report.h"
#include <stdio.h>

static bool line_open;

static double us_at(const histogram *latency, double share)
{
	return (double)histogram_at(latency, share) / 1e3;
}

static double per_second(const load_result *result)
{
	return result->seconds > 0 ? (double)result->messages / result->seconds : 0;
}

void load_report_table(const load_options *options, const load_result *result)
{
	double rate = per_second(result);

	printf("%s: %u connection%s, %zu bytes a message, %u in flight each\n",
	       options->address_text, options->connections, options->connections == 1 ? "" : "s",
	       options->size, options->pipeline);
	printf("  measured    %.2f s, %llu messages\n", result->seconds,
	       (unsigned long long)result->messages);
	printf("  throughput  %.0f messages/s, %.1f MiB/s each way\n", rate,
	       rate * (double)options->size / (1 << 20));
	printf("  latency     p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us\n",
	       us_at(result->latency, 0.5), us_at(result->latency, 0.99),
	       us_at(result->latency, 0.999), (double)result->latency->max / 1e3);
	if (result->server_cpu_us < 0)
		printf("  server CPU  n/a\n");
	else
		printf("  server CPU  %.3f us per message\n", result->server_cpu_us);
	printf("  verified    %llu bytes, %llu error%s\n",
	       (unsigned long long)result->bytes_verified, (unsigned long long)result->errors,
	       result->errors == 1 ? "" : "s");
}

void load_report_json(const load_options *options, const load_result *result)
{
	printf("{\"connections\": %u, \"size\": %zu, \"pipeline\": %u, ", options->connections,
	       options->size, options->pipeline);
	printf("\"seconds\": %.3f, \"messages\": %llu, \"messages_per_s\": %.1f, ", result->seconds,
	       (unsigned long long)result->messages, per_second(result));
	printf("\"bytes_verified\": %llu, ", (unsigned long long)result->bytes_verified);
	printf("\"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f, ",
	       us_at(result->latency, 0.5), us_at(result->latency, 0.99),
	       us_at(result->latency, 0.999), (double)result->latency->max / 1e3);
	if (result->server_cpu_us < 0)
		printf("\"server_cpu_us_per_message\": null, ");
	else
		printf("\"server_cpu_us_per_message\": %.4f, ", result->server_cpu_us);
	printf("\"errors\": %llu}\n", (unsigned long long)result->errors);
}

void load_report_progress(double seconds, const char *phase, double messages_per_s,
			  const histogram *latency, uint64_t errors)
{
	fprintf(stderr,
		"\r%4.0f s  %-10s  %9.0f messages/s  p50 %.1f us  p99 %.1f us  %llu errors ",
		seconds, phase, messages_per_s, us_at(latency, 0.5), us_at(latency, 0.99),
		(unsigned long long)errors);
	fflush(stderr);
	line_open = true;
}

void load_report_progress_end(void)
{
	if (line_open)
		fputc('\n', stderr);
	line_open = false;
}

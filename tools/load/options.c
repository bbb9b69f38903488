/* SPDX-License-Identifier: MIT */
/*
 * The command line, read strictly: a value that makes no sense ends the program with a sentence
 * that says what was expected, and status 2. What is returned can be used as it is.
 */
#include "options.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE_MAX_BYTES ((uint64_t)1 << 30)
#define WINDOW_MAX_BYTES ((uint64_t)1 << 40)

static const char help[] =
	"Usage: safer-ring-load --address tcp://HOST:PORT [OPTION]...\n"
	"Load an echo server, and check that every byte comes back.\n"
	"\n"
	"What to load:\n"
	"  --address tcp://HOST:PORT  the server; HOST is a number, as in tcp://127.0.0.1:7\n"
	"                             or tcp://[::1]:7\n"
	"  --connections N            connections at the same time (default 1)\n"
	"  --size BYTES               of one message: 512, 64KiB, 1MiB (default 64)\n"
	"  --pipeline N               messages in flight per connection (default 1)\n"
	"\n"
	"How long; whichever comes first, 5 seconds if neither is given:\n"
	"  --duration SECONDS         measure for so long\n"
	"  --messages N               send so many on each connection\n"
	"  --warmup SECONDS           run so long before measuring (default 0); needs --duration\n"
	"\n"
	"How fast:\n"
	"  --rate N                   messages per second, over all connections together. Each is due\n"
	"                             at its own time, and its latency counts from that time even if\n"
	"                             it had to wait for --pipeline. Default: a new message as soon as\n"
	"                             one is back.\n"
	"  --spin                     never sleep: look for answers all the time. Waking a load that\n"
	"                             sleeps costs the server more than a small message does.\n"
	"\n"
	"What to show:\n"
	"  --pid PID                  the server's process: tells its CPU time per message\n"
	"  --json                     print one JSON object instead of a table\n"
	"  --progress                 show progress every second, even if stderr is no terminal\n"
	"  --quiet                    no progress, no table\n"
	"  -h, --help                 this text\n"
	"\n"
	"In the end nothing more is sent, what is outstanding is awaited, the sending direction is shut\n"
	"down, and the server has to close every connection without another byte.\n"
	"\n"
	"Exit status: 0 if every byte came back, in order, on its own connection, and nothing else;\n"
	"1 if not, or if nothing moved for a minute; 2 for a command line that makes no sense.\n";

__attribute__((format(printf, 1, 2), noreturn)) static void refuse(const char *format, ...)
{
	va_list args;

	fputs("safer-ring-load: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nTry --help.\n", stderr);
	exit(2);
}

static uint64_t whole_of(const char *option, const char *text, uint64_t max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || n < 1 || n > max)
		refuse("--%s %s: expected a whole number from 1 to %llu", option, text,
		       (unsigned long long)max);
	return n;
}

static double positive_of(const char *option, const char *text, double max)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end || !(n > 0) || n > max)
		refuse("--%s %s: expected a number above 0 and up to %g", option, text, max);
	return n;
}

static size_t size_of(const char *text)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = {{"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!errno && text[0] >= '0' && text[0] <= '9' && n >= 1) {
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			if (strcmp(end, units[i].unit) == 0 &&
			    n <= SIZE_MAX_BYTES >> units[i].shift)
				return (size_t)n << units[i].shift;
		}
	}
	refuse("--size %s: expected a size from 1 to 1GiB, such as 512, 64KiB or 1MiB", text);
}

static void address_read(load_options *options, const char *text)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&options->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&options->address;
	const char *rest = text + strlen("tcp://");
	const char *colon = strrchr(text, ':');
	char host[64];
	char *end = NULL;
	unsigned long port = 0;
	size_t size;

	if (strncmp(text, "tcp://", strlen("tcp://")) != 0 || colon < rest)
		goto bad;
	size = (size_t)(colon - rest);
	port = strtoul(colon + 1, &end, 10);
	if (*end || colon[1] < '0' || colon[1] > '9' || port < 1 || port > 65535 ||
	    size >= sizeof(host))
		goto bad;

	memcpy(host, rest, size);
	host[size] = '\0';
	if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
		host[size - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
			goto bad;
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		options->address_size = sizeof(*v6);
	} else {
		if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
			goto bad;
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		options->address_size = sizeof(*v4);
	}
	options->address_text = text;
	return;
bad:
	refuse("--address %s: expected tcp://HOST:PORT with a numeric HOST, such as "
	       "tcp://127.0.0.1:7 or tcp://[::1]:7",
	       text);
}

/* What no single option can be blamed for. */
static void options_check(load_options *options)
{
	if (!options->address_text)
		refuse("--address is missing");
	if (options->duration <= 0 && options->messages == 0)
		options->duration = 5;
	if (options->warmup > 0 && options->duration <= 0)
		refuse("--warmup needs --duration: with --messages alone, the whole run is measured");
	if ((uint64_t)options->pipeline * options->size > WINDOW_MAX_BYTES)
		refuse("--pipeline %u of --size %zu: too much in flight", options->pipeline,
		       options->size);
}

enum option_name {
	OPTION_ADDRESS = 1,
	OPTION_CONNECTIONS,
	OPTION_SIZE,
	OPTION_PIPELINE,
	OPTION_DURATION,
	OPTION_MESSAGES,
	OPTION_WARMUP,
	OPTION_RATE,
	OPTION_SPIN,
	OPTION_PID,
	OPTION_JSON,
	OPTION_QUIET,
	OPTION_PROGRESS,
	OPTION_HELP,
};

static const struct option names[] = {
	{"address", required_argument, NULL, OPTION_ADDRESS},
	{"connections", required_argument, NULL, OPTION_CONNECTIONS},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"pipeline", required_argument, NULL, OPTION_PIPELINE},
	{"duration", required_argument, NULL, OPTION_DURATION},
	{"messages", required_argument, NULL, OPTION_MESSAGES},
	{"warmup", required_argument, NULL, OPTION_WARMUP},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"spin", no_argument, NULL, OPTION_SPIN},
	{"pid", required_argument, NULL, OPTION_PID},
	{"json", no_argument, NULL, OPTION_JSON},
	{"quiet", no_argument, NULL, OPTION_QUIET},
	{"progress", no_argument, NULL, OPTION_PROGRESS},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static void option_take(load_options *options, int name)
{
	switch (name) {
	case OPTION_ADDRESS:
		address_read(options, optarg);
		break;
	case OPTION_CONNECTIONS:
		options->connections = (unsigned)whole_of("connections", optarg, 65537);
		break;
	case OPTION_SIZE:
		options->size = size_of(optarg);
		break;
	case OPTION_PIPELINE:
		options->pipeline = (unsigned)whole_of("pipeline", optarg, 1 << 16);
		break;
	case OPTION_DURATION:
		options->duration = positive_of("duration", optarg, 1e6);
		break;
	case OPTION_MESSAGES:
		options->messages = whole_of("messages", optarg, (uint64_t)1 << 32);
		break;
	case OPTION_WARMUP:
		options->warmup = strcmp(optarg, "0") ? positive_of("warmup", optarg, 1e6) : 0;
		break;
	case OPTION_RATE:
		options->rate = positive_of("rate", optarg, 1e9);
		break;
	case OPTION_SPIN:
		options->spin = true;
		break;
	case OPTION_PID:
		options->pid = (pid_t)whole_of("pid", optarg, INT32_MAX);
		break;
	case OPTION_JSON:
		options->json = true;
		break;
	case OPTION_QUIET:
		options->quiet = true;
		break;
	case OPTION_PROGRESS:
		options->progress = true;
		break;
	case OPTION_HELP:
	case 'h':
		fputs(help, stdout);
		exit(0);
	default:
		fputs("Try --help.\n", stderr); /* getopt_long() has said what is wrong */
		exit(2);
	}
}

void load_options_read(load_options *options, int argc, char **argv)
{
	int name;

	*options = (load_options){.connections = 1, .size = 64, .pipeline = 1};
	options->progress = isatty(STDERR_FILENO);
	while ((name = getopt_long(argc, argv, "h", names, NULL)) != -1)
		option_take(options, name);
	if (optind < argc)
		refuse("%s: every argument is an option", argv[optind]);
	options_check(options);
	if (options->quiet)
		options->progress = false;
}

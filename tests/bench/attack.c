/* SPDX-License-Identifier: MIT */
/*
 * An attack on the memory of a server of this library: how much it takes, and what an honest client feels.
 *
 * The honest client asks at a steady pace, first alone and then beside the attackers. An answer that is late makes the
 * questions late that should have been asked meanwhile, and they count as well. What the server takes is the most that
 * was resident while it was attacked, without what was before.
 */
#include "attack.h"
#include "loopback.h"
#include <getopt.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#define GIVE_UP_NS UINT64_C(60000000000)
#define SAMPLES_MAX 4000000
#define KIB 1024UL

static const char *const kinds[] = {"chat", "pour", "keep"};

static struct {
	unsigned attackers;
	uint64_t every_ns;
	double seconds;
	int server_core, load_core;
	bool progress;
	unsigned long budget_kib;
} options = {.attackers = 400,
	     .every_ns = 20000000,
	     .seconds = 10,
	     .load_core = 1,
	     .budget_kib = 64 * KIB};

static struct attacked server;
static struct attackers attackers;

/*
 * The honest client.
 */

static uint32_t samples[SAMPLES_MAX]; /* us */
static size_t sample_count;

struct measured {
	double p50, p99, max; /* ms */
};

static int compare_samples(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double percentile(double part)
{
	return sample_count ? samples[(size_t)(part * (double)(sample_count - 1))] / 1e3 : 0;
}

static void ask(int fd)
{
	char line[HONEST_SIZE];

	memset(line, HONEST, sizeof(line));
	if (send(fd, line, sizeof(line), MSG_NOSIGNAL) != (ssize_t)sizeof(line))
		die("the honest client cannot ask", errno);
}

/* How many bytes of its own came back, among what others have said. */
static unsigned hear(int fd)
{
	static char heard[1 << 20];
	ssize_t got = recv(fd, heard, sizeof(heard), MSG_DONTWAIT);
	const char *at = heard;
	unsigned count = 0;

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0)
		die("the honest client was ended", got ? errno : EPIPE);
	while ((at = memchr(at, HONEST, (size_t)(heard + got - at)))) {
		count++;
		at++;
	}
	return count;
}

/* Pages of all sockets of the machine, in MiB. */
static unsigned kernel_mib(void)
{
	FILE *file = fopen("/proc/net/sockstat", "re");
	unsigned pages = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "TCP: inuse %*u orphan %*u tw %*u alloc %*u mem %u", &pages);
	if (file)
		fclose(file);
	return (unsigned)(pages * (unsigned long)sysconf(_SC_PAGESIZE) / KIB / KIB);
}

static unsigned kernel_mib_max;

static void progress(const char *phase, double seconds)
{
	unsigned mib = kernel_mib();

	kernel_mib_max = mib > kernel_mib_max ? mib : kernel_mib_max;
	if (options.progress)
		fprintf(stderr,
			"\r%s, %s: %3.0f s, resident %5lu MiB, sockets %5u MiB, ended %llu ",
			kinds[server.kind], phase, seconds, attacked_kib(&server, "VmRSS") / KIB,
			mib, atomic_load(&attackers.ended));
}

static void sample_note(uint64_t due, uint64_t now)
{
	if (sample_count < SAMPLES_MAX)
		samples[sample_count++] = (uint32_t)((now - due) / 1000);
}

static struct measured measure(int fd, const char *phase)
{
	uint64_t now = clock_ns(), begin = now, due = now, told = now;
	uint64_t end = begin + (uint64_t)(options.seconds * 1e9);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	unsigned missing = 0;

	sample_count = 0;
	for (; now < end || missing; now = clock_ns()) {
		struct timespec time = {0};

		if (!missing && now >= due) {
			ask(fd);
			missing = HONEST_SIZE;
		}
		time.tv_nsec = missing ? 100000000 : due > now ? (long)(due - now) : 0;
		if (ppoll(&wait, 1, &time, NULL) > 0) {
			unsigned count = hear(fd);

			if (missing && count >= missing) {
				sample_note(due, clock_ns());
				due += options.every_ns;
			}
			missing = count < missing ? missing - count : 0;
		}
		if (now > end + GIVE_UP_NS)
			die("the honest client is not answered", ETIMEDOUT);
		if (now - told > 1000000000) {
			told = now;
			progress(phase, (double)(now - begin) / 1e9);
		}
	}
	for (; due < now; due += options.every_ns) /* late, and not asked any more */
		sample_note(due, now);
	qsort(samples, sample_count, sizeof(samples[0]), compare_samples);
	return (struct measured){percentile(0.5), percentile(0.99), percentile(1)};
}

/*
 * The row.
 */

static const char *verdict(bool holds)
{
	return holds ? "ok" : "MISSED";
}

static int report(const struct measured *alone, const struct measured *beside,
		  const sfr_loop_stats *stats, unsigned long taken_kib)
{
	/* The attackers, the honest client, and the one that pours. */
	unsigned long limit_kib = options.budget_kib + options.attackers + 2 + 16 * KIB;
	bool is_small = taken_kib <= limit_kib && stats->bytes_max <= options.budget_kib * KIB;
	bool is_quick = beside->p99 <= alone->p99 + 50;

	printf("%8.2f %8.2f %8.2f %8.2f %8.2f %8.1f %-6s %6lu %6lu %-6s %6llu %6llu %8llu %7llu %7u\n",
	       alone->p50, alone->p99, beside->p50, beside->p99, beside->max,
	       beside->p99 - alone->p99, verdict(is_quick), taken_kib / KIB, limit_kib / KIB,
	       verdict(is_small), (unsigned long long)stats->shortages,
	       (unsigned long long)stats->ended_slow, (unsigned long long)stats->parked,
	       atomic_load(&attackers.sent) >> 20, kernel_mib_max);
	return is_small && is_quick ? 0 : 3;
}

static void usage(const char *name, FILE *out)
{
	fprintf(out,
		"usage: %s [--attackers N] [--budget-mib N] [--every-ms N] [--seconds S]\n"
		"       [--set KEY=VALUE]... [--come-back] [--server-core N] [--load-core N] [--progress]\n"
		"       chat|pour|keep\n"
		"\n"
		"  chat  a chat: so many guests never read, and one more pours to all\n"
		"  pour  an echo: so many pour, and never read\n"
		"  keep  the program keeps the last byte of each, and they send one after the other\n"
		"\n"
		"Prints a row. In ms, of an honest client that asks every 20 ms: p50 and p99 alone; p50, p99 and\n"
		"max while attacked, and the difference of the p99s (at most 50). In MiB: what the server took more\n"
		"than before, and may take (the budget, 16, and 1 KiB a connection). Counters of the loop:\n"
		"shortages, ended_slow, parked. In MiB: what the attackers sent, and what all sockets of the machine\n"
		"took. With --come-back attackers that were ended connect again.\n"
		"\n"
		"Exit status: 0; 3 if the server took more than it may, or kept the client waiting; 1 if something\n"
		"failed, the client was ended, or it waited for a minute.\n",
		name);
}

static enum attack_kind kind_of(const char *name)
{
	unsigned i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i], name) == 0)
			return (enum attack_kind)i;
	fprintf(stderr, "attack: %s: no such attack\n", name);
	exit(2);
}

static void setting_add(const char *setting)
{
	if (server.settings_count == SETTINGS_MAX)
		die("--set", E2BIG);
	server.settings[server.settings_count++] = setting;
}

static void options_read(int argc, char **argv)
{
	static const struct option known[] = {
		{"attackers", required_argument, NULL, 'a'},
		{"budget-mib", required_argument, NULL, 'b'},
		{"every-ms", required_argument, NULL, 'e'},
		{"seconds", required_argument, NULL, 's'},
		{"set", required_argument, NULL, 'k'},
		{"server-core", required_argument, NULL, 'S'},
		{"load-core", required_argument, NULL, 'L'},
		{"come-back", no_argument, NULL, 'r'},
		{"progress", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	static char budget[64];
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'a')
			options.attackers = number_of("attackers", optarg, 1, 20000);
		else if (c == 'b')
			options.budget_kib = number_of("budget-mib", optarg, 1, 65536) * KIB;
		else if (c == 'e')
			options.every_ns = number_of("every-ms", optarg, 1, 10000) *
					   UINT64_C(1000000);
		else if (c == 's')
			options.seconds = number_of("seconds", optarg, 1, 3600);
		else if (c == 'k')
			setting_add(optarg);
		else if (c == 'S')
			options.server_core = (int)number_of("server-core", optarg, 0, 1023);
		else if (c == 'L')
			options.load_core = (int)number_of("load-core", optarg, 0, 1023);
		else if (c == 'r')
			attackers.come_back = true;
		else if (c == 'p')
			options.progress = true;
		else {
			usage(argv[0], c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (optind != argc - 1) {
		usage(argv[0], stderr);
		exit(2);
	}
	server.kind = kind_of(argv[optind]);
	snprintf(budget, sizeof(budget), "buffers.budget=%luKiB", options.budget_kib);
	setting_add(budget);
}

static void descriptors_allow(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("RLIMIT_NOFILE", errno);
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur < options.attackers + 100)
		die("RLIMIT_NOFILE: for so many attackers", EMFILE);
}

int main(int argc, char **argv)
{
	struct measured alone, beside;
	unsigned long before_kib, taken_kib;
	sfr_loop_stats stats;
	int honest;

	options_read(argc, argv);
	descriptors_allow();
	server.core = options.server_core;
	attacked_start(&server);
	core_pin(options.load_core);
	honest = loopback_connect(server.port);
	alone = measure(honest, "alone");
	before_kib = attacked_kib(&server, "VmRSS");
	attackers.kind = server.kind;
	attackers.count = options.attackers;
	attackers.port = server.port;
	attackers.core = options.load_core;
	attackers_start(&attackers);
	beside = measure(honest, "attacked");
	taken_kib = attacked_kib(&server, "VmHWM") - before_kib;
	attackers_stop(&attackers);
	attacked_stop(&server, &stats);
	if (options.progress)
		fprintf(stderr, "\n");
	return report(&alone, &beside, &stats, taken_kib);
}

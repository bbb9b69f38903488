/* SPDX-License-Identifier: MIT */
/*
 * One peer that pours beside many that ask and wait: what it takes from them.
 *
 * The server is this library's, in a process of its own. The pingers have one message in flight each; the
 * flooder sends as fast as it can, and reads what comes back. In each round the pingers are measured
 * without the flooder and then with it, so that both see the same phase of the machine. The flooder has a
 * thread that runs only when the pingers wait (SCHED_IDLE): what they feel of it is the server's doing.
 */
#include "loopback.h"
#include <safer_ring.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PINGERS_MAX 1000
#define ROUNDS_MAX 100
#define SAMPLES_MAX 4000000
#define POUR 0xFF

static struct {
	const char *config;
	bool discard;
	unsigned pingers, rounds, size;
	double seconds;
	int server_core, load_core;
} options = {.pingers = 31, .rounds = 5, .size = 64, .seconds = 0.5, .load_core = 1};

static void check(int result, const char *what)
{
	if (result < 0)
		die(what, result < -4096 ? 0 : -result);
}

/*
 * The server.
 */

static void answer(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	(void)arg;
	if (options.discard && buf->data[0] == POUR)
		sfr_buf_release(buf);
	else
		(void)sfr_conn_send(conn, buf); /* a failure closes the connection */
}

/* Never returns. Says its port to `out`. */
static void server_run(int out)
{
	const sfr_handlers handlers = {.on_data = answer};
	sfr_config_error error;
	sfr_config *config = NULL;
	sfr_server *server;
	sfr_loop *loop;
	char text[64];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	core_pin(options.server_core);
	sfr_log_to(sfr_log_stderr, NULL);
	if (options.config)
		check(sfr_config_load(&config, options.config, &error), options.config);
	check(sfr_loop_new(&loop, config), "no loop");
	check(sfr_serve(loop, "tcp://127.0.0.1:0", &handlers, NULL, &server), "no server");
	check(sfr_server_address(server, text, sizeof(text)), "no address");
	if (write(out, strrchr(text, ':') + 1, 6) < 0)
		die("write", errno);
	check(sfr_loop_run(loop), "the loop ended");
	_exit(0);
}

static pid_t server_start(unsigned *port)
{
	char text[16] = "";
	int ends[2];
	pid_t child;

	if (pipe(ends) < 0)
		die("pipe", errno);
	child = fork();
	if (child < 0)
		die("fork", errno);
	if (child == 0)
		server_run(ends[1]);
	close(ends[1]);
	if (read(ends[0], text, sizeof(text) - 1) <= 0)
		exit(1); /* it has said why */
	close(ends[0]);
	*port = (unsigned)atoi(text);
	return child;
}

/*
 * The flooder.
 */

static atomic_bool pouring, over;
static atomic_ullong poured; /* bytes the server took */

static void *flooder(void *arg)
{
	static unsigned char out[65536], in[262144];
	const struct sched_param param = {0};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
	int fd = *(int *)arg, events = epoll_create1(EPOLL_CLOEXEC);
	ssize_t sent = 0, got = 0;

	core_pin(options.load_core);
	if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &param) != 0 ||
	    epoll_ctl(events, EPOLL_CTL_ADD, fd, &event) < 0)
		die("flooder", errno);
	memset(out, POUR, sizeof(out));
	while (!atomic_load(&over)) {
		sent = atomic_load(&pouring) ? send(fd, out, sizeof(out), MSG_DONTWAIT) : 0;
		if (sent > 0)
			atomic_fetch_add(&poured, (unsigned long long)sent);
		got = recv(fd, in, sizeof(in), MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			die("flooder", errno);
		if (sent <= 0 && got < 0)
			(void)epoll_wait(events, &event, 1, 1);
	}
	return NULL;
}

/*
 * The pingers.
 */

struct pinger {
	int fd;
	unsigned left; /* of the answer */
	uint64_t begin;
};

static struct pinger pingers[PINGERS_MAX];
static uint32_t samples[SAMPLES_MAX]; /* ns */
static size_t sample_count;
static char message[65536];

static void ping(struct pinger *pinger, uint64_t now)
{
	pinger->begin = now;
	pinger->left = options.size;
	if (send(pinger->fd, message, options.size, MSG_NOSIGNAL) != (ssize_t)options.size)
		die("pinger: send", errno);
}

static void pong(struct pinger *pinger, bool counts)
{
	char in[65536];
	ssize_t r = recv(pinger->fd, in, sizeof(in), MSG_DONTWAIT);
	uint64_t now = clock_ns();

	if (r < 0 && errno == EAGAIN)
		return;
	if (r <= 0)
		die("pinger: recv", r ? errno : EPIPE);
	pinger->left -= (unsigned)r;
	if (pinger->left)
		return;
	if (counts && sample_count < SAMPLES_MAX)
		samples[sample_count++] = (uint32_t)(now - pinger->begin);
	ping(pinger, now);
}

static int pingers_start(unsigned port)
{
	int events = epoll_create1(EPOLL_CLOEXEC);
	unsigned i;

	for (i = 0; i < options.pingers; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &pingers[i]};

		pingers[i].fd = loopback_connect(port);
		if (epoll_ctl(events, EPOLL_CTL_ADD, pingers[i].fd, &event) < 0)
			die("epoll_ctl", errno);
		ping(&pingers[i], clock_ns());
	}
	return events;
}

struct measured {
	double p50, p99, max; /* us */
	double rate;          /* round trips per second */
	double flood;         /* MB per second */
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

/* After a tenth more time, in which things settle. A round trip that does not end in ten seconds ends
 * this program. */
static struct measured measure(int events, bool with_flooder)
{
	struct epoll_event ready[PINGERS_MAX];
	uint64_t begin = clock_ns(), settled = begin + (uint64_t)(options.seconds * 1e8), now;
	uint64_t end = settled + (uint64_t)(options.seconds * 1e9);
	unsigned long long poured_before = 0;
	bool counts = false;
	int i, count;

	atomic_store(&pouring, with_flooder);
	sample_count = 0;
	while ((now = clock_ns()) < end) {
		if (!counts && now >= settled) {
			counts = true;
			poured_before = atomic_load(&poured);
		}
		count = epoll_wait(events, ready, PINGERS_MAX, 10000);
		if (count <= 0)
			die("the pingers stall", count ? errno : ETIMEDOUT);
		for (i = 0; i < count; i++)
			pong(ready[i].data.ptr, counts);
	}
	qsort(samples, sample_count, sizeof(samples[0]), compare_samples);
	return (struct measured){percentile(0.5), percentile(0.99), percentile(1),
				 (double)sample_count / options.seconds,
				 (double)(atomic_load(&poured) - poured_before) / options.seconds /
					 1e6};
}

/*
 * The table.
 */

static struct measured quiet[ROUNDS_MAX], flooded[ROUNDS_MAX];

static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median_of(double *values)
{
	qsort(values, options.rounds, sizeof(values[0]), compare_doubles);
	return values[options.rounds / 2];
}

#define MEDIAN(expression)                                    \
	({                                                    \
		double values_[ROUNDS_MAX];                   \
		for (unsigned i = 0; i < options.rounds; i++) \
			values_[i] = (expression);            \
		median_of(values_);                           \
	})

static void report(void)
{
	printf("%8.0f %8.0f %9.0f %8.0f %8.0f %9.0f %9.0f %8.2f %8.0f\n", MEDIAN(quiet[i].p50),
	       MEDIAN(quiet[i].p99), MEDIAN(quiet[i].rate), MEDIAN(flooded[i].p50),
	       MEDIAN(flooded[i].p99), MEDIAN(flooded[i].max), MEDIAN(flooded[i].rate),
	       MEDIAN(flooded[i].p99 / quiet[i].p99), MEDIAN(flooded[i].flood));
}

static void usage(const char *name, FILE *out)
{
	fprintf(out,
		"usage: %s [--config FILE] [--discard] [--pingers N] [--size BYTES] [--rounds N]\n"
		"       [--seconds S] [--server-core N] [--load-core N]\n"
		"prints: p50 p99 trips/s of the pingers alone; p50 p99 max trips/s beside the flooder;\n"
		"        the ratio of the p99s; MB/s of the flooder. Times in us, medians of the rounds.\n",
		name);
}

static void options_read(int argc, char **argv)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"discard", no_argument, NULL, 'd'},
		{"pingers", required_argument, NULL, 'p'},
		{"size", required_argument, NULL, 'z'},
		{"rounds", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"server-core", required_argument, NULL, 'S'},
		{"load-core", required_argument, NULL, 'L'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			options.config = optarg;
			break;
		case 'd':
			options.discard = true;
			break;
		case 'p':
			options.pingers = number_of("pingers", optarg, 1, PINGERS_MAX);
			break;
		case 'z':
			options.size = number_of("size", optarg, 1, sizeof(message));
			break;
		case 'r':
			options.rounds = number_of("rounds", optarg, 1, ROUNDS_MAX);
			break;
		case 's':
			options.seconds = strtod(optarg, NULL);
			break;
		case 'S':
			options.server_core = (int)number_of("server-core", optarg, 0, 1023);
			break;
		case 'L':
			options.load_core = (int)number_of("load-core", optarg, 0, 1023);
			break;
		case 'h':
			usage(argv[0], stdout);
			exit(0);
		default:
			usage(argv[0], stderr);
			exit(2);
		}
	}
	if (optind < argc || !(options.seconds > 0) || options.seconds > 3600) {
		usage(argv[0], stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	pthread_t thread;
	unsigned port, i;
	pid_t server;
	int events, flood;

	options_read(argc, argv);
	server = server_start(&port);
	core_pin(options.load_core);
	events = pingers_start(port);
	flood = loopback_connect(port);
	if (pthread_create(&thread, NULL, flooder, &flood) != 0)
		die("no thread", EAGAIN);
	(void)measure(events, false); /* warms up */
	for (i = 0; i < options.rounds; i++) {
		quiet[i] = measure(events, false);
		flooded[i] = measure(events, true);
	}
	report();
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A client of the line server: sends lines at a steady pace, and says how long their answers took.
 *
 *	line_client --port N --connections 16 --rate 2000 --milliseconds 2000
 *
 * Each line is due at its own time, whatever became of those before, and its latency counts from then, even if
 * its connection had to wait: so a server that stalls is charged for all that it kept waiting. When the client
 * itself woke too late nobody is charged.
 */
#include "listener.h"
#include <getopt.h>
#include <poll.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 64
#define BEHIND_MAX 4096

struct client {
	int fd;
	unsigned got;             /* of the answer */
	unsigned due_count;       /* lines it is behind with, that in flight included */
	uint64_t due[BEHIND_MAX]; /* when they were due, a ring */
	unsigned due_first;
};

static struct client *clients;
static char line[LINE_SIZE];
static uint64_t *latencies, latency_count, latency_max, measure_from;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void line_send(struct client *client)
{
	if (send(client->fd, line, LINE_SIZE, MSG_NOSIGNAL) != LINE_SIZE)
		die("line_client: send", errno);
}

static void line_due(struct client *client, uint64_t at)
{
	if (client->due_count == BEHIND_MAX)
		die("line_client: the server is too slow for this rate", ETIMEDOUT);
	client->due[(client->due_first + client->due_count++) % BEHIND_MAX] = at;
	if (client->due_count == 1)
		line_send(client);
}

static void answer_read(struct client *client)
{
	char text[LINE_SIZE];
	ssize_t n = recv(client->fd, text, LINE_SIZE - client->got, MSG_DONTWAIT);
	uint64_t due = client->due[client->due_first];

	if (n <= 0 || memcmp(text, line + client->got, (size_t)n) != 0)
		die("line_client: a wrong answer", EPROTO);
	client->got += (unsigned)n;
	if (client->got < LINE_SIZE)
		return;
	client->got = 0;
	if (due >= measure_from && latency_count < latency_max)
		latencies[latency_count++] = now_ns() - due;
	client->due_first = (client->due_first + 1) % BEHIND_MAX;
	if (--client->due_count)
		line_send(client);
}

static void clients_connect(unsigned count, unsigned port, int set)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	unsigned i;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (i = 0; i < count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
		int one = 1;

		clients[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (clients[i].fd < 0 ||
		    connect(clients[i].fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		    setsockopt(clients[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
		    epoll_ctl(set, EPOLL_CTL_ADD, clients[i].fd, &event) < 0)
			die("line_client: connect", errno);
	}
}

static void answers_await(int set, uint64_t until)
{
	struct epoll_event events[256];
	struct pollfd fd = {.fd = set, .events = POLLIN};
	uint64_t now = now_ns(), left = until > now ? until - now : 0;
	struct timespec time = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
	int count, i;

	if (ppoll(&fd, 1, &time, NULL) <= 0)
		return;
	count = epoll_wait(set, events, 256, 0);
	for (i = 0; i < count; i++)
		answer_read(events[i].data.ptr);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"port", required_argument, NULL, 'p'},
						{"connections", required_argument, NULL, 'c'},
						{"rate", required_argument, NULL, 'r'},
						{"milliseconds", required_argument, NULL, 'm'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	unsigned port = 0, count = 16, rate = 2000, milliseconds = 1000, next = 0;
	int option, set = epoll_create1(EPOLL_CLOEXEC);
	struct rlimit files;
	uint64_t due, end, gap;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'p')
			port = number_of("port", optarg, 1, 65535);
		else if (option == 'c')
			count = number_of("connections", optarg, 1, 100000);
		else if (option == 'r')
			rate = number_of("rate", optarg, 1, 1000000);
		else if (option == 'm')
			milliseconds = number_of("milliseconds", optarg, 1, 1000000);
		else
			return puts("usage: line_client --port N [--connections N] [--rate N]"
				    " [--milliseconds N]\n\nLines per second over all connections;"
				    " prints count, p50 and p99 in us. It measures after 300 ms."),
			       option == 'h' ? 0 : 2;
	}
	(void)prctl(PR_SET_TIMERSLACK, 1UL); /* or it wakes 50 us late */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	latency_max = (uint64_t)rate * milliseconds / 1000 + 1;
	clients = calloc(count, sizeof(*clients));
	latencies = calloc(latency_max, sizeof(*latencies));
	if (!clients || !latencies || set < 0)
		die("line_client", ENOMEM);
	memset(line, 'x', LINE_SIZE - 1);
	line[LINE_SIZE - 1] = '\n';
	clients_connect(count, port, set);

	gap = 1000000000 / rate;
	due = now_ns() + gap;
	measure_from = due + 300000000;
	end = measure_from + (uint64_t)milliseconds * 1000000;
	while (due < end) {
		answers_await(set, due);
		for (; due <= now_ns() && due < end; due += gap, next = (next + 1) % count)
			line_due(&clients[next], now_ns());
	}
	for (end += 2000000000; latency_count < latency_max - 1 && now_ns() < end;)
		answers_await(set, end);
	if (!latency_count)
		die("line_client: no answers", ETIMEDOUT);
	qsort(latencies, latency_count, sizeof(*latencies), compare);
	printf("lines %llu p50 %.1f p99 %.1f\n", (unsigned long long)latency_count,
	       (double)latencies[latency_count / 2] / 1000,
	       (double)latencies[latency_count * 99 / 100] / 1000);
	return 0;
}

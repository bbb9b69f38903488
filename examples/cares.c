/* SPDX-License-Identifier: MIT */
/*
 * c-ares on the loop: resolves many names, all at once.
 *
 *	cares localhost debian.org ::1
 *	cares --server 127.0.0.1:5353 some.name
 *
 * Shows how c-ares, which brings its own sockets, lives on a loop: it says which to watch for what, several
 * at a time, and how long it would wait for an answer. A socket that it lets go of is closed next. So polls are
 * abandoned, not cancelled: then none calls back any more, not even one that was about to.
 */
#include <safer_ring.h>
#include <ares.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static sfr_loop *loop;
static ares_channel channel;
static sfr_ticket polls[65536], timer; /* 0, and tickets of what is over, are harmless */
static int failed;

static void check(bool good, const char *what, const char *why)
{
	if (good)
		return;
	fprintf(stderr, "cares: %s (%s)\n", what, why);
	exit(EXIT_FAILURE);
}

/* A socket is ready, or with none (-1) the time is up. A poll that failed is over: c-ares tries to read. */
static void ready(sfr_loop *l, int result, sfr_buf *buf, void *arg)
{
	int fd = (int)(intptr_t)arg;
	int in = result < 0 || result & (POLLIN | POLLHUP | POLLERR) ? fd : ARES_SOCKET_BAD;
	struct timeval left;

	(void)l, (void)buf;
	ares_process_fd(channel, in, result & POLLOUT ? fd : ARES_SOCKET_BAD);
	sfr_abandon(loop, timer);
	if (!ares_timeout(channel, NULL, &left))
		return; /* there are no queries */
	timer = sfr_submit(sfr_timeout(loop, (uint64_t)left.tv_sec * 1000000000 +
						     (uint64_t)left.tv_usec * 1000),
			   ready, (void *)(intptr_t)ARES_SOCKET_BAD);
	check(timer, "cannot wait", "no memory");
}

/* Called in ares_process_fd(), and whenever a query begins or ends. */
static void watch(void *arg, ares_socket_t fd, int in, int out)
{
	unsigned events = (in ? POLLIN : 0) | (out ? POLLOUT : 0);

	(void)arg;
	check(fd < 65536, "too many sockets", "ask for fewer names");
	sfr_abandon(loop, polls[fd]);
	if (!events)
		return;
	polls[fd] = sfr_submit(sfr_poll_multi(loop, fd, events), ready, (void *)(intptr_t)fd);
	check(polls[fd], "cannot watch a socket", "no memory");
}

static void resolved(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	char text[NI_MAXHOST];

	(void)timeouts;
	if (status == ARES_ECANCELLED || status == ARES_EDESTRUCTION)
		return;
	if (status != ARES_SUCCESS) {
		printf("%s: %s\n", (char *)arg, ares_strerror(status));
		failed++;
		return;
	}
	for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
		if (getnameinfo(node->ai_addr, node->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST) == 0)
			printf("%s: %s\n", (char *)arg, text);
	ares_freeaddrinfo(info);
}

static int usage(bool asked)
{
	fputs("usage: cares [--server ADDRESS[:PORT],...] NAME...\n"
	      "Find the addresses of names, all at once.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"server", required_argument, NULL, 's'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC};
	struct ares_options how = {.sock_state_cb = watch, .timeout = 1000, .tries = 3};
	const char *servers = NULL;
	int r, option;

	while ((option = getopt_long(argc, argv, "s:h", options, NULL)) != -1) {
		if (option != 's')
			return usage(option == 'h');
		servers = optarg;
	}
	if (optind == argc)
		return usage(false);
	r = sfr_loop_new(&loop, NULL);
	check(r == 0, "cannot make a loop: ask `safer-ring doctor`", sfr_strerror(r));
	ares_library_init(ARES_LIB_INIT_ALL);
	r = ares_init_options(&channel, &how,
			      ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (r == ARES_SUCCESS && servers)
		r = ares_set_servers_ports_csv(channel, servers);
	check(r == ARES_SUCCESS, "cannot use that server, or none", ares_strerror(r));
	for (; optind < argc; optind++)
		ares_getaddrinfo(channel, argv[optind], NULL, &hints, resolved, argv[optind]);
	ready(loop, 0, NULL, (void *)(intptr_t)ARES_SOCKET_BAD); /* from now on it keeps time */
	r = sfr_loop_run(loop); /* until c-ares waits for nothing */
	check(r == 0, "the loop ended", sfr_strerror(r));

	ares_destroy(channel);
	ares_library_cleanup();
	return sfr_loop_drain(loop, -1) < 0 || sfr_loop_free(loop) < 0 || failed > 0;
}

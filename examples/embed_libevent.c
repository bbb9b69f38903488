/* SPDX-License-Identifier: MIT */
/*
 * Embedded in libevent: an echo server beside a timer and a signal of the host's.
 *
 *	embed_libevent tcp://127.0.0.1:7777
 *
 * Shows the adapter for libevent, which keeps event_base_dispatch() going until it is told to break.
 */
#include <safer_ring.h>
#include <safer_ring/libevent.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t echoed, told;

static void check(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "embed_libevent: %s (%s)\n", what, sfr_strerror(result));
		exit(EXIT_FAILURE);
	}
}

static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	if (sfr_conn_send(conn, buf) > 0)
		echoed += (unsigned)result;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	if (told != echoed)
		printf("echoed %" PRIu64 " bytes\n", told = echoed), fflush(stdout);
}

static void stop(evutil_socket_t fd, short what, void *host)
{
	(void)fd, (void)what;
	event_base_loopbreak(host);
}

static int usage(bool asked)
{
	fputs("usage: embed_libevent tcp://HOST:PORT\n"
	      "Send back whatever arrives, beside a timer of the host's.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL);
	const sfr_handlers handlers = {.on_data = echo};
	const struct timeval interval = {0, 200000};
	struct event_base *host = event_base_new();
	struct event *timer = event_new(host, -1, EV_PERSIST, tick, NULL);
	struct event *term = evsignal_new(host, SIGTERM, stop, host);
	sfr_libevent *guest;
	sfr_server *server;
	sfr_loop *loop;
	char address[128];

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 2)
		return usage(option == 'h');
	check(sfr_loop_new(&loop, NULL), "cannot make a loop: ask `safer-ring doctor`");
	check(sfr_serve(loop, argv[1], &handlers, NULL, &server), sfr_loop_refusal(loop));
	check(sfr_server_address(server, address, sizeof(address)), "no address");
	printf("listening on %s\n", address), fflush(stdout);

	check(sfr_libevent_attach(&guest, host, loop), "cannot attach it");
	check(event_add(timer, &interval) | event_add(term, NULL) ? -ENOMEM : 0, "no events");
	event_base_dispatch(host);

	check(sfr_libevent_error(guest), "the loop ended");
	sfr_libevent_detach(guest);
	event_free(timer);
	event_free(term);
	event_base_free(host);
	check(sfr_loop_drain(loop, -1), "connections did not close");
	return sfr_loop_free(loop) < 0;
}

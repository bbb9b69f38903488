/* SPDX-License-Identifier: MIT */
/*
 * Embedded in libev: an echo server beside a timer and a signal of the host's.
 *
 *	embed_libev tcp://127.0.0.1:7777
 *
 * Shows the adapter for libev, and how it ends: ev_run() goes on while the loop has something in flight, and
 * returns by itself when the server and its connections are closed.
 */
#include <safer_ring.h>
#include <safer_ring/libev.h>
#include <ev.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t echoed, told;

static void check(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "embed_libev: %s (%s)\n", what, sfr_strerror(result));
		exit(EXIT_FAILURE);
	}
}

static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	if (sfr_conn_send(conn, buf) > 0)
		echoed += (unsigned)result;
}

static void tick(struct ev_loop *host, ev_timer *timer, int what)
{
	(void)host, (void)timer, (void)what;
	if (told != echoed)
		printf("echoed %" PRIu64 " bytes\n", told = echoed), fflush(stdout);
}

static void stop(struct ev_loop *host, ev_signal *term, int what)
{
	(void)what;
	ev_signal_stop(host, term);
	sfr_server_close(term->data);
}

static int usage(bool asked)
{
	fputs("usage: embed_libev tcp://HOST:PORT\n"
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
	struct ev_loop *host = ev_default_loop(0);
	ev_timer timer;
	ev_signal term;
	sfr_server *server;
	sfr_libev *guest;
	sfr_loop *loop;
	char address[128];

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 2)
		return usage(option == 'h');
	check(sfr_loop_new(&loop, NULL), "cannot make a loop: ask `safer-ring doctor`");
	check(sfr_serve(loop, argv[1], &handlers, NULL, &server), sfr_loop_refusal(loop));
	check(sfr_server_address(server, address, sizeof(address)), "no address");
	printf("listening on %s\n", address), fflush(stdout);

	check(sfr_libev_attach(&guest, host, loop), "cannot attach it");
	ev_timer_init(&timer, tick, 0.2, 0.2);
	ev_timer_start(host, &timer);
	ev_unref(host); /* it is nothing to go on for */
	ev_signal_init(&term, stop, SIGTERM);
	term.data = server;
	ev_signal_start(host, &term);
	ev_run(host, 0);

	check(sfr_libev_error(guest), "the loop ended");
	sfr_libev_detach(guest);
	ev_ref(host);
	ev_timer_stop(host, &timer);
	ev_loop_destroy(host);
	check(sfr_loop_drain(loop, -1), "connections did not close");
	return sfr_loop_free(loop) < 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Embedded in sd-event: an echo server beside a timer and a signal of the host's.
 *
 *	embed_sd_event tcp://127.0.0.1:7777
 *
 * Shows the adapter for systemd's event loop, which goes on until sd_event_exit().
 */
#include <safer_ring.h>
#include <safer_ring/sd_event.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-event.h>
#include <time.h>

static uint64_t echoed, told;

static void check(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "embed_sd_event: %s (%s)\n", what, sfr_strerror(result));
		exit(EXIT_FAILURE);
	}
}

static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	if (sfr_conn_send(conn, buf) > 0)
		echoed += (unsigned)result;
}

static int tick(sd_event_source *timer, uint64_t at_us, void *arg)
{
	(void)at_us, (void)arg;
	if (told != echoed)
		printf("echoed %" PRIu64 " bytes\n", told = echoed), fflush(stdout);
	return sd_event_source_set_time_relative(timer, 200000);
}

static int usage(bool asked)
{
	fputs("usage: embed_sd_event tcp://HOST:PORT\n"
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
	sd_event_source *timer;
	sfr_sd_event *guest;
	sfr_server *server;
	sfr_loop *loop;
	sd_event *host;
	sigset_t term;
	char address[128];

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 2)
		return usage(option == 'h');
	check(sfr_loop_new(&loop, NULL), "cannot make a loop: ask `safer-ring doctor`");
	check(sfr_serve(loop, argv[1], &handlers, NULL, &server), sfr_loop_refusal(loop));
	check(sfr_server_address(server, address, sizeof(address)), "no address");
	printf("listening on %s\n", address), fflush(stdout);

	sigemptyset(&term), sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL); /* sd-event reads it from a descriptor */
	check(sd_event_default(&host), "no host");
	check(sfr_sd_event_attach(&guest, host, loop), "cannot attach it");
	check(sd_event_add_time_relative(host, &timer, CLOCK_MONOTONIC, 200000, 0, tick, NULL),
	      "no timer");
	check(sd_event_source_set_enabled(timer, SD_EVENT_ON), "no timer");
	check(sd_event_add_signal(host, NULL, SIGTERM, NULL, NULL), "no signal"); /* it exits */
	check(sd_event_loop(host), "the host ended");

	check(sfr_sd_event_error(guest), "the loop ended");
	sfr_sd_event_detach(guest);
	sd_event_source_unref(timer);
	sd_event_unref(host);
	check(sfr_loop_drain(loop, -1), "connections did not close");
	return sfr_loop_free(loop) < 0;
}

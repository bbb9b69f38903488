/* SPDX-License-Identifier: MIT */
/*
 * Embedded in libuv: an echo server beside a timer and a signal of the host's.
 *
 *	embed_libuv tcp://127.0.0.1:7777
 *
 * Shows the adapter for libuv, and how it ends: uv_run() goes on while the loop has something in flight, and
 * returns by itself when the server and its connections are closed.
 */
#include <safer_ring.h>
#include <safer_ring/uv.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static uint64_t echoed, told;

static void check(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "embed_libuv: %s (%s)\n", what, sfr_strerror(result));
		exit(EXIT_FAILURE);
	}
}

static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	if (sfr_conn_send(conn, buf) > 0)
		echoed += (unsigned)result;
}

static void tick(uv_timer_t *timer)
{
	(void)timer;
	if (told != echoed)
		printf("echoed %" PRIu64 " bytes\n", told = echoed), fflush(stdout);
}

static void stop(uv_signal_t *signal_handle, int signal_number)
{
	(void)signal_number;
	uv_signal_stop(signal_handle);
	sfr_server_close(signal_handle->data);
}

static int usage(bool asked)
{
	fputs("usage: embed_libuv tcp://HOST:PORT\n"
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
	uv_loop_t *host = uv_default_loop();
	uv_timer_t timer;
	uv_signal_t term;
	sfr_server *server;
	sfr_loop *loop;
	sfr_uv *guest;
	char address[128];

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 2)
		return usage(option == 'h');
	check(sfr_loop_new(&loop, NULL), "cannot make a loop: ask `safer-ring doctor`");
	check(sfr_serve(loop, argv[1], &handlers, NULL, &server), sfr_loop_refusal(loop));
	check(sfr_server_address(server, address, sizeof(address)), "no address");
	printf("listening on %s\n", address), fflush(stdout);

	check(sfr_uv_attach(&guest, host, loop), "cannot attach it");
	check(uv_timer_init(host, &timer) | uv_timer_start(&timer, tick, 200, 200), "no timer");
	uv_unref((uv_handle_t *)&timer); /* nothing to go on for */
	check(uv_signal_init(host, &term) | uv_signal_start(&term, stop, SIGTERM), "no signal");
	term.data = server;
	uv_run(host, UV_RUN_DEFAULT);

	check(sfr_uv_error(guest), "the loop ended");
	sfr_uv_detach(guest);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_close((uv_handle_t *)&term, NULL);
	uv_run(host, UV_RUN_DEFAULT); /* what is closed is gone after one more turn */
	check(uv_loop_close(host), "something is left in the host");
	check(sfr_loop_drain(loop, -1), "connections did not close");
	return sfr_loop_free(loop) < 0;
}

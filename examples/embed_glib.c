/* SPDX-License-Identifier: MIT */
/*
 * Embedded in GLib: an echo server is a source of the main loop, beside a timeout and a signal.
 *
 *	embed_glib tcp://127.0.0.1:7777
 *
 * Shows the adapter for GLib. A main loop runs until it is told to quit, whatever its sources have to do.
 */
#include <safer_ring.h>
#include <safer_ring/glib.h>
#include <errno.h>
#include <glib-unix.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t echoed, told;

static void check(int result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "embed_glib: %s (%s)\n", what, sfr_strerror(result));
		exit(EXIT_FAILURE);
	}
}

static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	if (sfr_conn_send(conn, buf) > 0)
		echoed += (unsigned)result;
}

static gboolean tick(gpointer arg)
{
	(void)arg;
	if (told != echoed)
		printf("echoed %" PRIu64 " bytes\n", told = echoed), fflush(stdout);
	return G_SOURCE_CONTINUE;
}

static gboolean stop(gpointer host)
{
	g_main_loop_quit(host);
	return G_SOURCE_REMOVE;
}

static int usage(bool asked)
{
	fputs("usage: embed_glib tcp://HOST:PORT\n"
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
	GMainLoop *host = g_main_loop_new(NULL, FALSE);
	sfr_server *server;
	GSource *source;
	sfr_loop *loop;
	char address[128];

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 2)
		return usage(option == 'h');
	check(sfr_loop_new(&loop, NULL), "cannot make a loop: ask `safer-ring doctor`");
	check(sfr_serve(loop, argv[1], &handlers, NULL, &server), sfr_loop_refusal(loop));
	check(sfr_server_address(server, address, sizeof(address)), "no address");
	printf("listening on %s\n", address), fflush(stdout);

	source = sfr_glib_source_new(loop);
	check(source ? 0 : -errno, "cannot attach it");
	g_source_attach(source, NULL);
	g_timeout_add(200, tick, NULL);
	g_unix_signal_add(SIGTERM, stop, host);
	g_main_loop_run(host);

	check(sfr_glib_source_error(source), "the loop ended");
	g_source_destroy(source);
	g_source_unref(source);
	g_main_loop_unref(host);
	check(sfr_loop_drain(loop, -1), "connections did not close");
	return sfr_loop_free(loop) < 0;
}

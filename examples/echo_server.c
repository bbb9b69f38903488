/* SPDX-License-Identifier: MIT */
/*
 * Echo server: sends back whatever arrives, in the very buffers it arrived in.
 *
 *	echo_server --config conf/low_latency.yaml --address tcp://127.0.0.1:7777
 *
 * Shows a server as callback handlers, a configuration from a file, and an orderly end: SIGINT or
 * SIGTERM stops the loop, draining closes every connection, and then no buffer is missing.
 */
#include <safer_ring.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static sfr_loop *loop;

/* Bytes arrived. Sending the buffer gives it away; once sent it is back in the slab. */
static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
	sfr_conn_send(conn, buf); /* a failure closes the connection: there is no more to do */
}

static void stop(int signal_number)
{
	(void)signal_number;
	sfr_loop_stop(loop);
}

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "echo_server: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

static int usage(bool asked)
{
	fputs("usage: echo_server [--config FILE] [--address tcp://HOST:PORT]\n"
	      "Send back whatever arrives, until SIGINT or SIGTERM.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"address", required_argument, NULL, 'a'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const sfr_handlers handlers = {.on_data = echo};
	const char *path = NULL, *address = "tcp://127.0.0.1:7777";
	sfr_config *config = NULL;
	sfr_config_error error;
	sfr_server *server;
	sfr_loop_stats stats;
	char text[600] = "no configuration";
	int option;

	while ((option = getopt_long(argc, argv, "c:a:h", options, NULL)) != -1) {
		if (option != 'c' && option != 'a')
			return usage(option == 'h');
		*(option == 'c' ? &path : &address) = optarg;
	}
	if (optind < argc)
		return usage(false);
	sfr_log_to(sfr_log_stderr, NULL);
	if (path && sfr_config_load(&config, path, &error) < 0)
		check(-SFR_ECONFIG, (sfr_config_error_text(&error, text, sizeof(text)), text));
	check(sfr_loop_new(&loop, config), "cannot make a loop");
	sfr_config_free(config);

	check(sfr_serve(loop, address, &handlers, NULL, &server), sfr_loop_refusal(loop));
	check(sfr_server_address(server, text, sizeof(text)), "no address");
	printf("listening on %s\n", text), fflush(stdout);
	signal(SIGINT, stop), signal(SIGTERM, stop);
	check(sfr_loop_run(loop), "the loop ended");

	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	check(sfr_loop_drain(loop, -1), "connections did not close");
	printf("turns %" PRIu64 " syscalls %" PRIu64 " held %" PRIu64 " held_max %" PRIu64 "\n",
	       stats.turns, stats.syscalls, stats.bufs_held, stats.bufs_held_max);
	check(sfr_loop_free(loop), "something is still in flight");
	return 0;
}

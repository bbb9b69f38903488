/* SPDX-License-Identifier: MIT */
/*
 * Chat: what one says, all hear. One buffer a message, however many hear it: nothing is copied.
 *
 *	chat --address tcp://127.0.0.1:7777 &
 *	nc 127.0.0.1 7777
 *
 * Shows shared buffers: each connection gets a reference of its own, and the message goes back to the
 * slab when the last of them has sent it.
 */
#include <safer_ring.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define GUESTS_MAX 4096

static sfr_conn *guests[GUESTS_MAX];
static size_t guest_count;
static uint64_t said, heard;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "chat: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

static void joined(sfr_conn *conn, void *arg)
{
	(void)arg;
	if (guest_count == GUESTS_MAX)
		sfr_conn_close(conn);
	else
		guests[guest_count++] = conn;
}

static void left(sfr_conn *conn, int reason, void *arg)
{
	(void)reason, (void)arg;
	for (size_t i = 0; i < guest_count; i++)
		if (guests[i] == conn)
			guests[i--] = guests[--guest_count];
}

/* Without memory for a reference that guest misses the message, and is closed for it. */
static void says(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
	said++;
	for (size_t i = 0; i < guest_count; i++)
		if (guests[i] != conn)
			heard += sfr_conn_send(guests[i], sfr_buf_share(buf)) > 0;
	sfr_buf_release(buf);
}

static void asked_to_stop(sfr_loop *loop, int signal_number, sfr_buf *buf, void *arg)
{
	(void)buf, (void)arg;
	if (signal_number > 0)
		sfr_loop_stop(loop);
}

static int usage(bool asked)
{
	fputs("usage: chat [--address tcp://HOST:PORT]\n"
	      "What one says, all others hear.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"address", required_argument, NULL, 'a'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const sfr_handlers handlers = {.on_open = joined, .on_data = says, .on_close = left};
	const char *address = "tcp://127.0.0.1:7777";
	sfr_loop_stats stats;
	sfr_server *server;
	sfr_loop *loop;
	char text[128];
	int option;

	while ((option = getopt_long(argc, argv, "a:h", options, NULL)) != -1) {
		if (option != 'a')
			return usage(option == 'h');
		address = optarg;
	}
	if (optind < argc)
		return usage(false);
	sfr_log_to(sfr_log_stderr, NULL);
	check(sfr_loop_new(&loop, NULL), "cannot make a loop");
	check(sfr_serve(loop, address, &handlers, NULL, &server), sfr_loop_refusal(loop));
	check(sfr_server_address(server, text, sizeof(text)), "no address");
	sfr_submit(sfr_signal(loop, SIGINT), asked_to_stop, NULL);
	sfr_submit(sfr_signal(loop, SIGTERM), asked_to_stop, NULL);
	printf("listening on %s\n", text), fflush(stdout);
	check(sfr_loop_run(loop), "the loop ended");

	check(sfr_loop_drain(loop, -1), "connections did not close");
	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	printf("said %" PRIu64 " heard %" PRIu64 " slow %" PRIu64 " held %" PRIu64 "\n", said,
	       heard, stats.ended_slow, stats.bufs_held);
	check(sfr_loop_free(loop), "something is still in flight");
	return 0;
}

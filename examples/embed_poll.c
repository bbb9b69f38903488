/* SPDX-License-Identifier: MIT */
/*
 * Embedded in poll(): a program with a timer of its own gets an echo server.
 *
 *	embed_poll --address tcp://127.0.0.1:7777
 *
 * Shows two worlds in one thread. The loop has the connections, and the signals that end it all; the host has
 * a clock, and says every now and then what the loop has echoed.
 */
#include <safer_ring.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

static uint64_t echoed, told;
static bool stopped;

static void check(int result, const char *what, const char *advice)
{
	if (result >= 0)
		return;
	fprintf(stderr, "embed_poll: %s (%s): %s\n", what, sfr_strerror(result), advice);
	exit(EXIT_FAILURE);
}

static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	if (sfr_conn_send(conn, buf) > 0)
		echoed += (unsigned)result;
}

static void stop(sfr_loop *loop, int signal_number, sfr_buf *buf, void *arg)
{
	(void)loop, (void)buf, (void)arg;
	stopped |= signal_number > 0;
}

/* The host's own business, as it was before there was a loop. */
static void tick(int clock_fd)
{
	uint64_t ticks;

	if (read(clock_fd, &ticks, sizeof(ticks)) > 0 && told != echoed)
		printf("echoed %" PRIu64 " bytes\n", told = echoed), fflush(stdout);
}

static int usage(bool asked)
{
	fputs("usage: embed_poll [--address tcp://HOST:PORT]\n"
	      "Send back whatever arrives, beside a timer of this program's.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"address", required_argument, NULL, 'a'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const struct itimerspec ticks = {{0, 200000000}, {0, 200000000}};
	const char *address = "tcp://127.0.0.1:7777";
	const sfr_handlers handlers = {.on_data = echo};
	struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
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
	fds[0].fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (timerfd_settime(fds[0].fd, 0, &ticks, NULL) < 0)
		check(-errno, "no clock", "allow more files: ulimit -n");

	check(sfr_loop_new(&loop, NULL), "cannot make a loop", "ask `safer-ring doctor`");
	check(fds[1].fd = sfr_loop_fd(loop), "cannot show it", "allow more files: ulimit -n");
	check(sfr_serve(loop, address, &handlers, NULL, &server), sfr_loop_refusal(loop),
	      "change it");
	check(sfr_server_address(server, text, sizeof(text)), "no address", "this is a bug");
	sfr_submit(sfr_signal(loop, SIGINT), stop, NULL);
	sfr_submit(sfr_signal(loop, SIGTERM), stop, NULL);
	printf("listening on %s\n", text), fflush(stdout);

	while (!stopped) {
		sfr_loop_prepare(loop);
		if (poll(fds, 2, -1) < 0)
			continue; /* EINTR */
		if (fds[0].revents)
			tick(fds[0].fd);
		if (fds[1].revents)
			check(sfr_loop_step(loop, 0), "the loop ended", "start again");
	}
	check(sfr_loop_drain(loop, -1), "connections did not close", "this is a bug");
	return sfr_loop_free(loop) < 0;
}

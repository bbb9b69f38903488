/* SPDX-License-Identifier: MIT */
/*
 * UDP echo: each datagram goes back to whoever sent it, in the very buffer it arrived in.
 *
 *	udp_echo --port 7777 &
 *	printf hello | socat - udp:127.0.0.1:7777
 *
 * Shows who a datagram is from, and buffers with room for the largest: none is cut. A few receivers take turns
 * with the datagrams. Where all are small, one sfr_recvfrom_multi() does it, with buffers of the slab.
 */
#include <safer_ring.h>
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of the largest datagram over IPv6; over IPv4 they are 20 fewer. */
#define DATAGRAM_MAX 65527
#define RECEIVERS 8

static int fd;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "udp_echo: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

static sfr_done arrived;

/* The buffer is back: on to the next datagram, whatever became of this one. */
static void sent(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
	sfr_submit(sfr_recvfrom(loop, fd, buf), arrived, NULL);
}

static void arrived(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sockaddr_storage peer;
	socklen_t size;

	(void)arg;
	if (result < 0) {
		sfr_buf_release(buf);
		if (result != -ECANCELED) /* by the end of main() */
			check(result, "cannot receive");
		return;
	}
	size = sfr_buf_peer(buf, &peer);
	sfr_submit(sfr_sendto(loop, fd, buf, (struct sockaddr *)&peer, size), sent, NULL);
}

static void asked_to_stop(sfr_loop *loop, int signal_number, sfr_buf *buf, void *arg)
{
	(void)buf, (void)arg;
	if (signal_number > 0)
		sfr_loop_stop(loop);
}

static int udp_socket(int port, struct sockaddr_in *at)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*at);

	*at = (struct sockaddr_in){.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (s < 0 || bind(s, (struct sockaddr *)at, size) ||
	    getsockname(s, (struct sockaddr *)at, &size)) {
		perror("udp_echo: cannot use that port");
		exit(EXIT_FAILURE);
	}
	return s;
}

static int usage(bool asked)
{
	fputs("usage: udp_echo [--port N]\n"
	      "Send each datagram back to whoever sent it, on 127.0.0.1. Port 0 is any.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"port", required_argument, NULL, 'p'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct sockaddr_in at;
	sfr_loop *loop;
	int option, i, port = 7777;

	while ((option = getopt_long(argc, argv, "p:h", options, NULL)) != -1) {
		if (option != 'p')
			return usage(option == 'h');
		port = atoi(optarg);
	}
	if (optind < argc)
		return usage(false);
	sfr_log_to(sfr_log_stderr, NULL);
	check(sfr_loop_new(&loop, NULL), "cannot make a loop");
	fd = udp_socket(port, &at);
	for (i = 0; i < RECEIVERS; i++)
		sfr_submit(sfr_recvfrom(loop, fd, sfr_buf_get(loop, SFR_PEER_ROOM + DATAGRAM_MAX)),
			   arrived, NULL);
	sfr_submit(sfr_signal(loop, SIGINT), asked_to_stop, NULL);
	sfr_submit(sfr_signal(loop, SIGTERM), asked_to_stop, NULL);
	printf("listening on udp://127.0.0.1:%d\n", ntohs(at.sin_port)), fflush(stdout);
	check(sfr_loop_run(loop), "the loop ended");
	check(sfr_loop_drain(loop, -1), "operations did not end");
	check(sfr_loop_free(loop), "something is still in flight");
	return close(fd);
}

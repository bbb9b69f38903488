/*
 * UDP echo: each datagram goes back to whoever sent it, in the very buffer it arrived in.
 *
 *	udp_echo --port 7777 &
 *	printf hello | socat - udp:127.0.0.1:7777
 *
 * Shows one multishot receive for all peers, and who a datagram is from.
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

static int fd;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "udp_echo: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

/* Nobody waits for the sends: the buffer of each goes back to the slab. */
static void arrived(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sockaddr_storage peer;
	socklen_t size;

	(void)arg;
	if (!buf) {
		if (result != -ECANCELED) /* by the end of main() */
			check(result, "cannot receive");
		return;
	}
	size = sfr_buf_peer(buf, &peer);
	sfr_submit(sfr_sendto(loop, fd, buf, (struct sockaddr *)&peer, size), NULL, NULL);
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
	int option, port = 7777;

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
	sfr_submit(sfr_recvfrom_multi(loop, fd), arrived, NULL);
	sfr_submit(sfr_signal(loop, SIGINT), asked_to_stop, NULL);
	sfr_submit(sfr_signal(loop, SIGTERM), asked_to_stop, NULL);
	printf("listening on udp://127.0.0.1:%d\n", ntohs(at.sin_port)), fflush(stdout);
	check(sfr_loop_run(loop), "the loop ended");
	check(sfr_loop_drain(loop, -1), "operations did not end");
	check(sfr_loop_free(loop), "something is still in flight");
	return close(fd);
}

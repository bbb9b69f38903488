/* SPDX-License-Identifier: MIT */
/*
 * Embedded in epoll: a server that would block on its disk leaves the files to a loop.
 *
 *	cd /some/directory && embed_epoll 7070 &
 *	echo name | nc 127.0.0.1 7070
 *
 * Shows how a program adopts the library one part at a time. Accepting and reading requests is as it always was;
 * then the host, outside of callbacks, gives the loop a file to read, and its callback an answer to send.
 */
#include <safer_ring.h>
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20) /* what is beyond is not sent */

static int set;

static void watch(int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0)
		err(EXIT_FAILURE, "cannot watch a descriptor: is there memory?");
}

/* A listening socket in the host's set, as it was before there was a loop. */
static int listen_on(int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&at, size) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&at, &size))
		err(EXIT_FAILURE, "cannot listen: name another port");
	printf("listening on tcp://127.0.0.1:%d\n", ntohs(at.sin_port)), fflush(stdout);
	return fd;
}

static void file_read(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	int peer = (int)(intptr_t)arg;

	if (result < 0 || !sfr_send_close(loop, peer, buf, NULL, NULL))
		(void)close(peer); /* its answer is that there is none */
	if (result < 0)
		sfr_buf_release(buf);
}

/* A line, in one piece, is the name of a file in this directory. */
static void peer_asks(sfr_loop *loop, int peer)
{
	char line[256];
	ssize_t n = recv(peer, line, sizeof(line), MSG_DONTWAIT);
	char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;

	epoll_ctl(set, EPOLL_CTL_DEL, peer, NULL); /* the loop's from here on */
	if (end)
		*end = '\0';
	if (!end || strchr(line, '/') ||
	    !sfr_read_file(loop, AT_FDCWD, line, sfr_buf_get(loop, FILE_MAX), file_read,
			   (void *)(intptr_t)peer))
		(void)close(peer);
}

static int usage(bool asked)
{
	fputs("usage: embed_epoll PORT\n"
	      "Send the file of this directory that a line names, on 127.0.0.1. Port 0 is any.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL);
	int fd, listener, peer, r;
	sfr_loop *loop;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 2)
		return usage(option == 'h');
	if ((r = sfr_loop_new(&loop, NULL)) < 0 || (r = fd = sfr_loop_fd(loop)) < 0)
		errx(EXIT_FAILURE, "no loop (%s): ask `safer-ring doctor`", sfr_strerror(r));
	set = epoll_create1(EPOLL_CLOEXEC);
	watch(fd);
	watch(listener = listen_on(atoi(argv[1])));
	while (r >= 0) {
		struct epoll_event event;

		sfr_loop_prepare(loop);
		if (epoll_wait(set, &event, 1, -1) < 1)
			continue; /* EINTR */
		if (event.data.fd == fd)
			r = sfr_loop_step(loop, 0);
		else if (event.data.fd != listener)
			peer_asks(loop, event.data.fd);
		else if ((peer = accept(listener, NULL, NULL)) >= 0)
			watch(peer);
	}
	errx(EXIT_FAILURE, "the loop ended (%s): start again", sfr_strerror(r));
}

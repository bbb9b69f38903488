/* SPDX-License-Identifier: MIT */
#include "channels.h"
#include "model.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

struct channel channels[CHANNELS];

static int loopback_socket(int type, struct channel *channel)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	channel->address_size = sizeof(channel->address);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		     getsockname(fd, (struct sockaddr *)&channel->address,
				 &channel->address_size) == 0,
	     "a socket on loopback");
	return fd;
}

static void tcp_open(struct channel *channel)
{
	const int small = 4096;
	int listener = loopback_socket(SOCK_STREAM, channel);

	channel->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(listen(listener, 1) == 0 &&
		     connect(channel->peer, (struct sockaddr *)&channel->address,
			     channel->address_size) == 0,
	     "a connection");
	channel->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	must(channel->fd >= 0, "a connection");
	(void)setsockopt(channel->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	close(listener);
}

static void datagram_open(struct channel *channel)
{
	channel->fd = loopback_socket(SOCK_DGRAM, channel);
	channel->peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(connect(channel->peer, (struct sockaddr *)&channel->address, channel->address_size) ==
		     0,
	     "a datagram socket");
}

static void pipe_open(struct channel *channel)
{
	int ends[2];

	must(pipe(ends) == 0, "a pipe");
	channel->fd = ends[channel->kind == PIPE_OUT];
	channel->peer = ends[channel->kind == PIPE_IN];
}

static void channel_open(struct channel *channel)
{
	char name[] = "/tmp/safer-ring-storm-XXXXXX";
	int ends[2];

	channel->peer = -1;
	channel->spent = false;
	switch (channel->kind) {
	case PIPE_IN:
	case PIPE_OUT:
		pipe_open(channel);
		break;
	case TCP:
		tcp_open(channel);
		break;
	case UNIX:
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a pair");
		channel->fd = ends[0];
		channel->peer = ends[1];
		break;
	case DATAGRAM:
		datagram_open(channel);
		break;
	case LISTENER:
		channel->fd = loopback_socket(SOCK_STREAM, channel);
		must(listen(channel->fd, 64) == 0, "a listener");
		break;
	case PLAIN_FILE:
		channel->fd = mkstemp(name);
		must(channel->fd >= 0 && unlink(name) == 0, "a file");
		break;
	case CHANNEL_KINDS:
		break;
	}
	if (channel->peer >= 0)
		must(fcntl(channel->peer, F_SETFL, O_NONBLOCK) == 0, "a peer that does not block");
}

void channels_open(void)
{
	int i;

	for (i = 0; i < CHANNELS; i++) {
		channels[i] = (struct channel){.kind = (enum channel_kind)(i % CHANNEL_KINDS)};
		channel_open(&channels[i]);
	}
}

static void channel_close(struct channel *channel)
{
	close(channel->fd);
	if (channel->peer >= 0)
		close(channel->peer);
}

void channels_close(void)
{
	int i;

	for (i = 0; i < CHANNELS; i++)
		channel_close(&channels[i]);
}

/* A reset is what a peer sends that closes with a linger of nothing. */
static void peer_close(struct channel *channel)
{
	const struct linger reset = {.l_onoff = 1};

	if (choice(2))
		(void)setsockopt(channel->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(channel->peer);
	channel->peer = -1;
	channel->spent = true;
}

static void peer_listen(struct channel *channel, uint32_t size)
{
	static char bytes[8192];

	if (channel->kind != PIPE_IN)
		(void)!read(channel->peer, bytes, size);
}

static void peer_say(struct channel *channel, uint32_t size)
{
	static const char bytes[8192];

	if (channel->kind != PIPE_OUT)
		(void)!write(channel->peer, bytes, size);
}

void channel_stir(struct channel *channel)
{
	uint32_t size = 1 + choice(choice(4) ? 300 : 8192);

	if (channel->spent && !channel->ops && !channel->abandoned) {
		channel_close(channel);
		channel_open(channel);
	}
	if (channel->peer < 0)
		return;
	switch (choice(24)) {
	case 0:
		peer_close(channel);
		break;
	case 1:
		(void)shutdown(channel->peer, SHUT_WR);
		break;
	default:
		if (choice(2))
			peer_say(channel, size);
		else
			peer_listen(channel, size);
	}
}

struct channel *channel_any(enum channel_kind kind)
{
	return &channels[(int)choice(2) * (int)CHANNEL_KINDS + (int)kind];
}

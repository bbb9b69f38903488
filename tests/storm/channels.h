/* SPDX-License-Identifier: MIT */
/*
 * Channels of the storm: descriptors that operations run on, and the other ends of them, which the storm
 * itself reads, writes, resets and closes without waiting.
 */
#ifndef SFR_TESTS_STORM_CHANNELS_H
#define SFR_TESTS_STORM_CHANNELS_H

#include <stdbool.h>
#include <sys/socket.h>

enum channel_kind {
	PIPE_IN,  /* operations read */
	PIPE_OUT, /* operations write */
	TCP,
	UNIX,
	DATAGRAM,
	LISTENER,
	PLAIN_FILE,
	CHANNEL_KINDS
};

struct channel {
	enum channel_kind kind;
	int fd;   /* the operations' */
	int peer; /* the storm's; -1 once closed, and where there is none */
	int ops;  /* that are on it and have not ended */
	int abandoned;
	bool spent; /* nothing more can come of it: it makes way for a new one */
	struct sockaddr_storage address; /* of a listener or datagram socket */
	socklen_t address_size;
};

enum { CHANNELS = 14 };

extern struct channel channels[CHANNELS];

void channels_open(void);
void channels_close(void);

/* What a peer does next, as chosen. A channel that is spent makes way for a new one when no operation is
 * left on it. */
void channel_stir(struct channel *channel);

/* A datagram channel's or any other's, so that each can be the aim of all others. */
struct channel *channel_any(enum channel_kind kind);

#endif

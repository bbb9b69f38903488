/* SPDX-License-Identifier: MIT */
/*
 * Listening: an address becomes a socket that listens, or one that listens already is taken. Where that fails,
 * sfr_loop_refusal() says why.
 */
#ifndef SFR_LIB_NET_LISTEN_H
#define SFR_LIB_NET_LISTEN_H

#include "loop/loop.h"
#include <sys/stat.h>

struct sfr__listener {
	int fd;
	bool inherited; /* it was taken: others may have it as well */
	/* Which file was made for it; 0: none. */
	dev_t file_dev;
	ino_t file_ino;
};

/* Listen at an address. 0 or an error. */
int sfr__listen(sfr_loop *loop, const struct sfr__server_settings *settings, const char *text,
		struct sfr__listener *out);

/* Take a descriptor that listens; if this fails it is the caller's. 0 or an error. */
int sfr__listen_fd(sfr_loop *loop, const struct sfr__server_settings *settings, int fd,
		   struct sfr__listener *out);

/* Close it, and remove its socket file if that is still its own. */
void sfr__listener_close(sfr_loop *loop, struct sfr__listener *listener);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What serving and dialling begin with: an address is read, and becomes a socket with its options. Where that fails,
 * sfr_loop_refusal() says why.
 */
#ifndef SFR_LIB_NET_SOCKET_H
#define SFR_LIB_NET_SOCKET_H

#include "loop/loop.h"
#include "net/address.h"

/* Nothing is refused any more. */
void sfr__refusal_clear(sfr_loop *loop);

/* Note why something is refused, and tell the log of what is noted. */
__attribute__((format(printf, 2, 3))) void sfr__refusal_note(sfr_loop *loop, const char *format,
							     ...);
void sfr__refusal_tell(const sfr_loop *loop);

/* Both. */
__attribute__((format(printf, 2, 3))) void sfr__refusal_set(sfr_loop *loop, const char *format,
							    ...);

/* 0; -ECANCELED while the loop drains; or as sfr__address_parse(). `text` may be NULL. */
int sfr__address_read(sfr_loop *loop, const char *text, struct sfr__address *out);

/* A socket for an address that is no descriptor. The descriptor or -errno. */
int sfr__socket_new(sfr_loop *loop, const struct sfr__server_settings *settings, const char *text,
		    const struct sfr__address *address);

/* What the settings ask of a stream, or of a listener, whose streams inherit it. */
void sfr__socket_tune(const sfr_loop *loop, const struct sfr__server_settings *settings, int fd,
		      int family);

/* Switch an option on. 0 or -errno. */
int sfr__socket_switch_on(const sfr_loop *loop, int fd, int level, int name);

#endif

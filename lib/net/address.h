/* SPDX-License-Identifier: MIT */
/*
 * Addresses as people write them: tcp://127.0.0.1:7777, tcp://[::1]:7777, tcp://[fe80::1%eth0]:7777,
 * unix:///run/x.sock, unix:@x, fd:3.
 */
#ifndef SFR_LIB_NET_ADDRESS_H
#define SFR_LIB_NET_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

/* Room for the longest text: a whole path, which is longer than an IPv6 host, its interface and a port. */
#define SFR__ADDRESS_ROOM 128

struct sfr__address {
	struct sockaddr_storage addr;
	socklen_t size; /* 0: it is a descriptor */
	int fd;         /* of fd:N, else -1 */
};

/* 0; or an error, with what is wrong with the text in why: -EINVAL; -ENODEV if there is no such interface;
 * -EMFILE or -ENFILE if it cannot be looked up. Both hosts and ports are numbers. */
int sfr__address_parse(struct sfr__address *out, const char *text, char *why, size_t why_size);

/* The length of the whole text, which is cut to fit; -EAFNOSUPPORT if it is of another family; -EILSEQ if no text
 * can have its name. A Unix socket without a name is "unix:". */
int sfr__address_print(const struct sfr__address *address, char *out, size_t size);

#endif

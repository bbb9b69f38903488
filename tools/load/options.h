/* SPDX-License-Identifier: MIT */
/*
 * What the command line of safer-ring-load says.
 */
#ifndef SFR_TOOLS_LOAD_OPTIONS_H
#define SFR_TOOLS_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

typedef struct load_options {
	const char *address_text;
	struct sockaddr_storage address;
	socklen_t address_size;
	unsigned connections;
	size_t size;       /* bytes per message */
	unsigned pipeline; /* messages in flight per connection */
	double duration;   /* seconds; 0: no limit */
	uint64_t messages; /* per connection; 0: no limit */
	double warmup;     /* seconds */
	double rate;       /* messages per second, all connections together; 0: closed loop */
	bool spin;         /* never sleep */
	pid_t pid;         /* 0: no server process to look at */
	bool json;
	bool quiet;
	bool progress;
} load_options;

/* Fills the options, or says what is wrong with them and ends the program with status 2. */
void load_options_read(load_options *options, int argc, char **argv);

#endif

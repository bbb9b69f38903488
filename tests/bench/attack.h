/* SPDX-License-Identifier: MIT */
/*
 * An attack: a server in a process of its own, peers that are after its memory, and an honest client.
 */
#ifndef BENCH_ATTACK_H
#define BENCH_ATTACK_H

#include <safer_ring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum attack_kind {
	ATTACK_CHAT, /* all hear what one says: many never read, and one pours */
	ATTACK_POUR, /* an echo: many pour, and never read */
	ATTACK_KEEP, /* each says a byte again and again; the program keeps the last one of each */
};

/* The honest client's bytes; nobody else sends such. */
#define HONEST 'h'
#define HONEST_SIZE 64

#define SETTINGS_MAX 16

/*
 * The server: a child, which the parent's end ends. What it counts it tells when it is asked to stop.
 */
struct attacked {
	enum attack_kind kind;
	const char *settings[SETTINGS_MAX]; /* "buffers.budget=64MiB" */
	unsigned settings_count;
	int core;

	pid_t pid;
	unsigned port;
	int told; /* what it says is read from here */
};

void attacked_start(struct attacked *server);
void attacked_stop(struct attacked *server, sfr_loop_stats *stats_out);

/* A line of /proc/PID/status, in KiB: "VmRSS", and the most it ever was, "VmHWM". */
unsigned long attacked_kib(const struct attacked *server, const char *what);

/*
 * The attackers: a thread that runs when nobody else wants to. Who is thrown out comes back.
 */
struct attackers {
	enum attack_kind kind;
	unsigned count, port;
	int core;
	bool come_back; /* who is thrown out comes back */

	atomic_bool over;
	atomic_ullong sent;  /* bytes */
	atomic_ullong ended; /* connections that the server ended */
};

void attackers_start(struct attackers *attackers);
void attackers_stop(struct attackers *attackers);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the rest of the library reads of a configuration: plain values, in the units of the code.
 */
#ifndef SFR_LIB_CONFIG_CONFIG_H
#define SFR_LIB_CONFIG_CONFIG_H

#include "machine/feature.h"
#include <safer_ring/config.h>
#include <safer_ring/log.h>

enum sfr__engine_choice { SFR__ENGINE_AUTO, SFR__ENGINE_URING, SFR__ENGINE_EPOLL };

enum sfr__sqpoll_choice {
	SFR__SQPOLL_OFF,
	SFR__SQPOLL_ON,    /* refused where no core is free for it */
	SFR__SQPOLL_AUTO,  /* where a core is free for it */
	SFR__SQPOLL_FORCE, /* whatever it costs */
};

/* Who may connect to a socket file. */
enum sfr__unix_access { SFR__UNIX_OWNER, SFR__UNIX_GROUP, SFR__UNIX_ALL };

/* What becomes of those who connect when there are server.connections_max. */
enum sfr__when_full { SFR__FULL_REFUSE, SFR__FULL_WAIT };

/* Of a server or of what is dialled. */
struct sfr__server_settings {
	uint32_t backlog;
	uint32_t connections_max;
	uint64_t high_water;
	uint64_t low_water;
	uint64_t queue_max;
	uint64_t slow_after_ns;
	uint64_t bind_for_ns;
	uint32_t when_full;   /* enum sfr__when_full */
	uint32_t unix_access; /* enum sfr__unix_access */
	bool no_delay;
	bool reuse_port;
};

struct sfr__settings {
	uint32_t preset; /* enum sfr__config_preset_index */
	uint32_t engine; /* enum sfr__engine_choice */
	struct {
		uint32_t entries;
		uint32_t cq_entries; /* 0: four times entries, at most the kernel's 65536 */
		uint32_t ops_max;
		uint32_t workers;
		uint32_t sqpoll; /* enum sfr__sqpoll_choice */
		uint64_t sqpoll_idle_ns;
		uint64_t spin_ns;
		uint64_t napi_ns;
		uint64_t min_wait_ns;
	} ring;
	uint32_t features[SFR__FEATURES]; /* enum sfr__switch */
	struct {
		uint64_t size;   /* bytes of one buffer; a power of two */
		uint64_t small;  /* of one of less, 0: there are none */
		uint64_t large;  /* of one of more, the same */
		uint64_t budget; /* bytes of all; 0: count of size, and what the heap has */
		uint32_t count;
		bool huge_pages;
		uint32_t receive; /* how many wait with the kernel; 0: half of count, at most 256 */
	} buffers;
	struct sfr__server_settings server;
	struct {
		bool abort;
		bool poison;
	} safety;
	struct {
		enum sfr_log_level level;
	} log;
};

const struct sfr__settings *sfr__config_settings(const sfr_config *cfg);

/*
 * Find values that are legal alone and not together. A loop asks before it is made: single calls of
 * sfr_config_set() may pass through such pairs on their way. err may be NULL; 0 or -SFR_ECONFIG.
 */
int sfr__config_check(const sfr_config *cfg, sfr_config_error *err);

/* Print the reference: every key with its meaning, limits and default. 0 or -EIO. */
int sfr__config_reference(FILE *out);

#endif

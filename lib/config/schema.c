/* SPDX-License-Identifier: MIT */
/*
 * The table of keys and the presets.
 *
 * A new key is one entry here and one field in struct sfr__settings; the parser, the writer, the
 * reference and the hints follow. Values in the tables are text, as a file would write them.
 */
#include "config/schema.h"
#include <assert.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define US UINT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define KEPT_IN(field) .offset = offsetof(struct sfr__settings, field)
#define BOOL_KEY(key, field, value)                                                        \
	.name = (key), .type = SFR__CONFIG_BOOL, .max = 1, .initial = (value), .unit = "", \
	KEPT_IN(field)
#define NUMBER_KEY(key, field, kind, low, high, value)                                  \
	.name = (key), .type = (kind), .min = (low), .max = (high), .initial = (value), \
	KEPT_IN(field)
#define INT_KEY(key, field, low, high, value) \
	NUMBER_KEY(key, field, SFR__CONFIG_INT, low, high, value)
#define SIZE_KEY(key, field, low, high, value) \
	NUMBER_KEY(key, field, SFR__CONFIG_SIZE, low, high, value), .unit = "bytes"
#define DURATION_KEY(key, field, low, high, value) \
	NUMBER_KEY(key, field, SFR__CONFIG_DURATION, low, high, value), .unit = "time"
#define ENUM_KEY(key, field, names, value)                                                     \
	.name = (key), .type = SFR__CONFIG_ENUM, .max = COUNT_OF(names) - 2, .words = (names), \
	.initial = (value), .unit = "", KEPT_IN(field)

static const char *const preset_words[] = {
	[SFR__PRESET_DEFAULT] = "default",
	[SFR__PRESET_LOW_LATENCY] = "low_latency",
	[SFR__PRESET_HIGH_THROUGHPUT] = "high_throughput",
	[SFR__PRESET_DEVELOPMENT] = "development",
	[SFR__PRESET_AUTO_DETECT] = "auto_detect",
	[SFR__PRESETS] = NULL,
};

static const char *const engine_words[] = {
	[SFR__ENGINE_AUTO] = "auto",
	[SFR__ENGINE_URING] = "uring",
	[SFR__ENGINE_EPOLL] = "epoll",
	NULL,
};

static const char *const sqpoll_words[] = {
	[SFR__SQPOLL_OFF] = "off",
	[SFR__SQPOLL_ON] = "on",
	[SFR__SQPOLL_AUTO] = "auto",
	[SFR__SQPOLL_FORCE] = "force",
	NULL,
};

static const char *const switch_words[] = {
	[SFR__AUTO] = "auto",
	[SFR__ON] = "on",
	[SFR__OFF] = "off",
	NULL,
};

static const char *const access_words[] = {
	[SFR__UNIX_OWNER] = "owner",
	[SFR__UNIX_GROUP] = "group",
	[SFR__UNIX_ALL] = "all",
	NULL,
};

static const char *const full_words[] = {
	[SFR__FULL_REFUSE] = "refuse",
	[SFR__FULL_WAIT] = "wait",
	NULL,
};

static const char *const level_words[] = {
	[SFR_LOG_OFF] = "off",   [SFR_LOG_ERROR] = "error", [SFR_LOG_WARN] = "warn",
	[SFR_LOG_INFO] = "info", [SFR_LOG_DEBUG] = "debug", NULL,
};

/* clang-format off */
static const struct sfr__config_key keys[] = {
	{ENUM_KEY("preset", preset, preset_words, "default"),
	 .meaning = "The base: whatever is not set elsewhere has the value of this preset."},
	{ENUM_KEY("engine", engine, engine_words, "auto"),
	 .meaning = "What carries out operations; auto takes the best this machine has."},

	{INT_KEY("ring.entries", ring.entries, 8, 32768, "256"),
	 .flags = SFR__CONFIG_POWER_OF_TWO, .unit = "sqes",
	 .meaning = "Entries of the submission queue: how much one system call can hand over."},
	{INT_KEY("ring.cq_entries", ring.cq_entries, 8, 65536, "0"),
	 .flags = SFR__CONFIG_POWER_OF_TWO | SFR__CONFIG_OR_ZERO, .unit = "cqes",
	 .meaning = "Entries of the completion queue; 0 is four times ring.entries, at most 65536."},
	{INT_KEY("ring.ops_max", ring.ops_max, 64, 16777216, "1048576"),
	 .unit = "operations",
	 .meaning = "Operations in being at one time; more are refused."},
	{INT_KEY("ring.workers", ring.workers, 1, 256, "8"),
	 .unit = "threads",
	 .meaning = "Threads of a loop that may block at one time: on files, and as many for sfr_work()."},
	{ENUM_KEY("ring.sqpoll", ring.sqpoll, sqpoll_words, "off"),
	 .meaning = "Whether a kernel thread collects submissions, which takes a core while "
		    "there is work. With fewer than 4 cores, or on a kernel that has it broken, "
		    "auto is off and on is refused; force asks nothing."},
	{DURATION_KEY("ring.sqpoll_idle", ring.sqpoll_idle_ns, 1 * MS, 10 * S, "50ms"),
	 .meaning = "How long the thread of ring.sqpoll polls without work before it sleeps."},
	{DURATION_KEY("ring.spin", ring.spin_ns, 0, 1 * MS, "0"),
	 .meaning = "How long a loop without work looks for more before it sleeps; burns CPU."},
	{DURATION_KEY("ring.napi", ring.napi_ns, 0, 1 * MS, "0"),
	 .meaning = "How long the kernel polls network devices before a loop sleeps; burns CPU."},
	{DURATION_KEY("ring.min_wait", ring.min_wait_ns, 0, 10 * MS, "0"),
	 .meaning = "How long a sleeping loop lets completions gather before it takes the first."},

#define FEATURE(symbol, word, gives, without)                                                   \
	{ENUM_KEY("features." word, features[SFR__FEATURE_##symbol], switch_words, "auto"),      \
	 .meaning = "On: " gives ". Off: " without "."},
	SFR__FEATURE_LIST(FEATURE)
#undef FEATURE

	{SIZE_KEY("buffers.size", buffers.size, 64, 1 * MIB, "4KiB"),
	 .flags = SFR__CONFIG_POWER_OF_TWO,
	 .meaning = "Room in one buffer."},
	{INT_KEY("buffers.count", buffers.count, 1, 1048576, "1024"),
	 .unit = "buffers",
	 .meaning = "Buffers of a loop that are mapped when it is made; these can be registered."},
	{SIZE_KEY("buffers.budget", buffers.budget, 0, 1024 * GIB, "64MiB"),
	 .meaning = "Bytes that all buffers of a loop may take together. When the first are all "
		    "taken more are made, in steps, and kept until the loop is freed; buffers of "
		    "the heap count while they are out. 0: never more than buffers.count, all of "
		    "buffers.size, and no limit for the heap."},
	{SIZE_KEY("buffers.small", buffers.small, 64, 512 * KIB, "512B"),
	 .flags = SFR__CONFIG_POWER_OF_TWO | SFR__CONFIG_OR_ZERO,
	 .meaning = "Room in a buffer for whoever needs no more, made within the budget as they are "
		    "asked for; less than buffers.size. 0: there are none."},
	{SIZE_KEY("buffers.large", buffers.large, 128, 64 * MIB, "64KiB"),
	 .flags = SFR__CONFIG_POWER_OF_TWO | SFR__CONFIG_OR_ZERO,
	 .meaning = "The same for whoever needs more than buffers.size; what is larger still comes "
		    "from the heap."},
	{BOOL_KEY("buffers.huge_pages", buffers.huge_pages, "off"),
	 .meaning = "Map buffers.count in huge pages, where the machine has some to spare; "
		    "transparent ones are asked for where not, and for what is made later."},
	{INT_KEY("buffers.receive", buffers.receive, 0, 32768, "0"),
	 .unit = "buffers",
	 .meaning = "Buffers that wait with the kernel for data; 0 is half of all, at most 256. Streams "
		    "have large blocks besides, from the budget."},

	{INT_KEY("server.backlog", server.backlog, 1, 65535, "1024"),
	 .unit = "connections",
	 .meaning = "Connections that may wait to be accepted."},
	{DURATION_KEY("server.bind_for", server.bind_for_ns, 0, 60 * S, "0"),
	 .meaning = "How long sfr_serve() tries again while another program has the address; the loop "
		    "does nothing else meanwhile. A program that was killed may have it for some more "
		    "milliseconds, as the kernel ends what its ring had in flight."},
	{INT_KEY("server.connections_max", server.connections_max, 1, 1048576, "65536"),
	 .unit = "connections",
	 .meaning = "Connections of a server that are open at one time."},
	{ENUM_KEY("server.when_full", server.when_full, full_words, "refuse"),
	 .meaning = "What becomes of those who connect when there are server.connections_max. Refuse: "
		    "they are closed at once. Wait: they are served when another connection has closed, "
		    "and until then they are mostly in the backlog."},
	{SIZE_KEY("server.high_water", server.high_water, 1 * KIB, 1 * GIB, "256KiB"),
	 .meaning = "Queued memory above which a connection stops receiving."},
	{SIZE_KEY("server.low_water", server.low_water, 0, 1 * GIB, "64KiB"),
	 .meaning = "Queued memory at which it receives again; less than server.high_water."},
	{SIZE_KEY("server.queue_max", server.queue_max, 4 * KIB, 4 * GIB, "64MiB"),
	 .meaning = "Queued bytes above which a send is refused and the connection closed."},
	{DURATION_KEY("server.slow_after", server.slow_after_ns, 1 * MS, 3600 * S, "1s"),
	 .meaning = "How long a peer may read nothing of what waits for it. While less than a quarter "
		    "of buffers.budget is left, connections of such peers are ended, with SFR_ESLOW."},
	{BOOL_KEY("server.no_delay", server.no_delay, "on"),
	 .meaning = "Send small messages at once (TCP_NODELAY)."},
	{BOOL_KEY("server.reuse_port", server.reuse_port, "off"),
	 .meaning = "Let several listeners share a port (SO_REUSEPORT)."},
	{ENUM_KEY("server.unix_access", server.unix_access, access_words, "owner"),
	 .meaning = "Who may connect to the socket file of a server on unix:///path: its owner (mode "
		    "0600), its group as well (0660), or all (0666). The umask has no say."},

	{BOOL_KEY("safety.abort", safety.abort, "off"),
	 .meaning = "Abort with a message when the program breaks a rule."},
	{BOOL_KEY("safety.poison", safety.poison, "off"),
	 .meaning = "Fill released buffers with 0xDF, so that late readers show."},

	{ENUM_KEY("log.level", log.level, level_words, "warn"),
	 .meaning = "The least important message that the log passes on. With debug it also tells "
		    "each step in the life of every operation, batch and connection, which takes "
		    "time."},
};

static const struct sfr__config_setting low_latency[] = {
	{"ring.spin", "20us"},
	{"ring.napi", "20us"},
	{"ring.sqpoll", "auto"},
	{NULL, NULL},
};

static const struct sfr__config_setting high_throughput[] = {
	{"ring.entries", "1024"},
	{"ring.min_wait", "200us"},
	{"buffers.size", "64KiB"},
	{"buffers.count", "1024"},
	{"buffers.budget", "256MiB"},
	{"buffers.small", "4KiB"},
	{"buffers.large", "1MiB"},
	{"buffers.huge_pages", "on"},
	{"buffers.receive", "256"},
	{"server.high_water", "1MiB"},
	{"server.low_water", "256KiB"},
	{NULL, NULL},
};

static const struct sfr__config_setting development[] = {
	{"safety.abort", "on"},
	{"safety.poison", "on"},
	{"log.level", "info"},
	{NULL, NULL},
};
/* clang-format on */

/* What auto_detect sets depends on the machine: config/detect.c. */
static const struct sfr__config_setting nothing[] = {{NULL, NULL}};

static const struct sfr__config_setting *const presets[SFR__PRESETS] = {
	[SFR__PRESET_DEFAULT] = nothing,
	[SFR__PRESET_LOW_LATENCY] = low_latency,
	[SFR__PRESET_HIGH_THROUGHPUT] = high_throughput,
	[SFR__PRESET_DEVELOPMENT] = development,
	[SFR__PRESET_AUTO_DETECT] = nothing,
};

static_assert(COUNT_OF(keys) <= SFR__CONFIG_KEYS_MAX,
	      "arrays with a place for each key are too small");

const struct sfr__config_key *sfr__config_keys(size_t *count)
{
	*count = COUNT_OF(keys);
	return keys;
}

const struct sfr__config_key *sfr__config_key_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

size_t sfr__config_section_length(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? (size_t)(dot - name) : 0;
}

const struct sfr__config_key *sfr__config_section_find(const char *section)
{
	size_t length = strlen(section);

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (length > 0 && sfr__config_section_length(keys[i].name) == length &&
		    strncmp(keys[i].name, section, length) == 0)
			return &keys[i];
	return NULL;
}

size_t sfr__config_key_index(const struct sfr__config_key *key)
{
	return (size_t)(key - keys);
}

const struct sfr__config_setting *sfr__config_preset(enum sfr__config_preset_index index)
{
	return presets[index];
}

_Static_assert(sizeof(enum sfr_log_level) == sizeof(uint32_t),
	       "log.level is read as other enums are");

uint64_t sfr__settings_get(const struct sfr__settings *settings, const struct sfr__config_key *key)
{
	const char *field = (const char *)settings + key->offset;

	switch (key->type) {
	case SFR__CONFIG_BOOL:
		return *(const bool *)(const void *)field;
	case SFR__CONFIG_INT:
	case SFR__CONFIG_ENUM:
		return *(const uint32_t *)(const void *)field;
	case SFR__CONFIG_SIZE:
	case SFR__CONFIG_DURATION:
		break;
	}
	return *(const uint64_t *)(const void *)field;
}

void sfr__settings_put(struct sfr__settings *settings, const struct sfr__config_key *key,
		       uint64_t value)
{
	void *field = (char *)settings + key->offset;

	switch (key->type) {
	case SFR__CONFIG_BOOL:
		*(bool *)field = value != 0;
		return;
	case SFR__CONFIG_INT:
	case SFR__CONFIG_ENUM:
		*(uint32_t *)field = (uint32_t)value;
		return;
	case SFR__CONFIG_SIZE:
	case SFR__CONFIG_DURATION:
		*(uint64_t *)field = value;
		return;
	}
}

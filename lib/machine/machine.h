/* SPDX-License-Identifier: MIT */
/*
 * The machine: what this process may use of it, as far as that can be seen without making a ring.
 *
 * Every fact may be unknown. Amounts that cannot be nothing are 0 then; answers are -1.
 */
#ifndef SFR_LIB_MACHINE_MACHINE_H
#define SFR_LIB_MACHINE_MACHINE_H

#include "machine/feature.h"
#include "machine/refusal.h"
#include <stddef.h>

#define SFR__NO_LIMIT UINT64_MAX

/* With fewer cores than this, a thread that polls takes the core from whoever has the answer. */
enum { SFR__POLLING_CORES = 4 };

enum sfr__huge_mode { SFR__HUGE_UNKNOWN, SFR__HUGE_NEVER, SFR__HUGE_MADVISE, SFR__HUGE_ALWAYS };

struct sfr__machine {
	char release[65]; /* of the kernel, "6.1.55-generic"; empty if unknown */

	unsigned cores;         /* the less of the next two, at least 1; 0 if both are unknown */
	unsigned cores_allowed; /* by affinity */
	uint64_t core_quota;    /* of the cgroups, in thousandths of a core; or SFR__NO_LIMIT */
	unsigned nodes;         /* NUMA nodes with memory or cores */

	uint64_t memory;       /* the less of the next two, in bytes; 0 if both are unknown */
	uint64_t memory_total; /* of the machine */
	uint64_t memory_limit; /* of the cgroups; or SFR__NO_LIMIT */
	uint64_t lockable;     /* the next; SFR__NO_LIMIT where a privilege lifts it */
	uint64_t lock_limit;   /* RLIMIT_MEMLOCK; or SFR__NO_LIMIT */
	uint64_t files;        /* RLIMIT_NOFILE; or SFR__NO_LIMIT */

	uint64_t addresses;      /* RLIMIT_AS in bytes; or SFR__NO_LIMIT */
	uint64_t addresses_used; /* by this process */

	uint64_t huge_page_size;  /* of the default kind, in bytes; 0: all about them is unknown */
	uint64_t huge_pages;      /* of that kind, in all */
	uint64_t huge_pages_free; /* not in use and not promised to anyone */
	enum sfr__huge_mode huge_mode; /* of transparent huge pages */

	int may_lock;         /* CAP_IPC_LOCK: 1, 0, or -1 */
	int may_administrate; /* CAP_SYS_ADMIN: 1, 0, or -1 */
	int seccomp;          /* 0: none, 1: strict, 2: a filter; or -1 */
	int uring_disabled;   /* kernel.io_uring_disabled: 0, 1, 2; or -1 */
	int64_t uring_group;  /* kernel.io_uring_group; -1 if none or unknown */
	int in_uring_group;   /* whether this process belongs to it: 1, 0, or -1 */

	bool kernel_known;             /* whether the next two were tried: sfr__probe_machine() */
	struct sfr__refusal refusal;   /* of io_uring to this process */
	sfr__features kernel_features; /* what it accepts, if it is not refused */
};

/* Everything unknown. */
#define SFR__MACHINE_UNKNOWN                           \
	((struct sfr__machine){.may_lock = -1,         \
			       .may_administrate = -1, \
			       .seccomp = -1,          \
			       .uring_disabled = -1,   \
			       .uring_group = -1,      \
			       .in_uring_group = -1})

/* Of two amounts or limits the less, where one that is unknown has no say. */
static inline uint64_t sfr__lesser(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a > b ? a : b;
	return a < b ? a : b;
}

/* Whether RLIMIT_AS leaves less than so many bytes of addresses. */
static inline bool sfr__machine_lacks_addresses(const struct sfr__machine *machine, uint64_t size)
{
	return machine->addresses != 0 && machine->addresses != SFR__NO_LIMIT &&
	       (machine->addresses < machine->addresses_used ||
		machine->addresses - machine->addresses_used < size);
}

/* Look at this machine. Allocates nothing. */
void sfr__machine_look(struct sfr__machine *out);

/*
 * The same with /proc and /sys below another directory. Limits, affinity and the release are still
 * those of the process.
 */
void sfr__machine_look_in(struct sfr__machine *out, const char *root);

/* Work out cores, memory and lockable from the facts that they follow from. */
void sfr__machine_sum_up(struct sfr__machine *machine);

/* "8 usable cores", with what limits them. Returns out. */
const char *sfr__machine_cores_text(const struct sfr__machine *machine, char *out, size_t size);

/*
 * How many seccomp filters the calling thread has; 0 also where there is no seccomp; -1 if it has some, and how
 * many is not told, or nothing is known.
 */
int64_t sfr__machine_filters(void);

/*
 * The value of a variable of the environment, or NULL if it is not set. Always NULL in a program that has other
 * privileges than the user who started it (set-uid, set-gid, capabilities of its file).
 */
const char *sfr__environment(const char *name);

/* Whether a core is free for a thread that polls. `why` receives the evidence, in words. */
bool sfr__machine_spares_core(const struct sfr__machine *machine, char *why, size_t size);

#endif

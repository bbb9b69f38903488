/* SPDX-License-Identifier: MIT */
/*
 * The preset auto_detect.
 *
 * Looking and choosing are apart, so that choices for machines one does not have can be tested.
 * Each choice is made together with its rule and its evidence, and sfr_config_write() shows both. A
 * choice stays within what others have set, so that it never makes a legal configuration an illegal
 * one; and where a fact is unknown the default stays.
 */
#include "config/detect.h"
#include "config/schema.h"
#include "config/value.h"
#include "machine/quirk.h"
#include <safer_ring/error.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

enum {
	ENTRIES_MIN = 64,
	ENTRIES_DEFAULT = 256,
	ENTRIES_MAX = 1024,
	ENTRIES_PER_CORE = 128,
	ENTRY_SIZE = 128, /* an sqe, and four cqes */

	COUNT_MIN = 16,
	COUNT_DEFAULT = 1024,
	BUFFERS_MIB_MAX = 16, /* more does not make one loop faster */
	BUDGET_MIB_DEFAULT = 64,
	BUDGET_MIB_MAX = 256,

	/* What one loop takes at most: of the memory, and of what may be locked. */
	RING_MEMORY_SHARE = 4096,
	RING_LOCK_SHARE = 8,
	BUFFER_MEMORY_SHARE = 64,
	BUFFER_LOCK_SHARE = 2,
	BUDGET_MEMORY_SHARE = 16,

	WORKERS_MIN = 4,
	WORKERS_DEFAULT = 8,
	WORKERS_MAX = 64,
	WORKERS_PER_CORE = 2,

	AMOUNT_SIZE = 32,
};

#define SAY(field, ...) ((void)snprintf(field, sizeof(field), __VA_ARGS__))

/* "512 MiB": the largest unit that is exact, or leaves enough digits to round down. */
static const char *amount(uint64_t bytes, char out[AMOUNT_SIZE])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	unsigned unit = 0;

	while (unit < 4 && bytes >= 1024 && (bytes % 1024 == 0 || bytes >= 100 * KIB)) {
		bytes /= 1024;
		unit++;
	}
	(void)snprintf(out, AMOUNT_SIZE, "%" PRIu64 " %s", bytes, units[unit]);
	return out;
}

static void memory_say(const struct sfr__machine *machine, struct sfr__config_choice *out)
{
	char size[AMOUNT_SIZE];

	SAY(out->evidence, "%s of memory%s", amount(machine->memory, size),
	    machine->memory < machine->memory_total ? ", as a cgroup grants" : "");
}

/* Whether the kernel will refuse a ring to this process whatever it asks for; and why, in words. */
static bool uring_is_forbidden(const struct sfr__machine *machine, struct sfr__config_choice *out)
{
	if (machine->uring_disabled == 2) {
		SAY(out->evidence, "kernel.io_uring_disabled is 2: nobody may use io_uring");
		SAY(out->change, "'sysctl kernel.io_uring_disabled=0', as root");
		return true;
	}
	if (machine->uring_disabled != 1 || machine->may_administrate != 0 ||
	    machine->in_uring_group != 0)
		return false;
	SAY(out->evidence, "kernel.io_uring_disabled is 1, and this process has neither "
			   "CAP_SYS_ADMIN nor the group that may");
	SAY(out->change, "'sysctl kernel.io_uring_group=GROUP', as root, and run in that group");
	return true;
}

/* Whether it was tried in vain. */
static bool uring_is_refused(const struct sfr__machine *machine, struct sfr__config_choice *out)
{
	const struct sfr__refusal *refusal = &machine->refusal;

	if (!machine->kernel_known || !sfr__refusal_is_final(refusal))
		return false;
	SAY(out->evidence, "%s: %s, as %s", sfr__refusal_call(refusal->step),
	    sfr__refusal_answer(refusal), sfr__refusal_cause(refusal, machine));
	SAY(out->change, "%s", sfr__refusal_fix(refusal, machine));
	return true;
}

static bool choose_engine(const struct sfr__machine *machine, const struct sfr__settings *settings,
			  struct sfr__config_choice *out)
{
	(void)settings;
	out->key = "engine";
	SAY(out->rule, "auto, which tries io_uring first; epoll where io_uring is forbidden");
	if (uring_is_refused(machine, out) || uring_is_forbidden(machine, out)) {
		SAY(out->value, "epoll");
		return true;
	}
	SAY(out->value, "auto");
	SAY(out->change, "'engine: epoll' never tries io_uring, 'engine: uring' insists on it");
	if (machine->kernel_known)
		SAY(out->evidence, "a ring was made here, and could be used");
	else if (machine->seccomp == 2)
		SAY(out->evidence, "a seccomp filter is in force, and may let io_uring pass");
	else if (machine->uring_disabled == 1 && machine->may_administrate != 1 &&
		 machine->in_uring_group != 1)
		SAY(out->evidence,
		    "kernel.io_uring_disabled is 1, and whether this process may use "
		    "io_uring is unknown");
	else if (machine->uring_disabled == 1)
		SAY(out->evidence,
		    "kernel.io_uring_disabled is 1, and this process may use io_uring");
	else
		SAY(out->evidence, "nothing is seen that forbids io_uring");
	return true;
}

static bool choose_entries(const struct sfr__machine *machine, const struct sfr__settings *settings,
			   struct sfr__config_choice *out)
{
	char size[AMOUNT_SIZE];
	uint64_t room = (uint64_t)machine->cores * ENTRIES_PER_CORE;
	uint64_t entries = ENTRIES_MIN;

	out->key = "ring.entries";
	SAY(out->rule,
	    "%d for each core, from %d to %d, within 1/%d of memory and 1/%d of the lock limit",
	    ENTRIES_PER_CORE, ENTRIES_MIN, ENTRIES_MAX, RING_MEMORY_SHARE, RING_LOCK_SHARE);
	SAY(out->change, "'ring.entries' may be as large as 32768");
	(void)sfr__machine_cores_text(machine, out->evidence, sizeof(out->evidence));
	if (machine->cores == 0)
		room = ENTRIES_DEFAULT;
	if (room > ENTRIES_MAX)
		room = ENTRIES_MAX;
	if (machine->memory > 0 && machine->memory / RING_MEMORY_SHARE / ENTRY_SIZE < room) {
		room = machine->memory / RING_MEMORY_SHARE / ENTRY_SIZE;
		memory_say(machine, out);
	}
	if (machine->lockable > 0 && machine->lockable / RING_LOCK_SHARE / ENTRY_SIZE < room) {
		room = machine->lockable / RING_LOCK_SHARE / ENTRY_SIZE;
		SAY(out->evidence, "%s may be locked", amount(machine->lockable, size));
	}
	if (settings->ring.cq_entries > 0 && settings->ring.cq_entries < room) {
		room = settings->ring.cq_entries;
		SAY(out->evidence, "ring.cq_entries is %u", settings->ring.cq_entries);
		if (room < entries)
			entries = room;
	}
	while (entries * 2 <= room)
		entries *= 2;
	SAY(out->value, "%" PRIu64, entries);
	return true;
}

static bool choose_workers(const struct sfr__machine *machine, const struct sfr__settings *settings,
			   struct sfr__config_choice *out)
{
	uint64_t workers = (uint64_t)machine->cores * WORKERS_PER_CORE;

	(void)settings;
	out->key = "ring.workers";
	SAY(out->rule, "%d for each core, from %d to %d", WORKERS_PER_CORE, WORKERS_MIN,
	    WORKERS_MAX);
	SAY(out->change, "more 'ring.workers' where disks are many and slow");
	(void)sfr__machine_cores_text(machine, out->evidence, sizeof(out->evidence));
	if (workers == 0)
		workers = WORKERS_DEFAULT;
	if (workers < WORKERS_MIN)
		workers = WORKERS_MIN;
	if (workers > WORKERS_MAX)
		workers = WORKERS_MAX;
	SAY(out->value, "%" PRIu64, workers);
	return true;
}

static void quirk_say(const struct sfr__machine *machine, const struct sfr__quirk *quirk,
		      struct sfr__config_choice *out)
{
	SAY(out->evidence, "kernel %s: %s (%s, noted %s)", machine->release, quirk->trouble,
	    quirk->source, quirk->written);
}

static bool choose_sqpoll(const struct sfr__machine *machine, const struct sfr__settings *settings,
			  struct sfr__config_choice *out)
{
	const struct sfr__quirk *quirk = sfr__quirk_find(machine->release, SFR__QUIRK_SQPOLL, true);

	(void)settings;
	out->key = "ring.sqpoll";
	SAY(out->value, "off");
	SAY(out->rule, "off: a thread that polls while others could work is for people to ask for");
	SAY(out->change, "'ring.sqpoll: force' has the thread all the same");
	if (sfr__machine_spares_core(machine, out->evidence, sizeof(out->evidence)) && !quirk)
		SAY(out->change, "'ring.sqpoll: auto' has the thread on this machine");
	if (quirk)
		quirk_say(machine, quirk, out);
	return true;
}

static bool choose_spin(const struct sfr__machine *machine, const struct sfr__settings *settings,
			struct sfr__config_choice *out)
{
	(void)settings;
	out->key = "ring.spin";
	SAY(out->value, "%s", machine->cores >= SFR__POLLING_CORES ? "20us" : "0");
	SAY(out->rule, "20us on %d cores and more, else 0", SFR__POLLING_CORES);
	SAY(out->change, "'ring.spin: 0' never spins, and leaves the core to others");
	if (machine->cores < SFR__POLLING_CORES)
		SAY(out->change, "'ring.spin: 20us' spins all the same");
	(void)sfr__machine_cores_text(machine, out->evidence, sizeof(out->evidence));
	return true;
}

/* Bytes of buffers that the machine has room for; what limits them becomes the evidence. */
static uint64_t buffers_room(const struct sfr__machine *machine, struct sfr__config_choice *out)
{
	uint64_t room = BUFFERS_MIB_MAX * MIB;
	char size[AMOUNT_SIZE];

	memory_say(machine, out);
	if (machine->memory / BUFFER_MEMORY_SHARE < room)
		room = machine->memory / BUFFER_MEMORY_SHARE;
	if (machine->lockable > 0 && machine->lockable / BUFFER_LOCK_SHARE < room) {
		room = machine->lockable / BUFFER_LOCK_SHARE;
		SAY(out->evidence, "%s may be locked", amount(machine->lockable, size));
	}
	return room;
}

static bool choose_count(const struct sfr__machine *machine, const struct sfr__settings *settings,
			 struct sfr__config_choice *out)
{
	uint64_t count = COUNT_DEFAULT;

	out->key = "buffers.count";
	SAY(out->rule,
	    "what fits in %d MiB, 1/%d of memory and 1/%d of the lock limit; at least %d",
	    BUFFERS_MIB_MAX, BUFFER_MEMORY_SHARE, BUFFER_LOCK_SHARE, COUNT_MIN);
	SAY(out->change, "'buffers.count', or a higher lock limit (ulimit -l, LimitMEMLOCK=)");
	if (machine->memory > 0)
		count = buffers_room(machine, out) / settings->buffers.size;
	else
		SAY(out->evidence, "an unknown size of memory");
	if (count < COUNT_MIN)
		count = COUNT_MIN;
	if (count < settings->buffers.receive) {
		count = settings->buffers.receive;
		SAY(out->evidence, "buffers.receive is %u", settings->buffers.receive);
	}
	SAY(out->value, "%" PRIu64, count);
	return true;
}

static bool choose_budget(const struct sfr__machine *machine, const struct sfr__settings *settings,
			  struct sfr__config_choice *out)
{
	uint64_t budget = BUDGET_MIB_DEFAULT * MIB, size;

	out->key = "buffers.budget";
	SAY(out->rule, "1/%d of memory, up to %d MiB; at least what buffers.count take",
	    BUDGET_MEMORY_SHARE, BUDGET_MIB_MAX);
	SAY(out->change, "'buffers.budget: 0' has buffers.count, and never more");
	if (machine->memory > 0) {
		memory_say(machine, out);
		budget = machine->memory / BUDGET_MEMORY_SHARE & ~(MIB - 1);
	} else {
		SAY(out->evidence, "an unknown size of memory");
	}
	if (budget > BUDGET_MIB_MAX * MIB)
		budget = BUDGET_MIB_MAX * MIB;
	size = settings->buffers.count * settings->buffers.size;
	if (budget < size) {
		budget = size;
		SAY(out->evidence, "buffers.count is %u, of %" PRIu64 " bytes",
		    settings->buffers.count, settings->buffers.size);
	}
	(void)sfr__value_print(sfr__config_key_find(out->key), budget, out->value);
	return true;
}

static bool choose_huge_pages(const struct sfr__machine *machine,
			      const struct sfr__settings *settings, struct sfr__config_choice *out)
{
	uint64_t size = settings->buffers.count * settings->buffers.size;
	uint64_t page = machine->huge_page_size;
	uint64_t wanted = page > 0 ? size / page + (size % page > 0) : 0;
	bool fits = page > 0 && machine->huge_pages_free >= wanted;
	char page_text[AMOUNT_SIZE];

	out->key = "buffers.huge_pages";
	SAY(out->value, "%s", fits ? "on" : "off");
	SAY(out->rule, "on where the free huge pages hold all buffers");
	SAY(out->change, "'buffers.huge_pages: off' leaves the huge pages to others");
	if (page == 0) {
		SAY(out->evidence, "an unknown number of huge pages");
		SAY(out->change, "'buffers.huge_pages: on' tries to have some");
		return true;
	}
	SAY(out->evidence, "%" PRIu64 " free huge pages of %s, and the buffers take %" PRIu64,
	    machine->huge_pages_free, amount(page, page_text), wanted);
	if (!fits)
		SAY(out->change, "'sysctl vm.nr_hugepages=N', as root, to have more of them");
	return true;
}

/* A setting that the kernel takes only together with this feature, and that someone insists on. */
static bool is_insisted_on(unsigned feature, const struct sfr__settings *settings)
{
	return feature == SFR__FEATURE_SINGLE_ISSUER &&
	       settings->features[SFR__FEATURE_DEFER_TASKRUN] == SFR__ON;
}

static bool choose_feature(unsigned feature, const struct sfr__machine *machine,
			   const struct sfr__settings *settings, struct sfr__config_choice *out)
{
	const struct sfr__quirk *quirk = sfr__quirk_find(machine->release, feature,
							 settings->ring.sqpoll != SFR__SQPOLL_OFF);
	bool missing = machine->kernel_known && !machine->refusal.error &&
		       !sfr__has(machine->kernel_features, feature);

	if ((!quirk && !missing) || is_insisted_on(feature, settings))
		return false;
	out->key = sfr__feature_key(feature);
	SAY(out->value, "off");
	SAY(out->rule, "auto, but off where the kernel refuses it or is known to have it broken");
	if (missing) {
		SAY(out->evidence, "this kernel refuses it");
		SAY(out->change, "a newer kernel");
		return true;
	}
	quirk_say(machine, quirk, out);
	SAY(out->change, "'%s: on' has it all the same", out->key);
	return true;
}

/* A choice stands after those that it depends on. */
static bool (*const choosers[])(const struct sfr__machine *machine,
				const struct sfr__settings *settings,
				struct sfr__config_choice *out) = {
	choose_engine, choose_entries, choose_workers, choose_sqpoll,
	choose_spin,   choose_count,   choose_budget,  choose_huge_pages,
};

enum { CHOOSERS = sizeof(choosers) / sizeof(choosers[0]) };

static_assert(CHOOSERS + SFR__FEATURES <= SFR__CHOICES_MAX, "arrays of choices are too small");

unsigned sfr__choices(void)
{
	return CHOOSERS + SFR__FEATURES;
}

bool sfr__choose(unsigned index, const struct sfr__machine *machine,
		 const struct sfr__settings *settings, struct sfr__config_choice *out)
{
	*out = (struct sfr__config_choice){0};
	if (index < CHOOSERS)
		return choosers[index](machine, settings, out);
	return choose_feature(index - CHOOSERS, machine, settings, out);
}

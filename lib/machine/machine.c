/* SPDX-License-Identifier: MIT */
/*
 * The machine: what follows from the facts, on every platform. Who finds them is machine/machine_linux.c.
 */
#include "machine/machine.h"
#include <inttypes.h>
#include <stdio.h>

enum { QUOTA_CORE = 1000 };

/* A part of a core is not counted: two busy threads would take turns on it. */
static uint64_t quota_cores(uint64_t quota)
{
	if (quota == 0 || quota == SFR__NO_LIMIT)
		return quota;
	return quota < QUOTA_CORE ? 1 : quota / QUOTA_CORE;
}

void sfr__machine_sum_up(struct sfr__machine *machine)
{
	uint64_t cores = sfr__lesser(machine->cores_allowed, quota_cores(machine->core_quota));
	uint64_t memory = sfr__lesser(machine->memory_total, machine->memory_limit);

	machine->cores = cores > UINT32_MAX ? 0 : (unsigned)cores;
	machine->memory = memory == SFR__NO_LIMIT ? 0 : memory;
	machine->lockable = machine->may_lock == 1 ? SFR__NO_LIMIT : machine->lock_limit;
}

void sfr__machine_look(struct sfr__machine *out)
{
	sfr__machine_look_in(out, "");
}

const char *sfr__machine_cores_text(const struct sfr__machine *machine, char *out, size_t size)
{
	const char *plural = machine->cores == 1 ? "" : "s";
	uint64_t quota = machine->core_quota;

	if (machine->cores == 0)
		(void)snprintf(out, size, "an unknown number of usable cores");
	else if (quota == 0 || quota == SFR__NO_LIMIT || machine->cores == machine->cores_allowed)
		(void)snprintf(out, size, "%u usable core%s", machine->cores, plural);
	else
		(void)snprintf(out, size,
			       "%u usable core%s, as a cgroup grants the time of %" PRIu64
			       ".%" PRIu64,
			       machine->cores, plural, quota / QUOTA_CORE,
			       quota % QUOTA_CORE / (QUOTA_CORE / 10));
	return out;
}

bool sfr__machine_spares_core(const struct sfr__machine *machine, char *why, size_t size)
{
	char cores[128];
	bool spares = machine->cores >= SFR__POLLING_CORES;

	(void)sfr__machine_cores_text(machine, cores, sizeof(cores));
	if (machine->cores == 0)
		(void)snprintf(why, size, "%s", cores);
	else
		(void)snprintf(why, size, "%s: %s", cores,
			       spares ? "one may poll" : "too few for one to poll");
	return spares;
}

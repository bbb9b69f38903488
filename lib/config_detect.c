/*
 * The preset auto_detect.
 *
 * Looking and choosing are apart, so that choices for machines one does not have can be tested. Each
 * choice is made together with its reason; the reason becomes the origin of the value and is shown
 * by sfr_config_write(). Where a fact is unknown the default stays.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "config_detect.h"
#include <inttypes.h>
#ifdef __linux__
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

#define MIB (UINT64_C(1024) * 1024)

enum {
	COUNT_MIN = 16,
	COUNT_DEFAULT = 1024,
	COUNT_MAX = 1048576,
	MEMORY_SHARE = 64,    /* one loop takes at most this part of the memory */
	LOCK_SHARE = 2,       /* and of what may be locked: rings are locked too */
	SPIN_CORES_MIN = 4,   /* with fewer, spinning takes the core from who has the answer */
	BUFFERS_MIB_MAX = 16, /* more does not make one loop faster */
};

#ifdef __linux__
static unsigned cores_usable(void)
{
	cpu_set_t set;

	/* Fails where the kernel knows of more than 1024 cores: then the number stays unknown. */
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 0;
	return (unsigned)CPU_COUNT(&set);
}

static uint64_t memory_size(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long page_size = sysconf(_SC_PAGESIZE);

	return pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : 0;
}

static uint64_t lockable_size(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return 0;
	return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

void sfr__machine_look(struct sfr__machine *out)
{
	out->cores = cores_usable();
	out->memory = memory_size();
	out->lockable = lockable_size();
}
#else
void sfr__machine_look(struct sfr__machine *out)
{
	*out = (struct sfr__machine){0};
}
#endif

static void choose_spin(const struct sfr__machine *machine, struct sfr__config_choice *out)
{
	bool spin = machine->cores >= SPIN_CORES_MIN;

	out->key = "ring.spin";
	(void)snprintf(out->value, sizeof(out->value), "%s", spin ? "20us" : "0");
	if (machine->cores == 0)
		(void)snprintf(out->reason, sizeof(out->reason),
			       "auto_detect: unknown number of cores");
	else
		(void)snprintf(out->reason, sizeof(out->reason), "auto_detect: %u usable cores, %s",
			       machine->cores, spin ? "one may spin" : "too few to spin");
}

static void choose_count(const struct sfr__machine *machine, uint64_t buffer_size,
			 struct sfr__config_choice *out)
{
	uint64_t size = BUFFERS_MIB_MAX * MIB;
	uint64_t count;

	out->key = "buffers.count";
	(void)snprintf(out->reason, sizeof(out->reason), "auto_detect: %d MiB serve one loop",
		       BUFFERS_MIB_MAX);
	if (machine->memory / MEMORY_SHARE < size) {
		size = machine->memory / MEMORY_SHARE;
		(void)snprintf(out->reason, sizeof(out->reason),
			       "auto_detect: 1/%d of %" PRIu64 " MiB memory", MEMORY_SHARE,
			       machine->memory / MIB);
	}
	if (machine->lockable > 0 && machine->lockable / LOCK_SHARE < size) {
		size = machine->lockable / LOCK_SHARE;
		(void)snprintf(out->reason, sizeof(out->reason),
			       "auto_detect: 1/%d of %" PRIu64 " KiB lockable memory", LOCK_SHARE,
			       machine->lockable / 1024);
	}
	count = size / buffer_size;
	if (machine->memory == 0) {
		count = COUNT_DEFAULT;
		(void)snprintf(out->reason, sizeof(out->reason), "auto_detect: unknown memory");
	} else if (count < COUNT_MIN) {
		count = COUNT_MIN;
		(void)snprintf(out->reason, sizeof(out->reason),
			       "auto_detect: the least that is useful");
	} else if (count > COUNT_MAX) {
		count = COUNT_MAX;
	}
	(void)snprintf(out->value, sizeof(out->value), "%" PRIu64, count);
}

void sfr__machine_choose(const struct sfr__machine *machine, uint64_t buffer_size,
			 struct sfr__config_choice out[SFR__CONFIG_CHOICES])
{
	choose_spin(machine, &out[0]);
	choose_count(machine, buffer_size, &out[1]);
}

/* SPDX-License-Identifier: MIT */
/*
 * Shortage: an error and the facts about the machine, made into one sentence with the numbers in
 * it.
 *
 * RLIMIT_AS is named only if it is what was in the way; the numbers are those that raise it by
 * enough.
 */
#include "machine/shortage.h"
#include "machine/machine.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The allocator asks the system for as much at a time. */
#define SIZE_MIN ((uint64_t)256 * 1024)

static uint64_t kib_of(uint64_t bytes)
{
	return bytes / 1024 + (bytes % 1024 > 0);
}

static void memory_text(const struct sfr__machine *machine, uint64_t size,
			char out[SFR__SHORTAGE_SIZE])
{
	uint64_t kib;

	if (size < SIZE_MIN)
		size = SIZE_MIN;
	kib = kib_of(machine->addresses_used + size);
	if (!sfr__machine_lacks_addresses(machine, size)) {
		(void)snprintf(out, SFR__SHORTAGE_SIZE,
			       "no memory is left (to the system, to the cgroup, or within "
			       "RLIMIT_DATA and vm.max_map_count)");
		return;
	}
	(void)snprintf(out, SFR__SHORTAGE_SIZE,
		       "RLIMIT_AS allows %" PRIu64 " KiB of addresses, of which %" PRIu64
		       " are in use, and it takes %" PRIu64 " more (raise it to %" PRIu64
		       " KiB at least: ulimit -v %" PRIu64 ", LimitAS=%" PRIu64 "K)",
		       machine->addresses / 1024, kib_of(machine->addresses_used), kib_of(size),
		       kib, kib, kib);
}

const char *sfr__shortage_text(const struct sfr__machine *machine, int err, uint64_t size,
			       char out[SFR__SHORTAGE_SIZE])
{
	switch (-err) {
	case ENOMEM:
		memory_text(machine, size, out);
		break;
	case EMFILE:
		(void)snprintf(out, SFR__SHORTAGE_SIZE,
			       "all %" PRIu64 " descriptors that RLIMIT_NOFILE allows are open "
			       "(raise it: ulimit -n, LimitNOFILE=)",
			       machine->files);
		break;
	case ENFILE:
		(void)snprintf(out, SFR__SHORTAGE_SIZE,
			       "the system has as many files open as it may (raise the sysctl "
			       "fs.file-max)");
		break;
	default:
		(void)snprintf(out, SFR__SHORTAGE_SIZE, "%s (%s)", sfr_strerror(err),
			       sfr_errname(err));
		break;
	}
	return out;
}

const char *sfr__shortage_now(int err, uint64_t size, char out[SFR__SHORTAGE_SIZE])
{
	struct sfr__machine machine;

	sfr__machine_look(&machine);
	return sfr__shortage_text(&machine, err, size, out);
}

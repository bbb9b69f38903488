/* SPDX-License-Identifier: MIT */
/*
 * Refusal: from the error of a call and the facts about the machine to a cause, and from there to
 * words.
 *
 * An error alone has several causes. The facts decide, from the most certain (a sysctl that says
 * so) to the least (a seccomp filter is in force, so it may have been the filter).
 */
#include "machine/refusal.h"
#include "machine/machine.h"
#include <safer_ring/error.h>
#include <errno.h>

/* More addresses than the largest ring takes. */
#define RING_MAX ((uint64_t)8 * 1024 * 1024)

enum cause {
	SYSCTL_ALL,
	SYSCTL_GROUP,
	FILTER,
	DEADLY,
	UNASKED,
	FORBIDDEN,
	MISSING,
	OLD,
	MEMORY,
	ADDRESSES,
	DESCRIPTORS,
	UNKNOWN,
};

#define ALLOW                                                                        \
	"allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp " \
	"profile of the container or service"

/* Causes as an administrator meets them. What the fix names is all that it takes, and nothing more. */
static const struct {
	const char *cause, *fix;
} words[] = {
	[SYSCTL_ALL] =
		{"the sysctl kernel.io_uring_disabled is 2, which forbids it to everybody",
		 "sysctl kernel.io_uring_disabled=1, and kernel.io_uring_group of a group of the user that "
		 "runs this; 0 allows everybody"},
	[SYSCTL_GROUP] =
		{"the sysctl kernel.io_uring_disabled is 1, and this process is not in the "
		 "group that kernel.io_uring_group names",
		 "set kernel.io_uring_group to a group of the user that runs this"},
	[FILTER] = {"a seccomp filter forbids it, as those of containers do", ALLOW},
	[DEADLY] = {"a seccomp filter kills who calls it", ALLOW},
	[UNASKED] =
		{"a seccomp filter is in force, and there could be no child to try whether it kills",
		 "let this user have another process, or set engine: uring, which tries itself"},
	[FORBIDDEN] = {"a security policy forbids it", "look for the denial in the audit log"},
	[MISSING] = {"this kernel has no io_uring, or an emulator or sandbox does not pass it on",
		     "a kernel with CONFIG_IO_URING, 5.11 or newer"},
	[OLD] = {"this kernel's io_uring is older than that of Linux 5.11", "a newer kernel"},
	[MEMORY] = {"there is not enough memory for the ring that this user may lock",
		    "raise RLIMIT_MEMLOCK (ulimit -l, LimitMEMLOCK=) or lower ring.entries"},
	[ADDRESSES] = {"RLIMIT_AS leaves too few addresses for a ring",
		       "raise RLIMIT_AS (ulimit -v, LimitAS=)"},
	[DESCRIPTORS] = {"no descriptor is left for the ring",
			 "raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=)"},
	[UNKNOWN] = {"the kernel gave no reason", "see the manual of this error"},
};

static enum cause cause_of(const struct sfr__refusal *refusal, const struct sfr__machine *machine)
{
	if (refusal->verdict != SFR__ANSWERED)
		return refusal->verdict == SFR__KILLED ? DEADLY : UNASKED;
	switch (-refusal->error) {
	case EPERM:
	case EACCES:
		if (refusal->step == SFR__STEP_SETUP && machine->uring_disabled == 2)
			return SYSCTL_ALL;
		if (refusal->step == SFR__STEP_SETUP && machine->uring_disabled == 1 &&
		    machine->in_uring_group != 1 && machine->may_administrate != 1)
			return SYSCTL_GROUP;
		return machine->seccomp > 0 ? FILTER : FORBIDDEN;
	case ENOSYS:
		return machine->seccomp > 0 ? FILTER : MISSING;
	case EINVAL:
		return OLD;
	case ENOMEM:
		return sfr__machine_lacks_addresses(machine, RING_MAX) ? ADDRESSES : MEMORY;
	case EMFILE:
	case ENFILE:
		return DESCRIPTORS;
	default:
		return UNKNOWN;
	}
}

bool sfr__refusal_is_final(const struct sfr__refusal *refusal)
{
	return refusal->error == -EPERM || refusal->error == -EACCES || refusal->error == -ENOSYS ||
	       refusal->error == -EINVAL || refusal->error == -ENOMEM;
}

bool sfr__refusal_is_filter(const struct sfr__refusal *refusal, const struct sfr__machine *machine)
{
	enum cause cause = cause_of(refusal, machine);

	return cause == FILTER || cause == DEADLY;
}

const char *sfr__refusal_call(enum sfr__uring_step step)
{
	switch (step) {
	case SFR__STEP_SETUP:
		return "io_uring_setup";
	case SFR__STEP_REGISTER:
		return "io_uring_register";
	case SFR__STEP_ENTER:
		return "io_uring_enter";
	}
	return "io_uring";
}

const char *sfr__refusal_answer(const struct sfr__refusal *refusal)
{
	switch (refusal->verdict) {
	case SFR__ANSWERED:
		break;
	case SFR__KILLED:
		return "SIGSYS";
	case SFR__UNASKED:
		return "nothing yet";
	}
	return sfr_errname(refusal->error);
}

const char *sfr__refusal_cause(const struct sfr__refusal *refusal,
			       const struct sfr__machine *machine)
{
	return words[cause_of(refusal, machine)].cause;
}

const char *sfr__refusal_fix(const struct sfr__refusal *refusal, const struct sfr__machine *machine)
{
	return words[cause_of(refusal, machine)].fix;
}

/* SPDX-License-Identifier: MIT */
/*
 * Doctor: the facts as text, then the same facts as JSON.
 *
 * Both only read struct facts. What is not known is said to be unknown, or null in JSON, and not
 * left out.
 */
#include "doctor.h"
#include "advice.h"
#include "exit.h"
#include "json.h"
#include "text.h"
#include "config/value.h"
#include <safer_ring/error.h>
#include <inttypes.h>
#include <string.h>

enum {
	FEATURE_COLUMN = 26, /* where their words start */
	ENGINE_COLUMN = 22,
	MACHINE_COLUMN = 18,
	HOW_COLUMN = 19,
};

static const char killed_cause[] = "a seccomp filter kills processes that try io_uring";
static const char killed_remedy[] =
	"set SAFER_RING_ENGINE=epoll (or engine: epoll) for everything started here";
static const char killed_fix[] =
	"allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile of the "
	"container or service";

int doctor_status(const struct facts *facts)
{
	switch (facts_outcome(facts)) {
	case FACTS_USE_URING:
		return EXIT_FINE;
	case FACTS_USE_EPOLL:
	case FACTS_NO_LOOP:
	case FACTS_DEATH:
		return EXIT_NO;
	case FACTS_UNKNOWN:
		break;
	}
	return EXIT_TROUBLE;
}

/*
 * The verdict.
 */

/* What of loops, where it is not io_uring that decides: a clause. */
static void loops_write(const struct facts *facts, char *out, size_t size)
{
	char origin[FACTS_ORIGIN_SIZE];
	char why[256];

	switch (facts_outcome(facts)) {
	case FACTS_USE_URING:
		(void)snprintf(out, size, "loops use the engine uring");
		return;
	case FACTS_USE_EPOLL:
		(void)snprintf(out, size, "loops use the engine epoll, which needs nothing");
		return;
	case FACTS_DEATH:
		(void)snprintf(out, size, "so a program that makes a loop dies");
		return;
	case FACTS_UNKNOWN:
		(void)snprintf(out, size, "so which engine loops get is not known");
		return;
	case FACTS_NO_LOOP:
		break;
	}
	if (facts->config_result < 0)
		(void)snprintf(out, size, "no loop can be made, as the environment is bad: %s",
			       facts->config_trouble);
	else if (facts_lacks_addresses(facts))
		(void)snprintf(out, size,
			       "no loop can be made, as RLIMIT_AS leaves too few addresses");
	else if (facts->config.settings.ring.sqpoll == SFR__SQPOLL_ON &&
		 !facts_sqpoll_fits(facts, why, sizeof(why)))
		(void)snprintf(out, size, "no loop can be made, as ring.sqpoll is on (%s): %s",
			       facts_origin_text(facts, "ring.sqpoll", origin), why);
	else if (facts->config.settings.engine == SFR__ENGINE_URING)
		(void)snprintf(out, size, "no loop can be made, as engine is uring (%s)",
			       facts_origin_text(facts, "engine", origin));
	else
		(void)snprintf(out, size, "no loop can be made");
}

static void how_write(FILE *out)
{
	text_row(
		out, HOW_COLUMN, "Docker, Podman:",
		"add the three names to a copy of the default profile, and run with --security-opt "
		"seccomp=FILE");
	text_row(out, HOW_COLUMN, "Kubernetes:", "the same file as a Localhost seccompProfile");
	text_row(
		out, HOW_COLUMN, "systemd:",
		"SystemCallFilter=io_uring_setup io_uring_enter io_uring_register, after the lines "
		"that are there");
}

static void refused_write(FILE *out, const struct facts *facts, const char *loops)
{
	const struct sfr__refusal *refusal = &facts->probe.refusal;

	text_words(out, 0, "io_uring does not work here: %s: %s, as %s; %s.",
		   sfr__refusal_call(refusal->step), sfr__refusal_answer(refusal),
		   sfr__refusal_cause(refusal, &facts->machine), loops);
	text_words(out, 0, "To allow it: %s.", sfr__refusal_fix(refusal, &facts->machine));
	if (sfr__refusal_is_filter(refusal, &facts->machine))
		how_write(out);
}

static void verdict_write(FILE *out, const struct facts *facts)
{
	char origin[FACTS_ORIGIN_SIZE];
	char loops[1200];

	loops_write(facts, loops, sizeof(loops));
	switch (facts->probing) {
	case FACTS_STUCK:
		text_words(out, 0,
			   "Whether io_uring works here could not be found out: the process that "
			   "tried it ended without an answer (signal %d).",
			   facts->signal);
		return;
	case FACTS_SPARED:
		text_words(out, 0, "io_uring was not tried, as %s says epoll; %s.",
			   facts->config_result == 0 ? facts_origin_text(facts, "engine", origin)
						     : "SAFER_RING_ENGINE",
			   loops);
		return;
	case FACTS_KILLED:
		text_words(out, 0, "io_uring does not work here: %s, with SIGSYS; %s.",
			   killed_cause, loops);
		text_words(out, 0, "To do without it: %s.", killed_remedy);
		text_words(out, 0, "To allow it: %s.", killed_fix);
		how_write(out);
		return;
	case FACTS_PROBED:
		break;
	}
	if (!facts_uring_works(facts))
		refused_write(out, facts, loops);
	else
		text_words(out, 0, "io_uring works here%s %s.",
			   facts_outcome(facts) == FACTS_USE_URING ? ";" : ", but", loops);
}

/*
 * The engine, and what the environment changes.
 */

/* What auto takes here, whatever is set; NULL if that is not known. */
static const char *auto_engine(const struct facts *facts)
{
	switch (facts->probing) {
	case FACTS_STUCK:
	case FACTS_SPARED:
	case FACTS_KILLED:
		return NULL;
	case FACTS_PROBED:
		break;
	}
	if (facts_uring_works(facts))
		return "uring";
	return sfr__refusal_is_final(&facts->probe.refusal) ? "epoll" : NULL;
}

static const char *auto_words(const struct facts *facts)
{
	const char *engine = auto_engine(facts);

	if (engine)
		return engine;
	switch (facts->probing) {
	case FACTS_STUCK:
		break;
	case FACTS_SPARED:
		return "not known, as io_uring was not tried";
	case FACTS_KILLED:
		return "none: trying io_uring is deadly";
	case FACTS_PROBED:
		return "none: the error above is not one that another engine avoids";
	}
	return "not known";
}

/* "ring.sqpoll: on, engine: uring", as set by the file that the environment names. */
static void keys_of_environment(const struct facts *facts, char *out, size_t size)
{
	size_t count, used = 0;
	const struct sfr__config_key *keys = sfr__config_keys(&count);
	char value[SFR__VALUE_SIZE];

	out[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++) {
		const struct sfr__config_origin *origin = &facts->config.origins[i];

		if (origin->rank != SFR__RANK_ENVIRONMENT || origin->line == 0)
			continue;
		sfr__value_print(&keys[i], sfr__settings_get(&facts->config.settings, &keys[i]),
				 value);
		used += (size_t)snprintf(out + used, size - used, "%s%s: %s", used ? ", " : "",
					 keys[i].name, value);
	}
}

static void engine_write(FILE *out, const struct facts *facts)
{
	char keys[1024];

	(void)fprintf(out, "\nEngine\n");
	text_row(out, ENGINE_COLUMN, "auto takes", "%s", auto_words(facts));
	if (!facts->engine_variable[0])
		text_row(out, ENGINE_COLUMN, "SAFER_RING_ENGINE", "not set");
	else
		text_row(out, ENGINE_COLUMN, "SAFER_RING_ENGINE",
			 "%s, for every program here that does not itself set the engine",
			 facts->engine_variable);
	if (!facts->config_variable[0]) {
		text_row(out, ENGINE_COLUMN, "SAFER_RING_CONFIG", "not set");
		return;
	}
	keys_of_environment(facts, keys, sizeof(keys));
	text_row(out, ENGINE_COLUMN, "SAFER_RING_CONFIG", "%s, which %s%s", facts->config_variable,
		 facts->config_result < 0 ? "is refused"
		 : keys[0]                ? "sets "
					  : "sets nothing",
		 facts->config_result < 0 ? "" : keys);
}

/*
 * Features.
 */

static const char *const feature_words[] = {
	[FACTS_FEATURE_UNKNOWN] = "unknown", [FACTS_FEATURE_PRESENT] = "present",
	[FACTS_FEATURE_MISSING] = "missing", [FACTS_FEATURE_BROKEN] = "broken",
	[FACTS_FEATURE_FORCED] = "forced",   [FACTS_FEATURE_OFF] = "off",
};

static void feature_write(FILE *out, const struct facts *facts, enum sfr__feature feature)
{
	enum facts_feature state = facts_feature(facts, feature);
	const struct sfr__quirk *quirk = facts_quirk(facts, feature);
	const char *name = facts_feature_name(feature);
	const char *without = facts_feature_without(feature);
	char key[64], label[64], origin[FACTS_ORIGIN_SIZE];

	(void)snprintf(key, sizeof(key), "features.%s", name);
	(void)snprintf(label, sizeof(label), "%-8s %s", feature_words[state], name);
	text_row(out, FEATURE_COLUMN, label, "%s%s", facts_feature_gives(feature),
		 state == FACTS_FEATURE_PRESENT ? "" : ";");
	switch (state) {
	case FACTS_FEATURE_UNKNOWN:
	case FACTS_FEATURE_PRESENT:
		return;
	case FACTS_FEATURE_MISSING:
		text_words(out, FEATURE_COLUMN, "without it, %s", without);
		return;
	case FACTS_FEATURE_BROKEN:
		text_words(out, FEATURE_COLUMN,
			   "not used on Linux %s: %s (%s, noted %s); '%s: on' has it all the same",
			   facts->machine.release, quirk->trouble, quirk->source, quirk->written,
			   key);
		return;
	case FACTS_FEATURE_FORCED:
		text_words(
			out, FEATURE_COLUMN,
			"on (%s), though on Linux %s: %s (%s, noted %s); '%s: auto' leaves it out",
			facts_origin_text(facts, key, origin), facts->machine.release,
			quirk->trouble, quirk->source, quirk->written, key);
		return;
	case FACTS_FEATURE_OFF:
		text_words(out, FEATURE_COLUMN, "off (%s): %s",
			   facts_origin_text(facts, key, origin), without);
		return;
	}
}

static void features_write(FILE *out, const struct facts *facts)
{
	(void)fprintf(out, "\nFeatures of io_uring\n");
	if (!facts_uring_works(facts)) {
		text_words(out, 2, "%s",
			   facts->probing == FACTS_PROBED   ? "none, as it does not work"
			   : facts->probing == FACTS_SPARED ? "not known, as it was not tried"
							    : "not known, as trying it failed");
		return;
	}
	for (unsigned i = 0; i < SFR__FEATURES; i++)
		feature_write(out, facts, (enum sfr__feature)i);
}

/*
 * The machine.
 */

static void cores_write(FILE *out, const struct sfr__machine *machine)
{
	char why[256];

	(void)sfr__machine_spares_core(machine, why, sizeof(why));
	text_row(out, MACHINE_COLUMN, "cores", "%s", why);
}

static void memory_write(FILE *out, const struct sfr__machine *machine)
{
	char total[TEXT_AMOUNT_SIZE], limit[TEXT_AMOUNT_SIZE];

	if (machine->memory_limit == 0 || machine->memory_limit == SFR__NO_LIMIT)
		text_row(out, MACHINE_COLUMN, "memory", "%s%s",
			 text_amount(machine->memory_total, total),
			 machine->memory_limit ? ", no limit by a cgroup" : "");
	else
		text_row(out, MACHINE_COLUMN, "memory", "%s, of which a cgroup grants %s",
			 text_amount(machine->memory_total, total),
			 text_amount(machine->memory_limit, limit));
}

static void limits_write(FILE *out, const struct sfr__machine *machine)
{
	char amount[TEXT_AMOUNT_SIZE], used[TEXT_AMOUNT_SIZE];
	bool limited = machine->addresses != 0 && machine->addresses != SFR__NO_LIMIT &&
		       machine->addresses_used != 0;

	text_row(out, MACHINE_COLUMN, "addresses", "%s (RLIMIT_AS)%s%s",
		 text_amount(machine->addresses, amount),
		 limited ? ", of which this program alone takes " : "",
		 limited ? text_amount(machine->addresses_used, used) : "");
	text_row(out, MACHINE_COLUMN, "locked memory", "%s (RLIMIT_MEMLOCK)%s",
		 text_amount(machine->lock_limit, amount),
		 machine->lock_limit == SFR__NO_LIMIT ? ""
		 : machine->may_lock == 1             ? ", which CAP_IPC_LOCK lifts"
		 : machine->may_lock == 0             ? ", and no CAP_IPC_LOCK to lift it"
						      : "");
	if (machine->files == 0 || machine->files == SFR__NO_LIMIT)
		text_row(out, MACHINE_COLUMN, "descriptors", "%s (RLIMIT_NOFILE)",
			 machine->files ? "no limit" : "unknown");
	else
		text_row(out, MACHINE_COLUMN, "descriptors", "%" PRIu64 " (RLIMIT_NOFILE)",
			 machine->files);
}

static const char *const huge_modes[] = {
	[SFR__HUGE_UNKNOWN] = "unknown",
	[SFR__HUGE_NEVER] = "never",
	[SFR__HUGE_MADVISE] = "madvise",
	[SFR__HUGE_ALWAYS] = "always",
};

static void huge_pages_write(FILE *out, const struct sfr__machine *machine)
{
	char size[TEXT_AMOUNT_SIZE];

	if (machine->huge_page_size == 0)
		text_row(out, MACHINE_COLUMN, "huge pages", "unknown; transparent ones: %s",
			 huge_modes[machine->huge_mode]);
	else
		text_row(out, MACHINE_COLUMN, "huge pages",
			 "%" PRIu64 " of %s, %" PRIu64 " of them free; transparent ones: %s",
			 machine->huge_pages, text_amount(machine->huge_page_size, size),
			 machine->huge_pages_free, huge_modes[machine->huge_mode]);
}

static void sysctls_write(FILE *out, const struct sfr__machine *machine)
{
	char group[128] = "no group is named";

	if (machine->uring_group >= 0)
		(void)snprintf(group, sizeof(group),
			       "kernel.io_uring_group is %" PRId64 ", and this process is %s it",
			       machine->uring_group,
			       machine->in_uring_group == 1   ? "in"
			       : machine->in_uring_group == 0 ? "not in"
							      : "perhaps in");
	switch (machine->uring_disabled) {
	case 0:
		text_row(out, MACHINE_COLUMN, "sysctls",
			 "kernel.io_uring_disabled is 0: everybody may");
		return;
	case 1:
		text_row(out, MACHINE_COLUMN, "sysctls",
			 "kernel.io_uring_disabled is 1: CAP_SYS_ADMIN or the group may; %s",
			 group);
		return;
	case 2:
		text_row(out, MACHINE_COLUMN, "sysctls",
			 "kernel.io_uring_disabled is 2: nobody may");
		return;
	default:
		text_row(out, MACHINE_COLUMN, "sysctls",
			 "no kernel.io_uring_disabled is seen; Linux has it since 6.6");
	}
}

static void seccomp_write(FILE *out, const struct sfr__machine *machine)
{
	static const char *const modes[] = {"none", "strict", "a filter is in force"};

	text_row(out, MACHINE_COLUMN, "seccomp", "%s",
		 machine->seccomp >= 0 && machine->seccomp <= 2 ? modes[machine->seccomp]
								: "unknown");
}

static void liburing_write(FILE *out, const struct facts_liburing *liburing)
{
	const char *built = liburing->built[0] ? liburing->built : "an unknown one";

	if (!liburing->file[0] && !liburing->built[0])
		text_row(out, MACHINE_COLUMN, "liburing", "unknown");
	else if (!liburing->file[0])
		text_row(out, MACHINE_COLUMN, "liburing", "%s, built into this program", built);
	else if (liburing->running[0])
		text_row(out, MACHINE_COLUMN, "liburing", "built with %s, runs with %s", built,
			 liburing->running);
	else
		text_row(out, MACHINE_COLUMN, "liburing",
			 "built with %s, runs with %s, which does not tell its version", built,
			 liburing->file);
}

static void machine_write(FILE *out, const struct facts *facts)
{
	const struct sfr__machine *machine = &facts->machine;

	(void)fprintf(out, "\nMachine\n");
	text_row(out, MACHINE_COLUMN, "kernel", "%s%s", machine->release[0] ? "Linux " : "",
		 machine->release[0] ? machine->release : "unknown");
	liburing_write(out, &facts->liburing);
	cores_write(out, machine);
	if (machine->nodes > 0)
		text_row(out, MACHINE_COLUMN, "NUMA nodes", "%u", machine->nodes);
	memory_write(out, machine);
	limits_write(out, machine);
	huge_pages_write(out, machine);
	seccomp_write(out, machine);
	sysctls_write(out, machine);
}

void doctor_text(FILE *out, const struct facts *facts)
{
	struct advice advice[ADVICE_MAX];
	unsigned count = advice_collect(facts, ADVICE_ON_ALL, advice);

	verdict_write(out, facts);
	engine_write(out, facts);
	features_write(out, facts);
	machine_write(out, facts);
	if (count > 0)
		(void)fprintf(out, "\nAdvice\n");
	advice_text(out, advice, count);
}

/*
 * The same as JSON.
 */

static const char *state_word(const struct facts *facts)
{
	switch (facts->probing) {
	case FACTS_STUCK:
		break;
	case FACTS_SPARED:
		return "not_tried";
	case FACTS_KILLED:
		return "killed";
	case FACTS_PROBED:
		if (facts->probe.refusal.verdict == SFR__KILLED)
			return "killed";
		return facts_uring_works(facts) ? "works" : "refused";
	}
	return "unknown";
}

static void uring_json(struct json *json, const struct facts *facts)
{
	const struct sfr__refusal *refusal = &facts->probe.refusal;
	const struct sfr__machine *machine = &facts->machine;
	bool refused = facts->probing == FACTS_PROBED && refusal->error < 0;
	bool killed = facts->probing == FACTS_KILLED;

	json_open(json, "io_uring", '{');
	json_string(json, "state", state_word(facts));
	json_string(json, "call", refused ? sfr__refusal_call(refusal->step) : NULL);
	json_string(json, "error", refused ? sfr__refusal_answer(refusal) : NULL);
	json_string(json, "cause",
		    refused  ? sfr__refusal_cause(refusal, machine)
		    : killed ? killed_cause
			     : NULL);
	json_string(json, "fix",
		    refused  ? sfr__refusal_fix(refusal, machine)
		    : killed ? killed_fix
			     : NULL);
	json_string(json, "remedy", killed ? killed_remedy : NULL);
	json_close(json, '}');
}

static void engine_json(struct json *json, const struct facts *facts)
{
	enum facts_outcome outcome = facts_outcome(facts);
	char loops[1200];

	loops_write(facts, loops, sizeof(loops));
	json_open(json, "engine", '{');
	json_string(json, "auto", auto_engine(facts));
	json_string(json, "used",
		    outcome == FACTS_USE_URING   ? "uring"
		    : outcome == FACTS_USE_EPOLL ? "epoll"
						 : NULL);
	json_string(json, "loops", loops);
	json_close(json, '}');
	json_open(json, "environment", '{');
	json_string(json, "SAFER_RING_ENGINE",
		    facts->engine_variable[0] ? facts->engine_variable : NULL);
	json_string(json, "SAFER_RING_CONFIG",
		    facts->config_variable[0] ? facts->config_variable : NULL);
	json_string(json, "error", facts->config_result < 0 ? facts->config_trouble : NULL);
	json_close(json, '}');
}

static void features_json(struct json *json, const struct facts *facts)
{
	json_open(json, "features", '[');
	for (unsigned i = 0; i < SFR__FEATURES; i++) {
		const struct sfr__quirk *quirk = facts_quirk(facts, (enum sfr__feature)i);
		enum facts_feature state = facts_feature(facts, (enum sfr__feature)i);

		json_open(json, NULL, '{');
		json_string(json, "name", facts_feature_name((enum sfr__feature)i));
		json_string(json, "state", feature_words[state]);
		json_string(json, "gives", facts_feature_gives((enum sfr__feature)i));
		json_string(json, "without", facts_feature_without((enum sfr__feature)i));
		json_string(json, "trouble", quirk ? quirk->trouble : NULL);
		json_string(json, "source", quirk ? quirk->source : NULL);
		json_string(json, "noted", quirk ? quirk->written : NULL);
		json_close(json, '}');
	}
	json_close(json, ']');
}

/* An amount that is null if unknown, and "unlimited" if nothing bounds it. */
static void amount_json(struct json *json, const char *name, uint64_t amount)
{
	if (amount == 0)
		json_null(json, name);
	else if (amount == SFR__NO_LIMIT)
		json_string(json, name, "unlimited");
	else
		json_number(json, name, amount);
}

/* An answer that is null if unknown. */
static void answer_json(struct json *json, const char *name, int answer)
{
	if (answer < 0)
		json_null(json, name);
	else
		json_bool(json, name, answer == 1);
}

static void level_json(struct json *json, const char *name, int64_t level)
{
	if (level < 0)
		json_null(json, name);
	else
		json_signed(json, name, level);
}

static void machine_json(struct json *json, const struct sfr__machine *machine)
{
	bool huge_known = machine->huge_page_size > 0;

	json_open(json, "machine", '{');
	json_string(json, "kernel", machine->release[0] ? machine->release : NULL);
	amount_json(json, "cores", machine->cores);
	amount_json(json, "cores_allowed", machine->cores_allowed);
	amount_json(json, "core_quota_thousandths", machine->core_quota);
	amount_json(json, "numa_nodes", machine->nodes);
	amount_json(json, "memory", machine->memory);
	amount_json(json, "memory_total", machine->memory_total);
	amount_json(json, "memory_limit", machine->memory_limit);
	amount_json(json, "addresses", machine->addresses);
	amount_json(json, "addresses_used", machine->addresses_used);
	amount_json(json, "lockable", machine->lockable);
	amount_json(json, "lock_limit", machine->lock_limit);
	amount_json(json, "descriptors", machine->files);
	amount_json(json, "huge_page_size", machine->huge_page_size);
	level_json(json, "huge_pages", huge_known ? (int64_t)machine->huge_pages : -1);
	level_json(json, "huge_pages_free", huge_known ? (int64_t)machine->huge_pages_free : -1);
	json_string(json, "transparent_huge_pages",
		    machine->huge_mode == SFR__HUGE_UNKNOWN ? NULL
							    : huge_modes[machine->huge_mode]);
	answer_json(json, "may_lock", machine->may_lock);
	answer_json(json, "may_administrate", machine->may_administrate);
	level_json(json, "seccomp", machine->seccomp);
	level_json(json, "io_uring_disabled", machine->uring_disabled);
	level_json(json, "io_uring_group", machine->uring_group);
	answer_json(json, "in_io_uring_group", machine->in_uring_group);
	json_close(json, '}');
}

static void liburing_json(struct json *json, const struct facts_liburing *liburing)
{
	json_open(json, "liburing", '{');
	json_string(json, "built", liburing->built[0] ? liburing->built : NULL);
	json_string(json, "running", liburing->running[0] ? liburing->running : NULL);
	json_string(json, "file", liburing->file[0] ? liburing->file : NULL);
	json_close(json, '}');
}

void doctor_json(FILE *out, const struct facts *facts)
{
	struct json json = {.out = out};
	struct advice advice[ADVICE_MAX];
	unsigned count = advice_collect(facts, ADVICE_ON_ALL, advice);

	json_open(&json, NULL, '{');
	json_number(&json, "status", (uint64_t)doctor_status(facts));
	uring_json(&json, facts);
	engine_json(&json, facts);
	features_json(&json, facts);
	liburing_json(&json, &facts->liburing);
	machine_json(&json, &facts->machine);
	advice_json(&json, "advice", advice, count);
	json_close(&json, '}');
}

/* SPDX-License-Identifier: MIT */
/*
 * Advice: a function for each subject looks at the facts, and adds what it has to say.
 *
 * The order of the subjects is the order of the advice. Nothing is looked up here: what the facts
 * do not say is not advised about.
 */
#include "advice.h"
#include "text.h"
#include "config/value.h"
#include <safer_ring/error.h>
#include <inttypes.h>
#include <string.h>

#define KIB UINT64_C(1024)

/* With less, trying io_uring itself may run short: rings count, and their memory is given back late. */
#define LOCKABLE_AMPLE (1024 * KIB)

enum {
	COUNT_WORTH_NAMING = 16,
	FILES_FEW = 4096,     /* with fewer, say so even if nobody asked for many connections */
	FILES_PLENTY = 65536, /* as many connections as a server has by default */
	FILES_OF_LOOP = 64,   /* what a program needs besides connections, generously */
};

struct list {
	const struct facts *facts;
	enum advice_scope scope;
	struct advice *items;
	unsigned count;
};

#define SAY(field, ...) ((void)snprintf(field, sizeof(field), __VA_ARGS__))

/* Another one, for a key whose value the trouble starts with. */
static struct advice *advice_add(struct list *list, const char *name)
{
	struct advice *advice = &list->items[list->count];

	if (list->count + 1 < ADVICE_MAX)
		list->count++;
	*advice = (struct advice){0};
	SAY(advice->key, "%s", name);
	return advice;
}

/* Whether somebody chose the value of a key. What auto_detect chose fits. */
static bool is_chosen(const struct list *list, const char *key)
{
	const struct sfr__config_origin *origin = facts_origin(list->facts, key);

	return origin->rank > SFR__RANK_DEFAULT && origin->choice == 0;
}

static bool is_known_for_epoll(const struct list *list)
{
	return facts_outcome(list->facts) == FACTS_USE_EPOLL;
}

static void advise_engine(struct list *list)
{
	const struct facts *facts = list->facts;
	struct advice *advice;

	if (facts->probing != FACTS_PROBED || facts_uring_works(facts) ||
	    facts->config.settings.engine != SFR__ENGINE_URING)
		return;
	advice = advice_add(list, "engine");
	SAY(advice->trouble, "uring: no loop can be made, as io_uring does not work here (%s: %s)",
	    sfr__refusal_call(facts->probe.refusal.step),
	    sfr__refusal_answer(&facts->probe.refusal));
	SAY(advice->fix, "'engine: auto' takes epoll where io_uring does not work");
	advice->refuses = true;
}

static void advise_sqpoll(struct list *list)
{
	uint32_t sqpoll = list->facts->config.settings.ring.sqpoll;
	struct advice *advice;
	char why[256];

	if (!is_chosen(list, "ring.sqpoll") || sqpoll == SFR__SQPOLL_OFF ||
	    is_known_for_epoll(list) || facts_sqpoll_fits(list->facts, why, sizeof(why)))
		return;
	advice = advice_add(list, "ring.sqpoll");
	switch ((enum sfr__sqpoll_choice)sqpoll) {
	case SFR__SQPOLL_OFF:
		break;
	case SFR__SQPOLL_ON:
		SAY(advice->trouble, "on is refused, and no loop can be made: %s", why);
		SAY(advice->fix, "'ring.sqpoll: auto' leaves it out here");
		advice->refuses = true;
		break;
	case SFR__SQPOLL_AUTO:
		SAY(advice->trouble, "auto, and so off here: %s", why);
		SAY(advice->fix, "'ring.sqpoll: force' has it all the same");
		break;
	case SFR__SQPOLL_FORCE:
		SAY(advice->trouble, "force, and it does harm here: %s", why);
		SAY(advice->fix, "'ring.sqpoll: auto' leaves it out here");
		break;
	}
}

static void advise_feature(struct list *list, enum sfr__feature feature)
{
	const struct sfr__quirk *quirk = facts_quirk(list->facts, feature);
	struct advice *advice;
	char key[64];

	SAY(key, "features.%s", facts_feature_name(feature));
	if (!is_chosen(list, key) || list->facts->config.settings.features[feature] != SFR__ON)
		return;
	switch (facts_feature(list->facts, feature)) {
	case FACTS_FEATURE_UNKNOWN:
	case FACTS_FEATURE_PRESENT:
	case FACTS_FEATURE_BROKEN:
	case FACTS_FEATURE_OFF:
		return;
	case FACTS_FEATURE_MISSING:
		advice = advice_add(list, key);
		SAY(advice->trouble, "on, but this kernel does not have it; without it, %s",
		    facts_feature_without(feature));
		SAY(advice->fix, "a newer kernel; '%s: auto' says the same without a warning", key);
		return;
	case FACTS_FEATURE_FORCED:
		advice = advice_add(list, key);
		SAY(advice->trouble, "on, and Linux %s has it broken: %s (%s, noted %s)",
		    list->facts->machine.release, quirk->trouble, quirk->source, quirk->written);
		SAY(advice->fix, "'%s: auto' leaves it out here", key);
		return;
	}
}

/* A time that only does something where a feature is. */
static void advise_time(struct list *list, const char *key, uint64_t ns, enum sfr__feature feature)
{
	enum facts_feature state = facts_feature(list->facts, feature);
	const char *name = facts_feature_name(feature);
	struct advice *advice;

	if (ns == 0 || !is_chosen(list, key))
		return;
	if (state == FACTS_FEATURE_MISSING) {
		advice = advice_add(list, key);
		SAY(advice->trouble, "does nothing here: this kernel does not have features.%s; %s",
		    name, facts_feature_without(feature));
		SAY(advice->fix, "a newer kernel");
	} else if (state == FACTS_FEATURE_BROKEN) {
		const struct sfr__quirk *quirk = facts_quirk(list->facts, feature);

		advice = advice_add(list, key);
		SAY(advice->trouble,
		    "does nothing here: features.%s is off, as Linux %s has it broken: %s (%s)",
		    name, list->facts->machine.release, quirk->trouble, quirk->source);
		SAY(advice->fix, "a kernel with the repair; 'features.%s: on' has it all the same",
		    name);
	} else if (state == FACTS_FEATURE_OFF) {
		advice = advice_add(list, key);
		SAY(advice->trouble, "does nothing: features.%s is off", name);
		SAY(advice->fix, "'features.%s: auto'", name);
	}
}

/* What is asked of io_uring alone, where loops do not use it. */
static void advise_epoll(struct list *list)
{
	const struct sfr__settings *settings = &list->facts->config.settings;
	const struct {
		const char *key;
		bool set;
	} keys[] = {
		{"ring.sqpoll", settings->ring.sqpoll != SFR__SQPOLL_OFF},
		{"ring.napi", settings->ring.napi_ns > 0},
		{"ring.min_wait", settings->ring.min_wait_ns > 0},
	};

	if (!is_known_for_epoll(list))
		return;
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct advice *advice;

		if (!keys[i].set || !is_chosen(list, keys[i].key))
			continue;
		advice = advice_add(list, keys[i].key);
		SAY(advice->trouble, "does nothing here: the engine epoll has no such thing");
		SAY(advice->fix, "leave it, for machines where io_uring works");
	}
}

/* "512" buffers are as many as may be registered; nothing if they are too few to speak of. */
static void count_that_fits(char *out, size_t size, uint64_t lockable, uint64_t buffer_size)
{
	uint64_t count = lockable / 2 / buffer_size;

	out[0] = '\0';
	if (count >= COUNT_WORTH_NAMING)
		(void)snprintf(out, size, ", or have buffers.count %" PRIu64, count);
}

/* Whether what is missing may be so for lack of memory that may be locked, and not in the kernel. */
static bool is_short_of_locked_memory(const struct facts *facts)
{
	uint64_t lockable = facts->machine.lockable;

	if (lockable == 0 || lockable >= LOCKABLE_AMPLE || !facts_uring_works(facts))
		return false;
	for (unsigned i = 0; i < SFR__FEATURES; i++)
		if (facts_feature(facts, (enum sfr__feature)i) == FACTS_FEATURE_MISSING)
			return true;
	return false;
}

static void advise_ring_memory(struct list *list)
{
	const struct sfr__settings *settings = &list->facts->config.settings;
	uint64_t size = 2 * settings->buffers.size * settings->buffers.count;
	uint64_t kib = (size < LOCKABLE_AMPLE ? LOCKABLE_AMPLE : size + KIB - 1) / KIB;
	char limit[TEXT_AMOUNT_SIZE];
	struct advice *advice;

	if (!is_short_of_locked_memory(list->facts))
		return;
	advice = advice_add(list, "RLIMIT_MEMLOCK");
	SAY(advice->trouble,
	    "%s may be too little to try io_uring with: what is missing may be so for that alone, "
	    "here and for loops",
	    text_amount(list->facts->machine.lockable, limit));
	SAY(advice->fix,
	    "raise it to %" PRIu64 " KiB (ulimit -l %" PRIu64 ", LimitMEMLOCK=%" PRIu64 "K)", kib,
	    kib, kib);
}

static void advise_locked_memory(struct list *list)
{
	const struct sfr__settings *settings = &list->facts->config.settings;
	const struct sfr__machine *machine = &list->facts->machine;
	uint64_t size = settings->buffers.size * settings->buffers.count;
	char bytes[TEXT_AMOUNT_SIZE], limit[TEXT_AMOUNT_SIZE], count[64];
	struct advice *advice;
	uint64_t kib = (2 * size + KIB - 1) / KIB;

	if (is_short_of_locked_memory(list->facts) ||
	    facts_feature(list->facts, SFR__FEATURE_FIXED_BUFFERS) != FACTS_FEATURE_PRESENT ||
	    facts_outcome(list->facts) != FACTS_USE_URING || size == 0 || machine->lockable == 0 ||
	    size <= machine->lockable / 2)
		return;
	if (list->scope == ADVICE_ON_CHOICES && !is_chosen(list, "buffers.size") &&
	    !is_chosen(list, "buffers.count"))
		return;
	count_that_fits(count, sizeof(count), machine->lockable, settings->buffers.size);
	advice = advice_add(list, "RLIMIT_MEMLOCK");
	SAY(advice->trouble,
	    "at %s it is too low to register %s of buffers, of which it must be twice the size; "
	    "without that the kernel looks up their pages for each read and write of a file",
	    text_amount(machine->lockable, limit), text_amount(size, bytes));
	SAY(advice->fix,
	    "raise it to %" PRIu64 " KiB (ulimit -l %" PRIu64 ", LimitMEMLOCK=%" PRIu64 "K)%s", kib,
	    kib, kib, count);
}

static void advise_addresses(struct list *list)
{
	const struct sfr__machine *machine = &list->facts->machine;
	uint64_t size = facts_addresses(list->facts);
	uint64_t kib = (machine->addresses_used + size + KIB - 1) / KIB;
	char bytes[TEXT_AMOUNT_SIZE], limit[TEXT_AMOUNT_SIZE];
	struct advice *advice;

	if (!facts_lacks_addresses(list->facts))
		return;
	advice = advice_add(list, "RLIMIT_AS");
	SAY(advice->trouble,
	    "at %s it is too low for a loop, which takes %s of addresses when it is made, for "
	    "buffers.budget above all",
	    text_amount(machine->addresses, limit), text_amount(size, bytes));
	SAY(advice->fix,
	    "raise it to %" PRIu64 " KiB and what the program takes besides (ulimit -v %" PRIu64
	    ", LimitAS=%" PRIu64 "K), or have a lower buffers.budget",
	    kib, kib, kib);
	advice->refuses = true;
}

static void advise_memory(struct list *list)
{
	const struct sfr__settings *settings = &list->facts->config.settings;
	uint64_t size = settings->buffers.size * settings->buffers.count;
	uint64_t memory = list->facts->machine.memory;
	char bytes[TEXT_AMOUNT_SIZE], all[TEXT_AMOUNT_SIZE];
	struct advice *advice;

	if (memory == 0 || size <= memory / 2 ||
	    (!is_chosen(list, "buffers.size") && !is_chosen(list, "buffers.count")))
		return;
	advice = advice_add(list, "buffers.count");
	SAY(advice->trouble, "the buffers of one loop take %s of the %s that there are",
	    text_amount(size, bytes), text_amount(memory, all));
	SAY(advice->fix,
	    "have fewer or smaller ones, or raise the limit of the cgroup if one is in "
	    "force");
}

static void advise_budget(struct list *list)
{
	const struct sfr__settings *settings = &list->facts->config.settings;
	uint64_t budget = settings->buffers.budget;
	uint64_t memory = list->facts->machine.memory;
	char bytes[TEXT_AMOUNT_SIZE], all[TEXT_AMOUNT_SIZE];
	struct advice *advice;

	if (memory == 0 || budget <= memory / 2 || !is_chosen(list, "buffers.budget") ||
	    budget == settings->buffers.size * settings->buffers.count)
		return;
	advice = advice_add(list, "buffers.budget");
	SAY(advice->trouble, "the buffers of one loop may come to take %s of the %s that there are",
	    text_amount(budget, bytes), text_amount(memory, all));
	SAY(advice->fix, "have less, or 0: then there are buffers.count and never more");
}

static void advise_huge_pages(struct list *list)
{
	const struct sfr__settings *settings = &list->facts->config.settings;
	const struct sfr__machine *machine = &list->facts->machine;
	uint64_t size = settings->buffers.size * settings->buffers.count;
	uint64_t page = machine->huge_page_size;
	uint64_t wanted = page > 0 ? (size + page - 1) / page : 0;
	struct advice *advice;

	if (!settings->buffers.huge_pages || !is_chosen(list, "buffers.huge_pages") ||
	    machine->huge_pages_free >= wanted)
		return;
	advice = advice_add(list, "buffers.huge_pages");
	SAY(advice->trouble,
	    "on, but of the %" PRIu64 " huge pages that a loop's buffers take %" PRIu64
	    " are free, so plain ones do",
	    wanted, machine->huge_pages_free);
	SAY(advice->fix, "raise vm.nr_hugepages by %" PRIu64 ", for each loop",
	    wanted - machine->huge_pages_free);
}

static void advise_files(struct list *list)
{
	uint64_t files = list->facts->machine.files;
	uint64_t connections = list->facts->config.settings.server.connections_max;
	bool chosen = is_chosen(list, "server.connections_max");
	uint64_t wanted = chosen ? connections + FILES_OF_LOOP : FILES_PLENTY;
	struct advice *advice;

	if (files == 0 || files == SFR__NO_LIMIT || files >= (chosen ? wanted : FILES_FEW) ||
	    (!chosen && list->scope == ADVICE_ON_CHOICES))
		return;
	advice = advice_add(list, "RLIMIT_NOFILE");
	SAY(advice->trouble, "its %" PRIu64 " descriptors allow some %" PRIu64 " connections%s",
	    files, files > FILES_OF_LOOP ? files - FILES_OF_LOOP : 0,
	    chosen ? ", fewer than server.connections_max" : "");
	SAY(advice->fix, "raise it to %" PRIu64 " (ulimit -n %" PRIu64 ", LimitNOFILE=%" PRIu64 ")",
	    wanted, wanted, wanted);
}

static void advise_kernel(struct list *list)
{
	static const enum sfr__feature wanted[] = {
		SFR__FEATURE_RECV_MULTI, SFR__FEATURE_ACCEPT_MULTI, SFR__FEATURE_BUFFER_RINGS,
		SFR__FEATURE_DEFER_TASKRUN};
	char missing[160] = "";
	size_t used = 0;
	struct advice *advice;

	if (list->scope == ADVICE_ON_CHOICES || is_short_of_locked_memory(list->facts))
		return;
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (facts_feature(list->facts, wanted[i]) == FACTS_FEATURE_MISSING)
			used += (size_t)snprintf(missing + used, sizeof(missing) - used, "%s%s",
						 used ? ", " : "", facts_feature_name(wanted[i]));
	if (used == 0)
		return;
	advice = advice_add(list, "kernel");
	SAY(advice->trouble, "all operations work, but it lacks what makes connections cheap: %s",
	    missing);
	SAY(advice->fix, "Linux 6.1 or newer has them");
}

unsigned advice_collect(const struct facts *facts, enum advice_scope scope,
			struct advice out[ADVICE_MAX])
{
	const struct sfr__settings *settings = &facts->config.settings;
	struct list list = {.facts = facts, .scope = scope, .items = out};

	if (facts->config_result < 0)
		return 0;
	advise_engine(&list);
	advise_sqpoll(&list);
	for (unsigned i = 0; i < SFR__FEATURES; i++)
		advise_feature(&list, (enum sfr__feature)i);
	advise_time(&list, "ring.napi", settings->ring.napi_ns, SFR__FEATURE_NAPI);
	advise_time(&list, "ring.min_wait", settings->ring.min_wait_ns, SFR__FEATURE_MIN_WAIT);
	advise_epoll(&list);
	advise_kernel(&list);
	advise_ring_memory(&list);
	advise_locked_memory(&list);
	advise_addresses(&list);
	advise_memory(&list);
	advise_budget(&list);
	advise_huge_pages(&list);
	advise_files(&list);
	return list.count;
}

void advice_text(FILE *out, const struct advice *advice, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		text_words(out, 2, "%s: %s.", advice[i].key, advice[i].trouble);
		text_words(out, 6, "To change it: %s.", advice[i].fix);
	}
}

void advice_json(struct json *json, const char *name, const struct advice *advice, unsigned count)
{
	json_open(json, name, '[');
	for (unsigned i = 0; i < count; i++) {
		json_open(json, NULL, '{');
		json_string(json, "key", advice[i].key);
		json_string(json, "trouble", advice[i].trouble);
		json_string(json, "fix", advice[i].fix);
		json_bool(json, "refuses", advice[i].refuses);
		json_close(json, '}');
	}
	json_close(json, ']');
}

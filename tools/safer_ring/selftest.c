/* SPDX-License-Identifier: MIT */
/*
 * Selftest: trying bugs where they do no harm, and telling of it.
 *
 * A bug may hang or kill, so each is tried in a child, which leaves its verdict in shared memory. The parent
 * kills a child that takes too long, and leaves one behind that not even that ends.
 */
#include "selftest.h"
#include "exit.h"
#include "json.h"
#include "text.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_S = 30, /* reproducers take a few seconds at most, and machines may be busy */
	BUG_COLUMN = 30,
};

/*
 * Trying.
 */

static void untried(struct verdict *out, const char *why)
{
	out->reproduced = REPRODUCE_UNTRIED;
	(void)snprintf(out->why, sizeof(out->why), "%s", why);
}

static void child_run(struct verdict *shared, reproduce_fn *run)
{
	static const int fatal[] = {SIGALRM, SIGSEGV, SIGBUS, SIGABRT, SIGPIPE};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		(void)signal(fatal[i], SIG_DFL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	run(shared);
	_exit(0);
}

/* Whether it ended before this many hundredths of a second had passed. */
static bool child_ended(pid_t child, unsigned hundredths, int *status_out)
{
	const struct timespec hundredth = {.tv_nsec = 10000000};

	for (unsigned i = 0; waitpid(child, status_out, WNOHANG) == 0; i++) {
		if (i >= hundredths)
			return false;
		(void)nanosleep(&hundredth, NULL);
	}
	return true;
}

static void child_watch(struct verdict *out, const struct verdict *shared, pid_t child,
			unsigned patience_s)
{
	int status = 0;

	if (!child_ended(child, patience_s * 100, &status)) {
		untried(out, "the trial did not end");
		(void)kill(child, SIGKILL);
		(void)child_ended(child, 200, &status);
	} else if (WIFSIGNALED(status)) {
		untried(out, "the trial was ended by a signal");
	} else {
		*out = *shared;
	}
}

void selftest_try(struct verdict *out, reproduce_fn *run, unsigned patience_s)
{
	struct verdict *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	if (shared == MAP_FAILED) {
		untried(out, "there is no memory to try it");
		return;
	}
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, as by some parents, it would leave no status */
	(void)fflush(NULL);             /* or the child might write it again */
	child = fork();
	if (child == 0)
		child_run(shared, run);
	if (child < 0)
		untried(out, "there could be no process to try it");
	else
		child_watch(out, shared, child, patience_s);
	(void)munmap(shared, sizeof(*shared));
}

static void bug_try(struct verdict *out, const struct reproducer *reproducer,
		    const struct facts *facts)
{
	if (!reproducer->run)
		untried(out, reproducer->impossible);
	else if (facts->probing == FACTS_SPARED)
		untried(out, "epoll is asked for, so io_uring must not be tried");
	else if (!facts_uring_works(facts))
		untried(out, "io_uring does not work here");
	else if ((facts->probe.features & reproducer->needs) != reproducer->needs)
		untried(out, "this kernel does not have the feature");
	else
		selftest_try(out, reproducer->run, PATIENCE_S);
}

static bool is_known(const struct selftest *selftest, const struct sfr__quirk *quirk)
{
	for (unsigned i = 0; i < selftest->count; i++)
		if (strcmp(selftest->bugs[i].quirk->source, quirk->source) == 0)
			return true;
	return false;
}

void selftest_run(struct selftest *out, const struct facts *facts)
{
	size_t count;
	const struct sfr__quirk *quirks = sfr__quirks(&count);

	*out = (struct selftest){0};
	(void)snprintf(out->release, sizeof(out->release), "%s", facts->machine.release);
	for (size_t i = 0; i < count && out->count < SELFTEST_MAX; i++) {
		const struct reproducer *reproducer = reproducer_of(quirks[i].source);
		const struct sfr__quirk *heeded = sfr__quirk_find(out->release, quirks[i].feature,
								  true);
		struct selftest_bug *bug = &out->bugs[out->count];

		if (!reproducer)
			continue;
		if (is_known(out, &quirks[i]))
			continue;
		*bug = (struct selftest_bug){
			.quirk = &quirks[i],
			.heeded = heeded && strcmp(heeded->source, quirks[i].source) == 0};
		bug_try(&bug->verdict, reproducer, facts);
		out->count++;
	}
}

/*
 * Telling.
 */

static const char *const words[] = {
	[REPRODUCE_UNTRIED] = "not tried",
	[REPRODUCE_NOT] = "not reproduced",
	[REPRODUCE_YES] = "reproduced",
};

static const char *const names[] = {
	[REPRODUCE_UNTRIED] = "not_tried",
	[REPRODUCE_NOT] = "not_reproduced",
	[REPRODUCE_YES] = "reproduced",
};

static const char *key_of(const struct selftest_bug *bug)
{
	return bug->quirk->feature == SFR__QUIRK_SQPOLL
		       ? "ring.sqpoll"
		       : sfr__feature_key((enum sfr__feature)bug->quirk->feature);
}

static bool is_exposed(const struct selftest_bug *bug)
{
	return bug->verdict.reproduced == REPRODUCE_YES && !bug->heeded;
}

static void row_write(const struct selftest *selftest, const struct selftest_bug *bug, char *out,
		      size_t size)
{
	const struct verdict *verdict = &bug->verdict;

	(void)snprintf(out, size, "Linux %s | %s | %s | %s%s%s%s", selftest->release, key_of(bug),
		       bug->quirk->source, words[verdict->reproduced], verdict->why[0] ? ": " : "",
		       verdict->why, bug->heeded ? " | avoided" : "");
}

/* What it means for loops: a clause behind a semicolon, or nothing. */
static void meaning_write(const struct selftest_bug *bug, char *out, size_t size)
{
	out[0] = '\0';
	if (bug->heeded)
		(void)snprintf(out, size,
			       "; this release is known for it, so auto leaves the feature out%s",
			       bug->quirk->beside_sqpoll ? " beside ring.sqpoll" : "");
	else if (is_exposed(bug))
		(void)snprintf(out, size,
			       "; this release is not known for it: set '%s: off', and report it",
			       key_of(bug));
}

static void bug_text(FILE *out, const struct selftest_bug *bug)
{
	const struct verdict *verdict = &bug->verdict;
	const char *dot = strchr(key_of(bug), '.');
	char label[64], meaning[256];

	meaning_write(bug, meaning, sizeof(meaning));
	(void)snprintf(label, sizeof(label), "%-14s %s", words[verdict->reproduced], dot + 1);
	text_row(out, BUG_COLUMN, label, "%s%s%s%s", bug->quirk->trouble,
		 verdict->why[0] ? "; " : "", verdict->why, meaning);
}

void selftest_text(FILE *out, const struct selftest *selftest)
{
	char row[512];

	(void)fprintf(out, "Known bugs of io_uring, tried on this kernel\n");
	for (unsigned i = 0; i < selftest->count; i++)
		bug_text(out, &selftest->bugs[i]);
	(void)fprintf(out, "\nFor a report\n");
	for (unsigned i = 0; i < selftest->count; i++) {
		row_write(selftest, &selftest->bugs[i], row, sizeof(row));
		(void)fprintf(out, "%s\n", row);
	}
}

void selftest_json(FILE *out, const struct selftest *selftest)
{
	struct json json = {.out = out};
	char row[512];

	json_open(&json, NULL, '{');
	json_number(&json, "status", (uint64_t)selftest_status(selftest));
	json_string(&json, "kernel", selftest->release[0] ? selftest->release : NULL);
	json_open(&json, "bugs", '[');
	for (unsigned i = 0; i < selftest->count; i++) {
		const struct selftest_bug *bug = &selftest->bugs[i];

		row_write(selftest, bug, row, sizeof(row));
		json_open(&json, NULL, '{');
		json_string(&json, "key", key_of(bug));
		json_string(&json, "result", names[bug->verdict.reproduced]);
		json_string(&json, "why", bug->verdict.why[0] ? bug->verdict.why : NULL);
		json_bool(&json, "avoided", bug->heeded);
		json_string(&json, "trouble", bug->quirk->trouble);
		json_string(&json, "source", bug->quirk->source);
		json_string(&json, "row", row);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

int selftest_status(const struct selftest *selftest)
{
	for (unsigned i = 0; i < selftest->count; i++)
		if (is_exposed(&selftest->bugs[i]))
			return EXIT_NO;
	return EXIT_FINE;
}

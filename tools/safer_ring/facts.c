/* SPDX-License-Identifier: MIT */
/*
 * Facts: finding them out.
 *
 * All of it happens in a child, which a filter may kill or a sandbox may hold up, in memory that the
 * parent reads afterwards. Nothing a child finds is lost when it dies.
 */
#include "facts.h"
#include "run/run.h"
#include <safer_ring/error.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 60 /* it is done in a moment, but where a machine is busy */

static const struct {
	const char *name, *gives, *without;
} features[] = {
#define FEATURE(symbol, name, gives, without) [SFR__FEATURE_##symbol] = {name, gives, without},
	SFR__FEATURE_LIST(FEATURE)
#undef FEATURE
};

const char *facts_feature_name(enum sfr__feature feature)
{
	return features[feature].name;
}

const char *facts_feature_gives(enum sfr__feature feature)
{
	return features[feature].gives;
}

const char *facts_feature_without(enum sfr__feature feature)
{
	return features[feature].without;
}

/*
 * Configuring.
 */

static void trouble_hear(enum sfr_log_level level, const char *line, void *arg)
{
	struct facts *facts = arg;

	(void)level;
	(void)snprintf(facts->config_trouble, sizeof(facts->config_trouble), "%s", line);
}

static void config_keep(struct facts *facts, int result, sfr_config *cfg)
{
	facts->configured = true;
	facts->config_result = result;
	if (result < 0)
		return;
	facts->config = *cfg;
	sfr_config_free(cfg);
}

void facts_configure_default(struct facts *facts, const void *arg)
{
	sfr_config *cfg = NULL;
	int r;

	(void)arg;
	sfr_log_to(trouble_hear, facts);
	r = sfr_config_new(&cfg, NULL);
	sfr_log_to(NULL, NULL);
	config_keep(facts, r, cfg);
}

void facts_configure_source(struct facts *facts, const void *arg)
{
	sfr_config *cfg = NULL;
	int r;

	(void)unsetenv("SAFER_RING_CONFIG");
	(void)unsetenv("SAFER_RING_ENGINE");
	r = source_load(&cfg, arg, &facts->config_error, facts->config_trouble);
	config_keep(facts, r, cfg);
}

/*
 * Looking.
 */

static void variable_read(const char *name, char *out, size_t size)
{
	const char *value = getenv(name);

	(void)snprintf(out, size, "%s", value ? value : "");
}

/* Whether somebody said not to try. The preset auto_detect choosing epoll is no such word. */
static bool is_to_be_spared(const struct facts *facts)
{
	return strcmp(facts->engine_variable, "epoll") == 0 ||
	       (facts->config_result == 0 && facts->config.settings.engine == SFR__ENGINE_EPOLL &&
		facts_origin(facts, "engine")->rank > SFR__RANK_PRESET);
}

static void version_read(char *out, size_t size)
{
	int (*major)(void) = (int (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT,
							     "io_uring_major_version");
	int (*minor)(void) = (int (*)(void))(uintptr_t)dlsym(RTLD_DEFAULT,
							     "io_uring_minor_version");

	if (major && minor)
		(void)snprintf(out, size, "%d.%d", major(), minor());
}

/* By name, as older ones do not have all that is asked for here, and all have the same soname. */
static void liburing_look(struct facts_liburing *liburing)
{
	void *symbol = dlsym(RTLD_DEFAULT, "io_uring_setup");
	char *file = NULL;
	Dl_info info;

	(void)snprintf(liburing->built, sizeof(liburing->built), "%s", SFR_LIBURING_VERSION);
	if (symbol && dladdr(symbol, &info) && info.dli_fname)
		file = realpath(info.dli_fname, NULL);
	if (file) {
		(void)snprintf(liburing->file, sizeof(liburing->file), "%s", file);
		version_read(liburing->running, sizeof(liburing->running));
	} else { /* part of the program */
		(void)strcpy(liburing->running, liburing->built);
	}
	free(file);
}

static void child_look(struct facts *facts, facts_configure *configure, const void *arg)
{
	const struct rlimit nothing = {0};

	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(PATIENCE_S);
	sfr__machine_look(&facts->machine);
	sfr__probe_spare(true); /* auto_detect would try, and might not come back */
	configure(facts, arg);
	if (is_to_be_spared(facts)) {
		facts->probing = FACTS_SPARED;
		return;
	}
	/* Being killed is expected here, and nothing to keep a core of. */
	(void)setrlimit(RLIMIT_CORE, &nothing);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	sfr__probe_uring(&facts->probe);
	facts->probing = FACTS_PROBED;
	sfr__probe_spare(false);
	configure(facts, arg);
}

static int child_run(struct facts *facts, facts_configure *configure, const void *arg)
{
	pid_t child;
	int status;

	(void)signal(SIGCHLD, SIG_DFL); /* ignored, as by some parents, it would leave no status */
	(void)fflush(NULL);             /* or the child might write it again */
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		child_look(facts, configure, arg);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFSIGNALED(status))
		return 0;
	facts->signal = WTERMSIG(status);
	if (facts->signal == SIGSYS)
		facts->probing = FACTS_KILLED;
	return 0;
}

int facts_look(struct facts **out, facts_configure *configure, const void *arg)
{
	struct facts *facts = mmap(NULL, sizeof(*facts), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*out = NULL;
	if (facts == MAP_FAILED)
		return -errno;
	*out = facts;
	facts->machine = SFR__MACHINE_UNKNOWN;
	liburing_look(&facts->liburing);
	variable_read("SAFER_RING_ENGINE", facts->engine_variable, sizeof(facts->engine_variable));
	variable_read("SAFER_RING_CONFIG", facts->config_variable, sizeof(facts->config_variable));
	return child_run(facts, configure, arg);
}

void facts_free(struct facts *facts)
{
	if (facts)
		(void)munmap(facts, sizeof(*facts));
}

/*
 * What follows.
 */

uint64_t facts_addresses(const struct facts *facts)
{
	return sfr__loop_addresses(&facts->config.settings);
}

bool facts_lacks_addresses(const struct facts *facts)
{
	return facts->config_result == 0 &&
	       sfr__machine_lacks_addresses(&facts->machine, facts_addresses(facts));
}

bool facts_uring_works(const struct facts *facts)
{
	return facts->probing == FACTS_PROBED && facts->probe.refusal.error == 0;
}

bool facts_sqpoll_fits(const struct facts *facts, char *why, size_t size)
{
	const struct sfr__quirk *quirk = sfr__quirk_find(facts->machine.release, SFR__QUIRK_SQPOLL,
							 true);
	bool fits = sfr__machine_spares_core(&facts->machine, why, size);

	if (fits && quirk)
		(void)snprintf(why, size, "%s (%s)", quirk->trouble, quirk->source);
	return fits && !quirk;
}

static bool sqpoll_is_used(const struct facts *facts)
{
	char why[256];

	switch ((enum sfr__sqpoll_choice)facts->config.settings.ring.sqpoll) {
	case SFR__SQPOLL_OFF:
		return false;
	case SFR__SQPOLL_FORCE:
		return true;
	case SFR__SQPOLL_ON:
	case SFR__SQPOLL_AUTO:
		break;
	}
	return facts_sqpoll_fits(facts, why, sizeof(why));
}

static bool sqpoll_is_refused(const struct facts *facts)
{
	return facts->config.settings.ring.sqpoll == SFR__SQPOLL_ON && !sqpoll_is_used(facts);
}

enum facts_outcome facts_outcome(const struct facts *facts)
{
	const struct sfr__settings *settings = &facts->config.settings;

	if (facts->config_result < 0 || facts_lacks_addresses(facts))
		return FACTS_NO_LOOP;
	if (settings->engine == SFR__ENGINE_EPOLL)
		return FACTS_USE_EPOLL;
	switch (facts->probing) {
	case FACTS_STUCK:
	case FACTS_SPARED:
		return FACTS_UNKNOWN;
	case FACTS_KILLED:
		return FACTS_DEATH;
	case FACTS_PROBED:
		break;
	}
	if (sqpoll_is_refused(facts))
		return FACTS_NO_LOOP;
	if (facts_uring_works(facts))
		return FACTS_USE_URING;
	return settings->engine == SFR__ENGINE_AUTO && sfr__refusal_is_final(&facts->probe.refusal)
		       ? FACTS_USE_EPOLL
		       : FACTS_NO_LOOP;
}

const struct sfr__quirk *facts_quirk(const struct facts *facts, enum sfr__feature feature)
{
	return sfr__quirk_find(facts->machine.release, feature, sqpoll_is_used(facts));
}

enum facts_feature facts_feature(const struct facts *facts, enum sfr__feature feature)
{
	uint32_t wanted = facts->config.settings.features[feature];
	const struct sfr__quirk *quirk = facts_quirk(facts, feature);

	if (!facts_uring_works(facts))
		return FACTS_FEATURE_UNKNOWN;
	if (!sfr__has(facts->probe.features, feature))
		return FACTS_FEATURE_MISSING;
	if (wanted == SFR__ON)
		return quirk ? FACTS_FEATURE_FORCED : FACTS_FEATURE_PRESENT;
	if (quirk)
		return FACTS_FEATURE_BROKEN;
	return wanted == SFR__OFF ? FACTS_FEATURE_OFF : FACTS_FEATURE_PRESENT;
}

const struct sfr__config_origin *facts_origin(const struct facts *facts, const char *key)
{
	return &facts->config.origins[sfr__config_key_index(sfr__config_key_find(key))];
}

const char *facts_origin_text(const struct facts *facts, const char *key,
			      char out[FACTS_ORIGIN_SIZE])
{
	const struct sfr__config_origin *origin = facts_origin(facts, key);

	if (origin->line > 0)
		(void)snprintf(out, FACTS_ORIGIN_SIZE, "%s:%u", origin->text, origin->line);
	else
		(void)snprintf(out, FACTS_ORIGIN_SIZE, "%s", origin->text);
	return out;
}

#include "safer_ring_config.h"
#include "safer_ring_advice.h"
#include "safer_ring_exit.h"
#include "safer_ring_json.h"
#include "safer_ring_text.h"
#include "config_error.h"
#include "config_value.h"
#include <safer_ring/error.h>
#include <safer_ring/log.h>
#include <errno.h>
#include <string.h>

enum { REFUSAL_SIZE = 768 };

static void plain_write(FILE *out, const char *text)
{
	char plain[REFUSAL_SIZE];

	sfr__config_plain(plain, sizeof(plain), text);
	(void)fputs(plain, out);
}

/*
 * check.
 */

/* Why nothing, or not all, is said about this machine; NULL if there is no reason. */
static const char *caveat(const struct facts *facts)
{
	switch (facts->probing) {
	case FACTS_STUCK:
		return "What this machine will not do of it could not be found out.";
	case FACTS_SPARED:
		return "io_uring was not tried, as epoll is asked for.";
	case FACTS_KILLED:
		return facts_outcome(facts) == FACTS_DEATH
			       ? "A seccomp filter kills processes that try io_uring here: write "
				 "engine: epoll, or set SAFER_RING_ENGINE=epoll."
			       : NULL;
	case FACTS_PROBED:
		break;
	}
	return facts_outcome(facts) == FACTS_USE_EPOLL
		       ? "io_uring does not work here, so loops use the engine epoll; safer-ring "
			 "doctor tells why."
		       : NULL;
}

static void valid_text(const struct facts *facts, const char *path)
{
	struct advice advice[ADVICE_MAX];
	unsigned count = advice_collect(facts, ADVICE_ON_CHOICES, advice);
	const char *but = caveat(facts);

	plain_write(stdout, path);
	(void)printf(": valid\n");
	if (but)
		text_words(stdout, 0, "%s", but);
	if (count > 0)
		(void)printf("On this machine:\n");
	advice_text(stdout, advice, count);
}

static void refused_text(const struct facts *facts)
{
	plain_write(stderr, facts->config_trouble);
	(void)fputc('\n', stderr);
}

static void number_or_null(struct json *json, const char *name, unsigned number)
{
	if (number > 0)
		json_number(json, name, number);
	else
		json_null(json, name);
}

static void error_json(struct json *json, const sfr_config_error *err)
{
	json_open(json, "error", '{');
	json_string(json, "file", err->file);
	number_or_null(json, "line", err->line);
	number_or_null(json, "column", err->column);
	json_string(json, "key", err->key[0] ? err->key : NULL);
	json_string(json, "message", err->message);
	json_string(json, "hint", err->hint[0] ? err->hint : NULL);
	json_close(json, '}');
}

static void check_json(const struct facts *facts, const char *path)
{
	struct json json = {.out = stdout};
	struct advice advice[ADVICE_MAX];
	unsigned count = advice_collect(facts, ADVICE_ON_CHOICES, advice);
	bool valid = facts->config_result == 0;

	json_open(&json, NULL, '{');
	json_string(&json, "file", path);
	json_bool(&json, "valid", valid);
	if (valid)
		json_null(&json, "error");
	else
		error_json(&json, &facts->config_error);
	json_string(&json, "remark", valid ? caveat(facts) : NULL);
	advice_json(&json, "machine", advice, count);
	json_close(&json, '}');
}

int config_check(const char *path, bool json)
{
	struct facts *facts;
	int r = facts_look(&facts, facts_configure_file, path);
	int status = EXIT_TROUBLE;

	if (r == 0 && facts->configured && facts->config_result != -ENOMEM) {
		status = facts->config_result == 0 ? EXIT_FINE : EXIT_NO;
		if (json)
			check_json(facts, path);
		else if (status == EXIT_FINE)
			valid_text(facts, path);
		else
			refused_text(facts);
	} else {
		(void)fprintf(stderr, "safer-ring: it could not be found out: %s\n",
			      sfr_strerror(r < 0 || !facts ? r : facts->config_result));
	}
	facts_free(facts);
	return status;
}

/*
 * show.
 */

static void refusal_hear(enum sfr_log_level level, const char *line, void *arg)
{
	char *out = arg;

	(void)level;
	(void)snprintf(out, REFUSAL_SIZE, "%s", line);
}

static bool is_preset(const char *what)
{
	const char *const *words = sfr__config_key_find("preset")->words;

	for (unsigned i = 0; words[i]; i++)
		if (strcmp(words[i], what) == 0)
			return true;
	return false;
}

static int config_get(sfr_config **out, const char *what, char refusal[REFUSAL_SIZE])
{
	sfr_config_error err = {0};
	int r;

	if (what && !is_preset(what)) {
		r = sfr_config_load(out, what, &err);
		if (r < 0)
			(void)sfr_config_error_text(&err, refusal, REFUSAL_SIZE);
		return r;
	}
	sfr_log_to(refusal_hear, refusal);
	r = sfr_config_new(out, what);
	sfr_log_to(NULL, NULL);
	return r;
}

static void value_json(struct json *json, const sfr_config *cfg, const struct sfr__config_key *key)
{
	const struct sfr__config_origin *origin = &cfg->origins[sfr__config_key_index(key)];
	const struct sfr__config_choice *choice = origin->choice > 0
							  ? &cfg->choices[origin->choice - 1]
							  : NULL;
	char value[SFR__VALUE_SIZE];

	json_open(json, NULL, '{');
	json_string(json, "key", key->name);
	json_string(json, "value",
		    sfr__value_print(key, sfr__settings_get(&cfg->settings, key), value));
	json_string(json, "origin", origin->text);
	number_or_null(json, "line", origin->line);
	json_string(json, "rule", choice ? choice->rule : NULL);
	json_string(json, "evidence", choice ? choice->evidence : NULL);
	json_string(json, "change", choice ? choice->change : NULL);
	json_close(json, '}');
}

static void show_json(const sfr_config *cfg)
{
	struct json json = {.out = stdout};
	size_t count;
	const struct sfr__config_key *keys = sfr__config_keys(&count);

	json_open(&json, NULL, '{');
	json_open(&json, "values", '[');
	for (size_t i = 0; i < count; i++)
		value_json(&json, cfg, &keys[i]);
	json_close(&json, ']');
	json_close(&json, '}');
}

int config_show(const char *what, bool json)
{
	char refusal[REFUSAL_SIZE] = "";
	sfr_config *cfg = NULL;
	int r = config_get(&cfg, what, refusal);

	if (r < 0) {
		plain_write(stderr, refusal[0] ? refusal : sfr_strerror(r));
		(void)fputc('\n', stderr);
		return r == -ENOMEM ? EXIT_TROUBLE : EXIT_NO;
	}
	if (json)
		show_json(cfg);
	else
		r = sfr_config_write(cfg, stdout);
	sfr_config_free(cfg);
	return r < 0 ? EXIT_TROUBLE : EXIT_FINE;
}

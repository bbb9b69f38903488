/* SPDX-License-Identifier: MIT */
/*
 * Config: check, show, reference and path, as text and as JSON.
 *
 * A check of a file and the look at the machine are done in a process of their own (facts.h), as
 * trying io_uring may be deadly under a filter.
 */
#include "config.h"
#include "advice.h"
#include "exit.h"
#include "json.h"
#include "text.h"
#include "config/error.h"
#include "config/value.h"
#include <safer_ring/error.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void plain_write(FILE *out, const char *text)
{
	char plain[SOURCE_TROUBLE_SIZE];

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

static void valid_text(const char *name, const char *remark, const struct advice *advice,
		       unsigned count)
{
	plain_write(stdout, name);
	(void)printf(": valid\n");
	if (remark)
		text_words(stdout, 0, "%s", remark);
	if (count > 0)
		(void)printf("On this machine:\n");
	advice_text(stdout, advice, count);
}

static void line_write(FILE *out, const char *text)
{
	plain_write(out, text);
	(void)fputc('\n', out);
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

static void check_json(const char *name, const sfr_config_error *err, const char *remark,
		       const struct advice *advice, unsigned count)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_string(&json, "file", name);
	json_bool(&json, "valid", !err);
	if (err)
		error_json(&json, err);
	else
		json_null(&json, "error");
	json_string(&json, "remark", remark);
	advice_json(&json, "machine", advice, count);
	json_close(&json, '}');
}

static int refused(const char *name, const sfr_config_error *err, const char *trouble, bool json)
{
	if (json)
		check_json(name, err, NULL, NULL, 0);
	else
		line_write(stderr, trouble);
	return EXIT_NO;
}

static int valid(const char *name, const struct facts *facts, bool json)
{
	struct advice advice[ADVICE_MAX];
	unsigned count = advice_collect(facts, ADVICE_ON_CHOICES, advice);

	if (json)
		check_json(name, NULL, caveat(facts), advice, count);
	else
		valid_text(name, caveat(facts), advice, count);
	return EXIT_FINE;
}

static int trouble(int r)
{
	(void)fprintf(stderr, "safer-ring: it could not be found out: %s\n", sfr_strerror(r));
	return EXIT_TROUBLE;
}

static int source_check(const struct source *source, bool json)
{
	const char *name = source_name(source);
	struct facts *facts;
	int r = facts_look(&facts, facts_configure_source, source), status;

	if (r < 0 || !facts->configured || facts->config_result == -ENOMEM)
		status = trouble(r < 0 ? r : facts->config_result);
	else if (facts->config_result < 0)
		status = refused(name, &facts->config_error, facts->config_trouble, json);
	else
		status = valid(name, facts, json);
	facts_free(facts);
	return status;
}

int config_check(const char *const *operands, bool json)
{
	char text[SOURCE_TROUBLE_SIZE];
	struct source source;
	sfr_config_error err;
	int r = source_open(&source, operands[0], &err), status;

	(void)sfr_config_error_text(&err, text, sizeof(text));
	if (r == -ENOMEM)
		status = trouble(r);
	else if (r < 0)
		status = refused(source_name(&source), &err, text, json);
	else
		status = source_check(&source, json);
	source_close(&source);
	return status;
}

/*
 * show.
 */

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

static int config_print(const sfr_config *cfg, bool json)
{
	if (!json)
		return sfr_config_write(cfg, stdout);
	show_json(cfg);
	return 0;
}

int config_show(const char *const *operands, bool json)
{
	char text[SOURCE_TROUBLE_SIZE];
	struct source source;
	sfr_config_error err;
	sfr_config *cfg = NULL;
	int r = source_open(&source, operands[0], &err);

	(void)sfr_config_error_text(&err, text, sizeof(text));
	if (r == 0)
		r = source_load(&cfg, &source, &err, text);
	source_close(&source);
	if (r != 0) {
		line_write(stderr, text[0] ? text : sfr_strerror(r));
		return r == -ENOMEM ? EXIT_TROUBLE : EXIT_NO;
	}
	r = config_print(cfg, json);
	sfr_config_free(cfg);
	return r < 0 ? EXIT_TROUBLE : EXIT_FINE;
}

/*
 * reference and path.
 */

int config_reference(const char *const *operands, bool json)
{
	(void)operands, (void)json;
	return sfr__config_reference(stdout) < 0 ? EXIT_TROUBLE : EXIT_FINE;
}

static bool has_reference(const char *directory)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/reference.yaml", directory);
	return access(path, R_OK) == 0;
}

/* A program that was built and not installed lies beside the presets it was built with. */
static bool built_find(char out[PATH_MAX])
{
	static const char here[] = "/tools/safer-ring";
	char program[PATH_MAX] = "";
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	size_t root = n > (ssize_t)strlen(here) ? (size_t)n - strlen(here) : 0;

	if (strcmp(program + root, here) != 0)
		return false;
	(void)snprintf(out, PATH_MAX, "%.*s/conf", (int)root, program);
	return has_reference(out);
}

int config_path(const char *const *operands, bool json)
{
	char built[PATH_MAX];

	(void)operands, (void)json;
	if (built_find(built))
		(void)puts(built);
	else if (has_reference(SFR_TOOL_CONF_DIR))
		(void)puts(SFR_TOOL_CONF_DIR);
	else
		return fputs("safer-ring: the presets are not installed: they would be in " SFR_TOOL_CONF_DIR
			     "\n"
			     "safer-ring config show PRESET and config reference print them all the same\n",
			     stderr),
		       EXIT_NO;
	return EXIT_FINE;
}

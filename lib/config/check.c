/* SPDX-License-Identifier: MIT */
/*
 * Values that are legal alone and not together.
 *
 * Of those, the one to blame is the one that was set last: by the stronger origin, or further down
 * in the same file.
 */
#include "config/error.h"
#include "config/object.h"
#include <safer_ring/error.h>

struct rule {
	const char *key;
	const char *other;
	const char *third; /* NULL: there are only two */
	bool (*broken)(const struct sfr__settings *s);
	const char *message;
	const char *hint;
};

static bool sqpoll_defers(const struct sfr__settings *s)
{
	return (s->ring.sqpoll == SFR__SQPOLL_ON || s->ring.sqpoll == SFR__SQPOLL_FORCE) &&
	       s->features[SFR__FEATURE_DEFER_TASKRUN] == SFR__ON;
}

static bool deferred_by_many(const struct sfr__settings *s)
{
	return s->features[SFR__FEATURE_DEFER_TASKRUN] == SFR__ON &&
	       s->features[SFR__FEATURE_SINGLE_ISSUER] == SFR__OFF;
}

static bool completions_too_few(const struct sfr__settings *s)
{
	return s->ring.cq_entries > 0 && s->ring.cq_entries < s->ring.entries;
}

static bool receive_too_many(const struct sfr__settings *s)
{
	return s->buffers.receive > s->buffers.count;
}

static bool budget_too_small(const struct sfr__settings *s)
{
	return s->buffers.budget > 0 && s->buffers.budget < s->buffers.size * s->buffers.count;
}

static bool small_too_large(const struct sfr__settings *s)
{
	return s->buffers.small > 0 && s->buffers.small >= s->buffers.size;
}

static bool large_too_small(const struct sfr__settings *s)
{
	return s->buffers.large > 0 && s->buffers.large <= s->buffers.size;
}

static bool water_upside_down(const struct sfr__settings *s)
{
	return s->server.low_water >= s->server.high_water;
}

static bool queue_too_short(const struct sfr__settings *s)
{
	return s->server.queue_max < s->server.high_water;
}

static const struct rule rules[] = {
	{"ring.sqpoll", "features.defer_taskrun", NULL, sqpoll_defers,
	 "the kernel refuses ring.sqpoll together with features.defer_taskrun",
	 "leave features.defer_taskrun: auto"},
	{"features.defer_taskrun", "features.single_issuer", NULL, deferred_by_many,
	 "the kernel refuses features.defer_taskrun without features.single_issuer",
	 "leave one of them: auto"},
	{"ring.cq_entries", "ring.entries", NULL, completions_too_few,
	 "ring.cq_entries must not be less than ring.entries", "0 takes four times ring.entries"},
	{"buffers.receive", "buffers.count", NULL, receive_too_many,
	 "buffers.receive must not exceed buffers.count", "0 takes half of buffers.count"},
	{"buffers.budget", "buffers.count", "buffers.size", budget_too_small,
	 "buffers.budget must not be less than buffers.count x buffers.size",
	 "0 has just these, and never more"},
	{"buffers.small", "buffers.size", NULL, small_too_large,
	 "buffers.small must be less than buffers.size", "0 has none of another size"},
	{"buffers.large", "buffers.size", NULL, large_too_small,
	 "buffers.large must be more than buffers.size", "0 has none of another size"},
	{"server.low_water", "server.high_water", NULL, water_upside_down,
	 "server.low_water must be less than server.high_water",
	 "lower server.low_water or raise server.high_water"},
	{"server.queue_max", "server.high_water", NULL, queue_too_short,
	 "server.queue_max must not be less than server.high_water",
	 "raise server.queue_max or lower server.high_water"},
};

static const struct sfr__config_origin *origin_of(const sfr_config *cfg, const char *key)
{
	return &cfg->origins[sfr__config_key_index(sfr__config_key_find(key))];
}

static bool set_later(const struct sfr__config_origin *a, const struct sfr__config_origin *b)
{
	if (a->rank != b->rank)
		return a->rank > b->rank;
	return a->line != b->line ? a->line > b->line : a->column > b->column;
}

static int refuse_together(const sfr_config *cfg, const struct rule *rule, sfr_config_error *err)
{
	const char *const keys[] = {rule->key, rule->other, rule->third};
	const struct sfr__config_origin *origin = origin_of(cfg, rule->key);
	const char *key = rule->key;

	for (size_t i = 1; i < sizeof(keys) / sizeof(keys[0]) && keys[i]; i++) {
		if (!set_later(origin_of(cfg, keys[i]), origin))
			continue;
		origin = origin_of(cfg, keys[i]);
		key = keys[i];
	}
	*err = (sfr_config_error){0};
	(void)sfr__config_refuse(err, key, "%s", rule->message);
	sfr__config_hint(err, "%s", rule->hint);
	if (origin->line > 0) {
		sfr__config_at(err, origin->line, origin->column);
		(void)snprintf(err->file, sizeof(err->file), "%s", origin->text);
	}
	return -SFR_ECONFIG;
}

int sfr__config_check(const sfr_config *cfg, sfr_config_error *err)
{
	sfr_config_error unwanted;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].broken(&cfg->settings))
			return refuse_together(cfg, &rules[i], err ? err : &unwanted);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A world is a name, an engine and settings as a user would write them: so tests do without a
 * feature in the way that a program does.
 */
#include "worlds.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tests count buffers: there are as many as they say, all of one size, unless they say otherwise. */
#define COMMON_SETTINGS "buffers.budget=0"

/* Where running is slow, or others run in all of them, those are left out that tell least. */
enum tells { LESS, MORE, MOST };

static const struct {
	const char *name, *engine, *settings;
	enum tells tells;
} worlds[] = {
	{"uring, as it comes", "uring", "", MOST},
	{"uring without multishot", "uring",
	 "features.recv_multi=off features.read_multi=off features.accept_multi=off", MORE},
	{"uring without incremental rings", "uring", "features.incremental=off", MORE},
	{"uring without buffer rings", "uring", "features.buffer_rings=off", LESS},
	{"uring without deferred task work", "uring", "features.defer_taskrun=off", LESS},
	{"uring without a single issuer", "uring", "features.single_issuer=off", LESS},
	{"uring without fixed buffers", "uring", "features.fixed_buffers=off", LESS},
	{"uring as on Linux 5.11", "uring",
	 "features.single_issuer=off features.defer_taskrun=off features.coop_taskrun=off "
	 "features.submit_all=off features.no_sqarray=off features.links=off features.recv_multi=off "
	 "features.read_multi=off "
	 "features.accept_multi=off features.send_zc=off features.buffer_rings=off "
	 "features.incremental=off features.fixed_buffers=off features.direct_files=off "
	 "features.new_opcodes=off features.no_iowait=off features.min_wait=off features.napi=off",
	 MOST},
	{"uring with kernel polling", "uring", "ring.sqpoll=force ring.sqpoll_idle=1ms", LESS},
	{"uring with 8 entries", "uring", "ring.entries=8 ring.cq_entries=8", MORE},
	{"uring that spins", "uring", "ring.spin=20us", LESS},
	{"epoll", "epoll", "", MOST},
	{"epoll with 8 entries", "epoll", "ring.entries=8 ring.cq_entries=8", MORE},
	{"epoll without incremental rings", "epoll", "features.incremental=off", MORE},
	{"epoll without features, spinning", "epoll",
	 "ring.spin=20us features.recv_multi=off features.accept_multi=off "
	 "features.buffer_rings=off features.fixed_buffers=off features.direct_files=off "
	 "features.links=off",
	 LESS},
};

#define WORLDS ((int)(sizeof(worlds) / sizeof(worlds[0])))

/* The worlds that this machine has, by the numbers that tests know them by. */
static int usable[WORLDS], usable_count;

/* Words like "buffers.count=4". False, and why, if one is refused. */
static bool settings_apply(sfr_config *config, const char *settings, char *why, size_t size)
{
	char copy[1024], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", settings ? settings : "");
	while ((word = strtok_r(rest, " ", &rest))) {
		char *value = strchr(word, '=');
		sfr_config_error error;

		*value++ = '\0';
		if (sfr_config_set(config, word, value, &error) < 0) {
			snprintf(why, size, "%s: %s", word, error.message);
			return false;
		}
	}
	return true;
}

sfr_config *worlds_config(int world, const char *more, char *why, size_t size)
{
	sfr_config *config;

	if (sfr_config_new(&config, "default") < 0)
		return snprintf(why, size, "no memory"), NULL;
	(void)sfr_config_set(config, "engine", worlds[usable[world]].engine, NULL);
	if (settings_apply(config, COMMON_SETTINGS, why, size) &&
	    settings_apply(config, worlds[usable[world]].settings, why, size) &&
	    settings_apply(config, more, why, size))
		return config;
	sfr_config_free(config);
	return NULL;
}

const char *worlds_name(int world)
{
	return worlds[usable[world]].name;
}

bool world_has_buffer_rings(int world)
{
	return !strstr(worlds[usable[world]].settings, "buffer_rings=off");
}

bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

static enum tells least_wanted(void)
{
	if (under_valgrind() || getenv("SFR_FEW_WORLDS"))
		return MOST;
	return getenv("SFR_HALF_THE_WORLDS") ? MORE : LESS;
}

/* Whether a loop can be made on an engine; if not, it is said once. */
static bool engine_works(const char *engine)
{
	sfr_config *config;
	sfr_loop *loop;
	int r = sfr_config_new(&config, "default");

	if (r == 0)
		r = sfr_config_set(config, "engine", engine, NULL);
	if (r == 0)
		r = sfr_loop_new(&loop, config);
	sfr_config_free(config);
	if (r < 0)
		printf("skip - worlds of engine %s: it does not work here: %s\n", engine,
		       sfr_strerror(r));
	else
		sfr_loop_free(loop);
	return r == 0;
}

int world_count(void)
{
	bool uring, epoll;
	int i;

	if (usable_count)
		return usable_count;
	uring = engine_works("uring");
	epoll = engine_works("epoll");
	for (i = 0; i < WORLDS; i++)
		if ((strcmp(worlds[i].engine, "uring") == 0 ? uring : epoll) &&
		    worlds[i].tells >= least_wanted())
			usable[usable_count++] = i;
	return usable_count;
}

bool world_has_uring(void)
{
	return world_count() && strcmp(worlds[usable[0]].engine, "uring") == 0;
}

int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* SPDX-License-Identifier: MIT */
/*
 * tools/gdb/safer_ring.py: gdb stops this program where it has a handle, and is asked what that stands for. Where there
 * is no gdb there is nothing to claim.
 */
#include "peers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where gdb stops. */
__attribute__((noinline)) void handles_are_here(const void *live, const void *stale,
						const void *none);

void handles_are_here(const void *live, const void *stale, const void *none)
{
	__asm__ volatile("" : : "r"(live), "r"(stale), "r"(none) : "memory");
}

static void *closed;

static void close_noted(sfr_conn *conn, int reason, void *arg)
{
	(void)reason;
	(void)arg;
	closed = conn;
}

/* What gdb runs: a loop of its own, outside of all fixtures. */
static int program(void)
{
	static const sfr_handlers handlers = {.on_close = close_noted};
	sfr_config *config;
	sfr_conn *conn;
	sfr_loop *loop;

	if (sfr_config_new(&config, NULL) < 0 ||
	    sfr_config_set(config, "engine", "epoll", NULL) < 0 ||
	    sfr_loop_new(&loop, config) < 0 ||
	    sfr_dial(loop, "tcp://127.0.0.1:1", &handlers, NULL, &conn) < 0)
		return 1;
	while (!closed)
		(void)sfr_loop_step(loop, -1);
	if (sfr_dial(loop, "tcp://127.0.0.1:1", &handlers, NULL, &conn) < 0)
		return 1;
	handles_are_here(conn, closed, loop);
	return 0;
}

static const char *gdb_says(const char *self)
{
	static char text[65536];
	char command[8192];
	FILE *out;

	snprintf(command, sizeof(command),
		 "SFR_UNDER_GDB=1 timeout 300 gdb -nx -batch -iex 'set debuginfod enabled off' "
		 "-ex 'source %s/tools/gdb/safer_ring.py' -ex 'break handles_are_here' -ex run "
		 "-ex 'sfr live' -ex 'sfr stale' -ex 'sfr none' -ex 'print $sfr(live)->state' "
		 "-ex 'print 1000 + 337' %s 2>&1",
		 getenv("SFR_SOURCE_ROOT"), self);
	out = popen(command, "r");
	ck_assert_ptr_nonnull(out);
	text[fread(text, 1, sizeof(text) - 1, out)] = '\0';
	pclose(out);
	return text;
}

START_TEST(gdb_shows_what_a_handle_stands_for)
{
	char self[4096] = "";
	const char *text;

	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	text = gdb_says(self);
	if (!strstr(text, "1337")) /* there is no gdb, or it may not trace */
		return;
	ck_assert_msg(strstr(text, "(struct sfr__conn *) 0x") && strstr(text, "object = {handle"),
		      "%s", text);
	ck_assert_msg(strstr(text, "stale: stale: index 0 of loop 1 has the handle 0x") != NULL,
		      "%s", text);
	ck_assert_msg(strstr(text, "none: no handle") != NULL, "%s", text);
	ck_assert_msg(strstr(text, "$1 = 0") != NULL, "%s", text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gdb");
	TCase *tc = patient_case(suite, "handles");

	if (getenv("SFR_UNDER_GDB"))
		return program();
	tcase_add_test(tc, gdb_shows_what_a_handle_stands_for);
	return suite_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * The wrong thread: every public call, made by a thread that the loop is not of, answers what it should,
 * and the loop goes on as if nothing had been called.
 */
#include "calls.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Who calls, and what went wrong. */
static struct caller caller;
static bool runs; /* the loop has had its first turn */
static atomic_bool done;
static const struct call *failed;
static const char *problem;

static bool is_for_strangers(const struct call *call)
{
	return call->kind != CALL_READS && call->kind != CALL_FREES &&
	       (runs || call->kind != CALL_RUNS);
}

static void *stranger(void *arg)
{
	const struct call *call;

	(void)arg;
	for (call = calls; call < calls + calls_count && !problem; call++) {
		if (!is_for_strangers(call))
			continue;
		problem = call_check(call, &caller, SFR_ETHREAD);
		failed = call;
	}
	atomic_store(&done, true);
	return NULL;
}

static pthread_t stranger_start(bool loop_runs)
{
	pthread_t thread;

	runs = loop_runs;
	problem = NULL;
	atomic_store(&done, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, stranger, NULL), 0);
	return thread;
}

static void stranger_end(pthread_t thread)
{
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_msg(!problem, "%s %s", failed->name, problem);
	caller_check(&caller);
	turn_until(caller.loop, &caller.posted, 1);
}

START_TEST(while_a_loop_works_no_other_thread_can_disturb_it)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pthread_t thread;
	int said = 0;

	caller_init(&caller, loop);
	turns_until(loop, there.opened == 1);
	thread = stranger_start(true);
	do {
		if (there.bytes == (uint64_t)said * 4) {
			ck_assert_int_eq(conn_say(caller.conn, "ping", 4), 4);
			said++;
		}
		turn_once(loop);
	} while (!atomic_load(&done));
	turns_until(loop, there.bytes == (uint64_t)said * 4);
	stranger_end(thread);
}
END_TEST

START_TEST(before_its_first_turn_a_loop_is_of_the_thread_that_made_it)
{
	caller_init(&caller, loop_in(_i, NULL));
	stranger_end(stranger_start(false));
}
END_TEST

START_TEST(while_a_host_sleeps_for_a_loop_no_other_thread_can_disturb_it)
{
	sfr_loop *loop = loop_in(_i, NULL);

	caller_init(&caller, loop);
	ck_assert_int_ge(sfr_loop_fd(loop), 0);
	turns_until(loop, there.opened == 1);
	while (sfr_loop_prepare(loop) == 0)
		turn_once(loop);
	stranger_end(stranger_start(true));
}
END_TEST

static void *build_there(void *arg)
{
	sfr_loop *loop = arg;

	ck_assert_ptr_null(sfr_nop(loop));
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	loop_end();
	return NULL;
}

START_TEST(with_its_first_turn_a_loop_is_of_who_takes_it)
{
	sfr_loop *loop = loop_in(_i, NULL);
	pthread_t thread;

	ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
	loop_end();
	loop = loop_in(_i, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, build_there, loop), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static void *nop_there(void *arg)
{
	sfr_op_discard(sfr_nop(arg)); /* is not reached */
	return NULL;
}

START_TEST(where_rules_are_enforced_a_stranger_ends_the_program)
{
	sfr_loop *loop = loop_in(_i, "safety.abort=on");
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, nop_there, loop), 0);
	pthread_join(thread, NULL);
}
END_TEST

/*
 * The table against the headers.
 */

static bool has_row(const char *name, size_t length)
{
	int i;

	for (i = 0; i < calls_count; i++)
		if (strlen(calls[i].name) == length && strncmp(calls[i].name, name, length) == 0)
			return true;
	return false;
}

/* Returns how many calls a header declares. */
static int header_check(const char *path)
{
	static char text[100000];
	FILE *file = fopen(path, "r");
	const char *at = text;
	int count = 0;

	ck_assert_msg(file != NULL, "no %s", path);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	while ((at = strstr(at, "\nSFR_API "))) {
		const char *end = strchr(at, '('), *name = end;

		while (name[-1] != ' ' && name[-1] != '*')
			name--;
		ck_assert_msg(has_row(name, (size_t)(end - name)), "%.*s has no row in calls.c",
			      (int)(end - name), name);
		at = end;
		count++;
	}
	return count;
}

START_TEST(every_public_call_is_in_the_table)
{
	/* Nor those of the adapters, which are libraries of their own. */
	static const char *const without_loop[] = {"config.h",   "error.h", "log.h",
						   "glib.h",     "libev.h", "libevent.h",
						   "sd_event.h", "uv.h",    "version.h"};
	char folder[4096], path[8192];
	struct dirent *entry;
	int count = 0, i;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/include/safer_ring", getenv("SFR_SOURCE_ROOT"));
	dir = opendir(folder);
	ck_assert_msg(dir != NULL, "no %s", folder);
	while ((entry = readdir(dir))) {
		bool knows_loops = entry->d_name[0] != '.';

		for (i = 0; i < COUNT_OF(without_loop); i++)
			knows_loops &= strcmp(entry->d_name, without_loop[i]) != 0;
		if (!knows_loops)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		count += header_check(path);
	}
	closedir(dir);
	ck_assert_int_eq(count, calls_count);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wrong thread");
	TCase *tc = peers_case(suite, "strangers");

	world_test(tc, while_a_loop_works_no_other_thread_can_disturb_it);
	world_test(tc, while_a_host_sleeps_for_a_loop_no_other_thread_can_disturb_it);
	world_test(tc, before_its_first_turn_a_loop_is_of_the_thread_that_made_it);
	world_test(tc, with_its_first_turn_a_loop_is_of_who_takes_it);
	tcase_add_loop_test_raise_signal(tc, where_rules_are_enforced_a_stranger_ends_the_program,
					 SIGABRT, 0, world_count());
	tc = patient_case(suite, "the table");
	tcase_add_test(tc, every_public_call_is_in_the_table);
	return world_run(suite);
}

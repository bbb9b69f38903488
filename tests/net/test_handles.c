/* SPDX-License-Identifier: MIT */
/*
 * Every public call that takes a handle, with each kind of value that a program may pass for one. The answers are
 * those of the table in docs/ownership.md, row by row, and who has the same index by now notices nothing.
 */
#include "base/handle.h"
#include "calls.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Calls that take a handle are told from others by their names. */
static const char *const takers[] = {"sfr_conn_", "sfr_server_", "sfr_batch_"};

static bool takes_handle(const struct call *call)
{
	int i;

	if (strcmp(call->name, "sfr_conn_adopt") == 0 || strcmp(call->name, "sfr_batch_new") == 0)
		return false; /* makes one */
	for (i = 0; i < COUNT_OF(takers); i++)
		if (strncmp(call->name, takers[i], strlen(takers[i])) == 0)
			return true;
	return false;
}

static bool is_of_batches(const struct call *call)
{
	return strncmp(call->name, "sfr_batch_", 10) == 0;
}

static bool takes_op(const struct call *call)
{
	return strcmp(call->name, "sfr_batch_add") == 0 ||
	       strcmp(call->name, "sfr_batch_then") == 0;
}

/*
 * How a call answers.
 */

static bool is_refusal(int answer)
{
	return answer == SFR_ESTALE || answer == SFR_ETHREAD || answer == SFR_EFORKED ||
	       answer == EOWNERDEAD;
}

/* In the words of the table. */
static const char *answer_of(const struct call *call, struct caller *caller)
{
	static char text[64];
	int answer;

	caller->buf_count = COUNT_OF(caller->bufs);
	log_listen();
	answer = call->run(caller);
	if (answer == ENOENT)
		return "NULL";
	if (answer == EBADF)
		return "`-1`";
	if (is_refusal(answer)) {
		if (answer == SFR_ESTALE && log_lines)
			return "reported";
		ck_assert_int_eq(log_lines, answer != SFR_ESTALE && answer != EOWNERDEAD);
		snprintf(text, sizeof(text), "`-%s`", sfr_errname(answer));
		return text;
	}
	ck_assert_int_le(log_lines, 1);
	return log_lines ? "reported" : "works";
}

/*
 * The values.
 */

struct values {
	sfr_conn *conn;
	sfr_server *server;
	sfr_batch *batch;
};

/* A caller with buffers of its own for the calls that take one, and handles of the test's choice. */
static struct caller caller_with(sfr_loop *loop, struct values values)
{
	struct caller caller = {.loop = loop,
				.conn = values.conn,
				.server = values.server,
				.batch = values.batch,
				.running = values.batch};
	int i;

	for (i = 0; i < COUNT_OF(caller.bufs); i++)
		caller.bufs[i] = sfr_buf_get(loop, 64);
	return caller;
}

static void caller_done(struct caller *caller)
{
	int i;

	for (i = 0; i < COUNT_OF(caller->bufs); i++)
		sfr_buf_release(caller->bufs[i]);
}

static void *index_of(const void *handle)
{
	return (void *)((uintptr_t)handle & (((uintptr_t)1 << SFR__HANDLE_INDEX_BITS) - 1));
}

/* Handles of what has ended; what is there now has their indexes. */
static struct values stale(sfr_loop *loop, sfr_server *server)
{
	struct values values = {.conn = dial(loop, server, &note_all, &there),
				.server = serve(loop, &note_all, &there)};
	sfr_server *next;
	sfr_batch *freed = sfr_batch_new(loop);

	values.batch = same(freed);
	sfr_batch_free(freed);

	turns_until(loop, there.opened == 1 && here.opened == 1);
	sfr_conn_close(there.conn);
	turns_until(loop, there.closed == 1 && here.closed == 1);
	sfr_server_close(values.server);
	turns_until_quiet(loop);
	next = serve(loop, &note_all, &there);
	ck_assert_ptr_eq(index_of(next), index_of(values.server));
	(void)dial(loop, server, &note_all, &there);
	turns_until(loop, there.opened == 2 && here.opened == 2);
	ck_assert(index_of(there.conn) == index_of(values.conn) ||
		  index_of(here.conn) == index_of(values.conn));
	return values;
}

/* It is as if nobody had called. */
static void check_bystanders(sfr_loop *loop)
{
	uint64_t before = there.bytes;

	ck_assert_uint_eq(sfr_conn_queued(there.conn), 0);
	ck_assert_ptr_null(sfr_conn_data(there.conn));
	ck_assert_ptr_null(sfr_conn_data(here.conn));
	ck_assert_int_eq(conn_say(there.conn, "hello", 5), 5);
	turns_until(loop, there.bytes == before + 5);
	turns_until_quiet(loop);
	ck_assert_uint_eq(there.bytes, before + 5);
	ck_assert_int_eq(there.closed, here.closed);
}

/*
 * The matrix.
 */

enum { LIVE, STALE, STRANGE, GONE, NONE, VALUES };

#define CALLS_MAX 256
static char answers[CALLS_MAX][VALUES][32];

static void answers_note(const struct call *call, int value, const char *answer)
{
	char *noted = answers[call - calls][value];

	if (*noted)
		ck_assert_msg(strcmp(noted, answer) == 0, "%s: %s, and %s", call->name, noted,
			      answer);
	snprintf(noted, sizeof(answers[0][0]), "%s", answer);
}

/* All calls with the same handles. */
static void answers_take(sfr_loop *loop, struct values values, int value)
{
	struct caller caller = caller_with(loop, values);
	const struct call *call;
	const char *answer;

	for (call = calls; call < calls + calls_count; call++) {
		if (!takes_handle(call) || (is_of_batches(call) && !values.batch))
			continue;
		if (takes_op(call))
			caller.op = sfr_nop(loop);
		answer = answer_of(call, &caller);
		if (value == GONE && strcmp(answer, "works") == 0)
			answer = "nothing"; /* was left to do */
		answers_note(call, value, answer);
	}
	caller_done(&caller);
}

static void batch_end_if_any(sfr_batch *batch)
{
	(void)sfr_batch_submit(batch, NULL, NULL);
	(void)sfr_batch_cancel(batch);
	if (sfr_batch_await(batch) != -SFR_ESTALE)
		sfr_batch_free(batch);
}

static void answers_of_live(int world)
{
	const struct call *call;

	for (call = calls; call < calls + calls_count; call++) {
		struct caller caller;
		sfr_batch *running;
		sfr_loop *loop;

		if (!takes_handle(call))
			continue;
		here = there = (struct told){0};
		loop = loop_in(world, NULL);
		caller_init(&caller, loop);
		turns_until(loop, there.opened == 1 && here.opened == 1);
		sfr_conn_hold(caller.conn); /* for sfr_conn_unhold() */
		running = caller.running;
		if (strcmp(call->name, "sfr_batch_free") == 0)
			caller.running = caller.batch;
		answers_note(call, LIVE, answer_of(call, &caller));
		while (caller.buf_count)
			sfr_buf_release(caller.bufs[--caller.buf_count]);
		batch_end_if_any(caller.batch);
		batch_end_if_any(running);
		if (!takes_op(call))
			sfr_op_discard(caller.op);
		loop_end();
	}
}

static void answers_of_stale(int world)
{
	sfr_loop *loop;
	struct values values;

	here = there = (struct told){0};
	loop = loop_in(world, NULL);
	values = stale(loop, serve(loop, &echo_all, &here));
	answers_take(loop, values, STALE);
	check_bystanders(loop);
	loop_end();
}

/* Of a loop whose thread is not the caller's. */
struct elsewhere {
	int world;
	struct values values;
	sfr_loop *loop;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ready, done;
};

static void *elsewhere_run(void *arg)
{
	struct elsewhere *there_is = arg;
	sfr_loop *loop = second_loop(there_is->world);
	struct told told = {0};
	sfr_server *server = serve(loop, &note_all, &told);

	there_is->values.conn = dial(loop, server, &note_all, &told);
	there_is->values.server = server;
	there_is->values.batch = sfr_batch_new(loop);
	turns_until(loop, told.opened == 2);
	pthread_mutex_lock(&there_is->lock);
	there_is->loop = loop;
	there_is->ready = true;
	pthread_cond_signal(&there_is->changed);
	while (!there_is->done)
		pthread_cond_wait(&there_is->changed, &there_is->lock);
	pthread_mutex_unlock(&there_is->lock);
	ck_assert_int_eq(told.closed, 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_int_eq(sfr_loop_free(loop), 0);
	return NULL;
}

static void answers_of_strange_and_gone(int world)
{
	struct elsewhere there_is = {.world = world,
				     .lock = PTHREAD_MUTEX_INITIALIZER,
				     .changed = PTHREAD_COND_INITIALIZER};
	sfr_loop *loop;
	pthread_t thread;

	here = there = (struct told){0};
	loop = loop_in(world, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, elsewhere_run, &there_is), 0);
	pthread_mutex_lock(&there_is.lock);
	while (!there_is.ready)
		pthread_cond_wait(&there_is.changed, &there_is.lock);
	pthread_mutex_unlock(&there_is.lock);
	ck_assert_ptr_eq(sfr_conn_loop(there_is.values.conn), there_is.loop);
	answers_take(loop, there_is.values, STRANGE);
	pthread_mutex_lock(&there_is.lock);
	there_is.done = true;
	pthread_cond_signal(&there_is.changed);
	pthread_mutex_unlock(&there_is.lock);
	pthread_join(thread, NULL);
	answers_take(loop, there_is.values, GONE);
	loop_end();
}

/* What never was a handle. To read one of these addresses ends the program. */
static void answers_of_none(int world)
{
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sfr_loop *loop;
	const void *garbage[] = {NULL,
				 (void *)1,
				 page,
				 (char *)page + 4095,
				 &page,
				 malloc(64),
				 (void *)UINTPTR_MAX,
				 (void *)(uintptr_t)UINT64_C(0x9e3779b97f4a7c15),
				 (void *)SFR__HANDLE_MARKS,
				 NULL};
	sfr_server *server;
	unsigned i;

	free(same((void *)(uintptr_t)garbage[5]));
	here = there = (struct told){0};
	loop = loop_in(world, NULL);
	garbage[9] = loop;
	server = serve(loop, &echo_all, &here);
	(void)dial(loop, server, &note_all, &there);
	turns_until(loop, there.opened == 1 && here.opened == 1);
	answers_take(loop, (struct values){same(server), same(there.conn), same(server)}, NONE);
	for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++)
		answers_take(loop,
			     (struct values){(void *)(uintptr_t)garbage[i],
					     (void *)(uintptr_t)garbage[i],
					     (void *)(uintptr_t)garbage[i]},
			     NONE);
	check_bystanders(loop);
	loop_end();
	munmap(page, 4096);
}

static const char *manual(void)
{
	static char text[65536];
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/docs/ownership.md", getenv("SFR_SOURCE_ROOT"));
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "no %s", path);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

START_TEST(calls_answer_handles_of_all_kinds_as_the_manual_says)
{
	static char lacks[CALLS_MAX * 256];
	const char *text = manual();
	const struct call *call;
	char row[256];
	size_t end = 0;
	int rows = 0, said_rows = 0;

	ck_assert_int_le(calls_count, CALLS_MAX);
	answers_of_live(_i);
	answers_of_stale(_i);
	answers_of_strange_and_gone(_i);
	answers_of_none(_i);
	for (call = calls; call < calls + calls_count; call++) {
		char(*said)[32] = answers[call - calls];

		if (!takes_handle(call))
			continue;
		snprintf(row, sizeof(row), "\n| `%s` | %s | %s | %s | %s | %s |\n", call->name,
			 said[LIVE], said[STALE], said[STRANGE], said[GONE], said[NONE]);
		if (!strstr(text, row))
			end += (size_t)sprintf(lacks + end, "%s", row + 1);
		rows++;
	}
	ck_assert_msg(!end, "docs/ownership.md lacks\n%s", lacks);
	while ((text = strstr(text, "\n| `sfr_"))) {
		said_rows++;
		text++;
	}
	ck_assert_int_eq(said_rows, rows);
}
END_TEST

/*
 * What went wrong.
 */

static void *kept;

static void keep_and_note_close(sfr_conn *conn, int reason, void *arg)
{
	kept = conn;
	ck_assert_int_eq(sfr_conn_send(conn, sfr_buf_from(sfr_conn_loop(conn), "x", 1)),
			 -ECANCELED);
	note_close(conn, reason, arg);
}

START_TEST(what_is_sent_after_on_close_reaches_nobody)
{
	static const sfr_handlers handlers = {.on_open = note_open,
					      .on_data = note_data,
					      .on_drain = note_drain,
					      .on_close = keep_and_note_close};
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &handlers, &here);
	int first = peer_of(server), second;

	turns_until(loop, here.opened == 1);
	peer_reset(first);
	turns_until(loop, here.closed == 1);
	second = peer_of(server);
	turns_until(loop, here.opened == 2);
	ck_assert_ptr_eq(index_of(here.conn), index_of(kept));
	ck_assert_ptr_ne(here.conn, kept);

	ck_assert_int_eq(sfr_conn_send(kept, sfr_buf_from(loop, "for the first", 13)), -SFR_ESTALE);

	ck_assert_uint_eq(sfr_conn_queued(here.conn), 0);
	turns_until_quiet(loop);
	ck_assert_int_eq((int)recv(second, &kept, 1, MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_uint_eq(stat_held(loop), 0);
	close(second);
}
END_TEST

START_TEST(without_a_batch_calls_say_that_there_was_no_memory)
{
	struct caller caller = {.loop = loop_in(_i, NULL)};
	const struct call *call;

	for (call = calls; call < calls + calls_count; call++) {
		int silent = strcmp(call->name, "sfr_batch_free") == 0 ? 0
			     : strcmp(call->name, "sfr_batch_fd") == 0 ? EBADF
								       : ENOMEM;

		if (!takes_handle(call) || !is_of_batches(call))
			continue;
		if (takes_op(call))
			caller.op = sfr_nop(caller.loop);
		log_listen();
		ck_assert_msg(call->run(&caller) == silent, "%s", call->name);
		ck_assert_int_eq(log_lines, 0);
	}
}
END_TEST

START_TEST(a_connection_of_another_loop_of_this_thread_is_that_loops)
{
	sfr_loop *loop = loop_in(_i, NULL), *second = second_loop(_i);
	sfr_conn *conn = dial(loop, serve(loop, &echo_all, &here), &note_all, &there);
	struct told told = {0};
	sfr_conn *foreign = dial(second, serve(second, &note_all, &told), &note_all, &told);

	ck_assert_ptr_eq(index_of(conn), index_of(foreign));
	ck_assert_ptr_ne(conn, foreign);
	turns_until(loop, there.opened == 1 && here.opened == 1);
	turns_until(second, told.opened == 2);
	ck_assert_ptr_eq(sfr_conn_loop(foreign), second);
	sfr_conn_close(foreign);
	turns_until(second, told.closed == 2);
	ck_assert_int_eq(sfr_conn_send(foreign, sfr_buf_from(second, "x", 1)), -SFR_ESTALE);
	ck_assert_int_eq(sfr_loop_drain(second, -1), 0);
	ck_assert_int_eq(sfr_loop_free(second), 0);
	ck_assert_int_eq(sfr_conn_send(foreign, sfr_buf_from(loop, "x", 1)), -SFR_ESTALE);
	check_bystanders(loop);
}
END_TEST

START_TEST(a_closed_server_is_stale_while_its_connections_close)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &note_all, &here);
	char text[ADDRESS_SIZE];

	(void)dial(loop, server, &note_all, &there);
	turns_until(loop, here.opened == 1);
	sfr_server_close(server);
	ck_assert_int_eq(here.closed, 0);
	log_listen();
	ck_assert_uint_eq(sfr_server_conns(server), 0);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_int_eq(sfr_server_address(server, text, sizeof(text)), -SFR_ESTALE);
	sfr_server_close(server);
	ck_assert_int_eq(log_lines, 2);
	turns_until(loop, here.closed == 1);
}
END_TEST

static void close_again(sfr_conn *conn, int reason, void *arg)
{
	(void)reason;
	(void)arg;
	kept = conn;
}

START_TEST(where_rules_are_enforced_a_stale_handle_ends_the_program)
{
	static const sfr_handlers handlers = {.on_close = close_again};
	sfr_loop *loop = loop_in(_i, "safety.abort=on");

	kept = NULL;
	ck_assert_int_eq(sfr_dial(loop, "tcp://127.0.0.1:1", &handlers, NULL, NULL), 0);
	turns_until(loop, kept != NULL);
	sfr_conn_close(kept);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handles");
	TCase *tc = peers_case(suite, "values");

	world_test(tc, calls_answer_handles_of_all_kinds_as_the_manual_says);
	world_test(tc, without_a_batch_calls_say_that_there_was_no_memory);
	world_test(tc, what_is_sent_after_on_close_reaches_nobody);
	world_test(tc, a_connection_of_another_loop_of_this_thread_is_that_loops);
	world_test(tc, a_closed_server_is_stale_while_its_connections_close);
	tcase_add_loop_test_raise_signal(tc,
					 where_rules_are_enforced_a_stale_handle_ends_the_program,
					 SIGABRT, 0, world_count());
	return world_run(suite);
}

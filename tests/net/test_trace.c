/* SPDX-License-Identifier: MIT */
/*
 * Lives as the log tells them at level debug: those of ops, of batches and of connections, a line for each step.
 */
#include "batches.h"
#include "peers.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static char told[1 << 16];
static size_t told_size;

static void note_line(enum sfr_log_level level, const char *line, void *arg)
{
	(void)arg;
	if (level != SFR_LOG_DEBUG)
		return;
	told_size += (size_t)snprintf(told + told_size, sizeof(told) - told_size, "%s\n", line);
	ck_assert_uint_lt(told_size, sizeof(told));
}

static sfr_loop *listened_loop(int world, const char *settings)
{
	sfr_loop *loop = loop_in(world, settings);

	told_size = 0;
	told[0] = '\0';
	sfr_log_to(note_line, NULL);
	return loop;
}

/* What was told of one life: the lines that begin with its name, without that. */
static const char *life_of(const char *name)
{
	static char life[4096];
	const char *line, *end;
	size_t size = 0;

	for (line = told; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (strncmp(line, name, strlen(name)) != 0)
			continue;
		line += strlen(name);
		size += (size_t)snprintf(life + size, sizeof(life) - size, "%.*s\n",
					 (int)(end - line), line);
		ck_assert_uint_lt(size, sizeof(life));
	}
	life[size] = '\0';
	return life;
}

static const char *life_of_op(sfr_ticket ticket, const char *kind)
{
	char name[64];

	snprintf(name, sizeof(name), "op 0x%" PRIx64 " %s: ", ticket, kind);
	return life_of(name);
}

START_TEST(an_op_is_told_from_its_submission_to_its_callback)
{
	sfr_loop *loop = listened_loop(_i, "log.level=debug");
	sfr_ticket ticket = sfr_submit(sfr_nop(loop), record, &seen);

	turn_until(loop, &seen.calls, 1);

	ck_assert_str_eq(life_of_op(ticket, "nop"), "building -> queued (submitted)\n"
						    "queued -> in flight (started)\n"
						    "in flight -> done (completed)\n"
						    "done -> free (over: 0)\n");
}
END_TEST

START_TEST(a_cancelled_op_is_told_with_its_descriptor_and_its_error)
{
	sfr_loop *loop = listened_loop(_i, "log.level=debug");
	int reader, writer;
	char kind[32];
	sfr_ticket ticket;

	pair_of_pipe_ends(&reader, &writer);
	ticket = sfr_submit(sfr_poll(loop, reader, POLLIN), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	turn_until(loop, &seen.calls, 1);

	snprintf(kind, sizeof(kind), "poll on fd %d", reader);
	ck_assert_str_eq(life_of_op(ticket, kind), "building -> queued (submitted)\n"
						   "queued -> in flight (started)\n"
						   "in flight -> cancelling (asked to end)\n"
						   "cancelling -> done (completed)\n"
						   "done -> free (over: -125 ECANCELED)\n");
}
END_TEST

START_TEST(a_name_of_a_descriptor_is_told_as_what_it_is)
{
	sfr_loop *loop = listened_loop(_i, "log.level=debug");
	sfr_batch *batch = sfr_batch_new(loop);
	int fd = empty_file(), name, opener;

	ck_assert_int_eq(sfr_files_register(loop, &fd, 1, &name), 0);
	sfr_submit(sfr_fsync(loop, name), record, &seen);
	sfr_batch_add(batch, sfr_nop(loop));
	opener = sfr_batch_add(batch, sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDONLY, 0));
	sfr_batch_add(batch, sfr_close(loop, sfr_batch_fd(batch, opener)));
	batch_run(loop, batch);
	turn_until(loop, &seen.calls, 1);

	ck_assert_ptr_nonnull(strstr(told, " fsync on registered file 0: building -> queued"));
	ck_assert_ptr_nonnull(strstr(told, " openat on the working directory: building -> "));
	ck_assert_ptr_nonnull(strstr(told, " close on descriptor of batch op 1: building -> "));
	batch_end(loop, batch);
}
END_TEST

START_TEST(an_op_without_an_entry_is_told_as_well)
{
	sfr_loop *loop = listened_loop(_i, "log.level=debug");
	sfr_ticket timeout = sfr_submit(sfr_timeout(loop, 1), record, &seen);
	sfr_ticket wrong = sfr_submit(sfr_timeout(loop, UINT64_MAX), record, &seen);

	ck_assert_int_eq(sfr_cancel(loop, wrong), 0);
	turn_until(loop, &seen.calls, 2);

	ck_assert_str_eq(life_of_op(timeout, "timeout"), "building -> queued (submitted)\n"
							 "queued -> in flight (started)\n"
							 "in flight -> done (completed)\n"
							 "done -> free (over: 0)\n");
	ck_assert_ptr_nonnull(strstr(life_of_op(wrong, "timeout"), "over: -125 ECANCELED"));
}
END_TEST

START_TEST(an_op_that_is_discarded_is_told_to_be_free)
{
	sfr_loop *loop = listened_loop(_i, "log.level=debug");

	sfr_op_discard(sfr_nop(loop));

	ck_assert_ptr_nonnull(strstr(told, " nop: building -> free (discarded)\n"));
}
END_TEST

START_TEST(a_batch_and_its_nodes_are_told_in_order)
{
	sfr_loop *loop = listened_loop(_i, "log.level=debug");
	sfr_batch *batch = sfr_batch_new(loop);
	int bad, after;

	bad = sfr_batch_add(batch, sfr_fsync(loop, -1));
	after = sfr_batch_add(batch, sfr_nop(loop));
	ck_assert_int_eq(sfr_batch_after(batch, after, bad), 0);
	batch_run(loop, batch);

	ck_assert_str_eq(life_of("batch 0: "),
			 "building -> building (an op or a dependency is new)\n"
			 "building -> building (an op or a dependency is new)\n"
			 "building -> building (an op or a dependency is new)\n"
			 "building -> planned (planned)\n"
			 "planned -> running (submitted)\n"
			 "running -> done (its last op ended)\n");
	ck_assert_str_eq(life_of("batch 0 op 0 fsync: "),
			 "added -> waiting (submitted)\n"
			 "waiting -> started (all that it waits for has ended)\n"
			 "started -> ended (its op ended)\n"
			 "ended -> over (it waits for nothing)\n"
			 "over -> settled (those after it know)\n");
	ck_assert_str_eq(life_of("batch 0 op 1 nop: "),
			 "added -> waiting (submitted)\n"
			 "waiting -> doomed (one that must succeed did not)\n"
			 "doomed -> refused (all that it waits for has ended)\n"
			 "refused -> ended (its op ended)\n"
			 "ended -> over (it waits for nothing)\n"
			 "over -> settled (those after it know)\n");
	batch_end(loop, batch);
}
END_TEST

START_TEST(a_connection_is_told_from_both_sides)
{
	sfr_loop *loop = listened_loop(_i, "log.level=debug");
	sfr_server *server = serve(loop, &note_all, &here);
	sfr_conn *conn = dial(loop, server, &note_all, &there);

	turns_until(loop, here.opened && there.opened);
	sfr_conn_close(conn);
	turns_until(loop, here.closed && there.closed);

	ck_assert_ptr_nonnull(strstr(told, ": connecting -> open (dialled)\n"));
	ck_assert_ptr_nonnull(strstr(told, ": connecting -> open (accepted)\n"));
	ck_assert_ptr_nonnull(strstr(told, ": open -> closing (ECANCELED)\n"));
	ck_assert_ptr_nonnull(strstr(told, ": closing -> closed (ECANCELED)\n"));
	ck_assert_ptr_nonnull(strstr(told, ": closing -> closed (OK)\n"));
}
END_TEST

START_TEST(at_level_info_no_life_is_told)
{
	sfr_loop *loop = listened_loop(_i, "log.level=info");
	sfr_batch *batch = sfr_batch_new(loop);

	ck_assert_int_eq(sfr_batch_add(batch, sfr_nop(loop)), 0);
	batch_run(loop, batch);
	sfr_submit(sfr_nop(loop), record, &seen);
	turn_until(loop, &seen.calls, 1);

	ck_assert_str_eq(told, "");
	batch_end(loop, batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trace");
	TCase *tcase = peers_case(suite, "lives");

	world_test(tcase, an_op_is_told_from_its_submission_to_its_callback);
	world_test(tcase, a_cancelled_op_is_told_with_its_descriptor_and_its_error);
	world_test(tcase, a_name_of_a_descriptor_is_told_as_what_it_is);
	world_test(tcase, an_op_without_an_entry_is_told_as_well);
	world_test(tcase, an_op_that_is_discarded_is_told_to_be_free);
	world_test(tcase, a_batch_and_its_nodes_are_told_in_order);
	world_test(tcase, a_connection_is_told_from_both_sides);
	world_test(tcase, at_level_info_no_life_is_told);
	return world_run(suite);
}

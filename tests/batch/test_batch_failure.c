/* SPDX-License-Identifier: MIT */
/*
 * Batches in which something fails, or finds no memory: what depended on it does not run, all else does, and
 * each op ends once.
 */
#include "batches.h"
#include "allocations.h"
#include "op/kind.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOUR (UINT64_C(3600) * 1000000000)

/*
 * Ops that fail, and ops that do a part.
 */

static int any_pipe(void)
{
	return empty_pipe();
}

static sfr_op *failing_read(sfr_loop *loop)
{
	return sfr_read(loop, -1, room_for(loop, 8));
}

static sfr_op *failing_read_at(sfr_loop *loop)
{
	return sfr_read_at(loop, owned_fd(open("/", O_RDONLY | O_DIRECTORY)), room_for(loop, 8), 0);
}

static sfr_op *failing_write(sfr_loop *loop)
{
	return sfr_write(loop, owned_fd(open("/dev/full", O_WRONLY)), text_buf(loop, "x"));
}

static sfr_op *failing_write_all(sfr_loop *loop)
{
	return sfr_all(failing_write(loop));
}

static sfr_op *failing_send(sfr_loop *loop)
{
	return sfr_send(loop, any_pipe(), text_buf(loop, "x"));
}

static sfr_op *failing_send_zc(sfr_loop *loop)
{
	return sfr_send_zc(loop, any_pipe(), text_buf(loop, "x"));
}

static sfr_op *failing_recv(sfr_loop *loop)
{
	return sfr_recv(loop, any_pipe(), room_for(loop, 8));
}

static sfr_op *failing_sendto(sfr_loop *loop)
{
	return sfr_sendto(loop, any_pipe(), text_buf(loop, "x"), NULL, 0);
}

static sfr_op *failing_recvfrom(sfr_loop *loop)
{
	return sfr_recvfrom(loop, any_pipe(), room_for(loop, 8));
}

static sfr_op *failing_accept(sfr_loop *loop)
{
	return sfr_accept(loop, any_pipe());
}

static sfr_op *failing_connect(sfr_loop *loop)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};

	return sfr_connect(loop, any_pipe(), (struct sockaddr *)&addr, sizeof(addr));
}

static sfr_op *failing_poll(sfr_loop *loop)
{
	return sfr_poll(loop, -1, POLLIN);
}

static sfr_op *failing_shutdown(sfr_loop *loop)
{
	return sfr_shutdown(loop, any_pipe(), SHUT_WR);
}

static sfr_op *failing_close(sfr_loop *loop)
{
	return sfr_close(loop, -1);
}

static sfr_op *failing_socket(sfr_loop *loop)
{
	return sfr_socket(loop, 9999, SOCK_STREAM, 0);
}

static sfr_op *failing_openat(sfr_loop *loop)
{
	return sfr_openat(loop, AT_FDCWD, "/no/such/file", O_RDONLY, 0);
}

/* The kernel finds this one out before it starts anything of a row. */
static sfr_op *failing_openat_at_once(sfr_loop *loop)
{
	return sfr_openat(loop, AT_FDCWD, "", O_RDONLY, 0);
}

static sfr_op *failing_statx(sfr_loop *loop)
{
	return sfr_statx(loop, AT_FDCWD, "/no/such/file", 0, 0x7ff, sfr_buf_get(loop, 256));
}

static sfr_op *failing_fsync(sfr_loop *loop)
{
	return sfr_fsync(loop, any_pipe());
}

static sfr_op *failing_fdatasync(sfr_loop *loop)
{
	return sfr_fdatasync(loop, any_pipe());
}

static sfr_op *failing_fallocate(sfr_loop *loop)
{
	return sfr_fallocate(loop, any_pipe(), 0, 0, 1);
}

static sfr_op *failing_ftruncate(sfr_loop *loop)
{
	return sfr_ftruncate(loop, any_pipe(), 0);
}

static sfr_op *failing_unlinkat(sfr_loop *loop)
{
	return sfr_unlinkat(loop, AT_FDCWD, "/no/such/file", 0);
}

static sfr_op *failing_renameat(sfr_loop *loop)
{
	return sfr_renameat(loop, AT_FDCWD, "/no/such/file", AT_FDCWD, "/no/such/other", 0);
}

static sfr_op *failing_mkdirat(sfr_loop *loop)
{
	return sfr_mkdirat(loop, AT_FDCWD, "/", 0700);
}

static sfr_op *failing_linkat(sfr_loop *loop)
{
	return sfr_linkat(loop, AT_FDCWD, "/no/such/file", AT_FDCWD, "/no/such/other", 0);
}

static sfr_op *failing_symlinkat(sfr_loop *loop)
{
	return sfr_symlinkat(loop, "x", AT_FDCWD, "/");
}

static int work_fails(void *arg)
{
	(void)arg;
	return -ENOTTY;
}

static sfr_op *failing_work(sfr_loop *loop)
{
	return sfr_work(loop, work_fails, NULL);
}

static sfr_op *failing_splice(sfr_loop *loop)
{
	return sfr_splice(loop, -1, -1, -1, -1, 8, 0);
}

static sfr_op *failing_waitid(sfr_loop *loop)
{
	return sfr_waitid(loop, 1 /* P_PID */, (unsigned)getpid(), 4 /* WEXITED */,
			  sfr_buf_get(loop, 256));
}

/* Wrong from the beginning, and the engine never hears of them. */
static sfr_op *own_missing_buffer(sfr_loop *loop)
{
	return sfr_write(loop, any_pipe(), NULL);
}

static sfr_op *own_wrong_offset(sfr_loop *loop)
{
	return sfr_read_at(loop, any_pipe(), room_for(loop, 8), UINT64_MAX);
}

static sfr_op *own_wrong_modifier(sfr_loop *loop)
{
	return sfr_all(sfr_nop(loop));
}

static sfr_op *own_wrong_place(sfr_loop *loop)
{
	return sfr_into(sfr_socket(loop, AF_UNIX, SOCK_STREAM, 0), -77);
}

static sfr_op *own_wrong_path(sfr_loop *loop)
{
	return sfr_openat(loop, AT_FDCWD, NULL, O_RDONLY, 0);
}

static const struct failing {
	const char *name;
	sfr_op *(*build)(sfr_loop *loop);
} failing[] = {
	{"read", failing_read},
	{"read_at", failing_read_at},
	{"write", failing_write},
	{"sfr_all() of a write", failing_write_all},
	{"send", failing_send},
	{"send_zc", failing_send_zc},
	{"recv", failing_recv},
	{"sendto", failing_sendto},
	{"recvfrom", failing_recvfrom},
	{"accept", failing_accept},
	{"connect", failing_connect},
	{"poll", failing_poll},
	{"shutdown", failing_shutdown},
	{"close", failing_close},
	{"socket", failing_socket},
	{"openat", failing_openat},
	{"openat of nothing", failing_openat_at_once},
	{"statx", failing_statx},
	{"fsync", failing_fsync},
	{"fdatasync", failing_fdatasync},
	{"fallocate", failing_fallocate},
	{"ftruncate", failing_ftruncate},
	{"unlinkat", failing_unlinkat},
	{"renameat", failing_renameat},
	{"mkdirat", failing_mkdirat},
	{"linkat", failing_linkat},
	{"symlinkat", failing_symlinkat},
	{"work", failing_work},
	{"splice", failing_splice},
	{"waitid", failing_waitid},
	{"a missing buffer", own_missing_buffer},
	{"a wrong offset", own_wrong_offset},
	{"a wrong modifier", own_wrong_modifier},
	{"a wrong place", own_wrong_place},
	{"a missing path", own_wrong_path},
};

/* Room for one page in a pipe that does not wait. */
static int pipe_with_a_page(void)
{
	int reader, writer;
	char page[4096] = "";

	pair_of_pipe_ends(&reader, &writer);
	ck_assert_int_eq(fcntl(writer, F_SETFL, O_NONBLOCK), 0);
	while (write(writer, page, sizeof(page)) > 0)
		;
	ck_assert_int_eq(read(reader, page, sizeof(page)), (int)sizeof(page));
	return writer;
}

static sfr_buf *two_pages(sfr_loop *loop)
{
	sfr_buf *buf = room_for(loop, 8192);

	memset(buf->data, 'x', 8192);
	buf->len = 8192;
	return buf;
}

static sfr_op *short_read(sfr_loop *loop)
{
	return sfr_read(loop, file_with("0123456789"), room_for(loop, 11));
}

static sfr_op *short_read_at(sfr_loop *loop)
{
	return sfr_read_at(loop, file_with("0123456789"), room_for(loop, 8), 5);
}

static sfr_op *short_read_of_nothing(sfr_loop *loop)
{
	return sfr_read_at(loop, file_with("0123456789"), room_for(loop, 8), 10);
}

static sfr_op *short_read_all(sfr_loop *loop)
{
	return sfr_all(sfr_read_at(loop, file_with("0123456789"), room_for(loop, 11), 0));
}

static sfr_op *short_read_of_a_pipe(sfr_loop *loop)
{
	struct gate gate = gate_make();

	gate_open(&gate);
	return sfr_read(loop, gate.reader, room_for(loop, 2));
}

static sfr_op *short_write(sfr_loop *loop)
{
	return sfr_write(loop, pipe_with_a_page(), two_pages(loop));
}

static int socket_with(const char *text)
{
	int a, b;

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(send(b, text, strlen(text), 0), (int)strlen(text));
	ck_assert_int_eq(shutdown(b, SHUT_WR), 0);
	return a;
}

static sfr_op *short_recv(sfr_loop *loop)
{
	return sfr_recv(loop, socket_with("abc"), room_for(loop, 8));
}

static sfr_op *short_recv_of_nothing(sfr_loop *loop)
{
	return sfr_recv(loop, socket_with(""), room_for(loop, 8));
}

static sfr_op *short_recv_all(sfr_loop *loop)
{
	return sfr_all(sfr_recv(loop, socket_with("abc"), room_for(loop, 8)));
}

static const struct failing shortened[] = {
	{"read", short_read},
	{"read_at", short_read_at},
	{"a read at the end", short_read_of_nothing},
	{"sfr_all() of a read", short_read_all},
	{"a read of a pipe", short_read_of_a_pipe},
	{"a write", short_write},
	{"recv", short_recv},
	{"a recv at the end", short_recv_of_nothing},
	{"sfr_all() of a recv", short_recv_all},
};

/*
 * What depends on a failure.
 */

enum { BEFORE, FAILING, AFTER, ANY, AFTER_AFTER, AFTER_ANY, BESIDE };

/* One in the middle: what is after it fails, and what is after that; what is after any of it runs. */
static sfr_batch *batch_around(sfr_loop *loop, sfr_op *op, int how)
{
	sfr_batch *batch = batch_on(loop);

	ck_assert_int_eq(sfr_batch_add(batch, note_as(loop, 'b', how)), BEFORE);
	ck_assert_int_eq(sfr_batch_add(batch, op), FAILING);
	sfr_batch_after(batch, FAILING, BEFORE);
	ck_assert_int_eq(sfr_batch_then(batch, FAILING, note_as(loop, 'x', how)), AFTER);
	ck_assert_int_eq(sfr_batch_add(batch, note_as(loop, 'a', how)), ANY);
	sfr_batch_after_any(batch, ANY, FAILING);
	ck_assert_int_eq(sfr_batch_then(batch, AFTER, note_as(loop, 'y', how)), AFTER_AFTER);
	ck_assert_int_eq(sfr_batch_add(batch, note_as(loop, 'a', how)), AFTER_ANY);
	sfr_batch_after_any(batch, AFTER_ANY, AFTER);
	ck_assert_int_eq(sfr_batch_add(batch, note_as(loop, 'a', how)), BESIDE);
	return batch;
}

static void assert_around(const sfr_batch *batch, const char *name, const char *noted)
{
	const char *aa = noted + 1;
	int i;

	for (i = 0; i <= BESIDE; i++) {
		int result = result_of(batch, i);
		bool out = i == AFTER || i == AFTER_AFTER;

		if (i != FAILING)
			ck_assert_msg(out ? result == -SFR_EDEPFAILED : result >= 0, "%s: %d: %d",
				      name, i, result);
	}
	/* Only that is not in order to anything else. */
	ck_assert_msg(strlen(noted) == 4 && strspn(noted, "ab") == 4, "%s: \"%s\"", name, noted);
	ck_assert_msg(noted[0] == 'b' || aa[0] == 'b', "%s: \"%s\"", name, noted);
}

/* What calls back often, and what the loop does by itself and cannot fail, is in no row. */
START_TEST(each_kind_that_can_fail_in_a_batch_is_among_the_failing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	bool built[SFR__OP_KINDS] = {[SFR__OP_NOP] = true, [SFR__OP_RAW] = true};
	unsigned kind;
	size_t i;

	for (i = 0; i < COUNT_OF(failing); i++) {
		sfr_op *op = failing[i].build(loop);

		built[op->kind] = true;
		sfr_op_discard(op);
	}
	for (kind = 0; kind < SFR__OP_KINDS; kind++)
		ck_assert_msg(built[kind] || sfr__kind_is(kind, SFR__KIND_MULTI | SFR__KIND_HERE),
			      "nothing failing builds %s", sfr__kinds[kind].name);
}
END_TEST

START_TEST(a_failure_fails_what_is_after_it_and_nothing_else)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int i;

	for (i = 0; i < COUNT_OF(failing); i++) {
		sfr_batch *batch = batch_around(loop, failing[i].build(loop), i % NOTE_WAYS);
		size_t before = strlen(notes());

		if (under_valgrind() && failing[i].build == failing_waitid) {
			batch_end(loop, batch);
			continue;
		}
		ck_assert_int_eq(sfr_batch_await(batch), 3);
		ck_assert_msg(result_of(batch, FAILING) < 0 &&
				      result_of(batch, FAILING) != -ECANCELED &&
				      result_of(batch, FAILING) != -SFR_EDEPFAILED,
			      "%s: %s", failing[i].name, sfr_errname(result_of(batch, FAILING)));
		assert_around(batch, failing[i].name, notes() + before);
		batch_end(loop, batch);
	}
}
END_TEST

START_TEST(what_was_done_in_part_fails_what_is_after_it_as_well)
{
	sfr_loop *loop = loop_for_batches(_i, "buffers.size=8KiB");
	int i;

	for (i = 0; i < COUNT_OF(shortened); i++) {
		sfr_batch *batch = batch_around(loop, shortened[i].build(loop), i % NOTE_WAYS);
		size_t before = strlen(notes());

		ck_assert_int_eq(sfr_batch_await(batch), 2);
		ck_assert_msg(result_of(batch, FAILING) >= 0, "%s: %s", shortened[i].name,
			      sfr_errname(result_of(batch, FAILING)));
		assert_around(batch, shortened[i].name, notes() + before);
		batch_end(loop, batch);
	}
}
END_TEST

START_TEST(what_was_done_in_full_does_not)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int file = file_with("0123456789"), i;

	sfr_batch_add(batch, sfr_read_at(loop, file, room_for(loop, 10), 0));
	sfr_batch_then(batch, 0, sfr_all(sfr_read_at(loop, file, room_for(loop, 5), 5)));
	sfr_batch_then(batch, 1, sfr_recv(loop, socket_with("abc"), room_for(loop, 3)));
	sfr_batch_then(batch, 2, sfr_all(sfr_recv(loop, socket_with("abc"), room_for(loop, 3))));
	sfr_batch_then(batch, 3, sfr_write(loop, file, sfr_buf_get(loop, 1))); /* all of nothing */
	sfr_batch_then(batch, 4, sfr_poll(loop, file, POLLIN));
	sfr_batch_then(batch, 5, note(loop, 'a'));
	ck_assert_int_eq(sfr_batch_await(batch), 0);

	for (i = 0; i < 7; i++)
		ck_assert_int_ge(result_of(batch, i), 0);
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
}
END_TEST

/* What the kernel's own links get wrong: they run what is behind a sync that failed. */
START_TEST(a_sync_that_fails_keeps_the_rename_behind_it_from_running)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	char from[] = "/tmp/safer-ring-test-XXXXXX", to[64];
	int fd = owned_fd(mkstemp(from)), write_it, sync, rename_it, i;

	snprintf(to, sizeof(to), "%s.new", from);
	for (i = 0; i < 2; i++) {
		sfr_batch *batch = batch_on(loop);
		int what = i ? fd : empty_pipe(); /* which cannot be synced */

		write_it = sfr_batch_add(batch, sfr_write(loop, fd, text_buf(loop, "new")));
		sync = sfr_batch_then(batch, write_it, sfr_fsync(loop, what));
		rename_it = sfr_batch_then(batch, sync,
					   sfr_renameat(loop, AT_FDCWD, from, AT_FDCWD, to, 0));
		ck_assert_int_eq(sfr_batch_await(batch), i ? 0 : 2);
		assert_result(batch, sync, i ? 0 : -EINVAL);
		assert_result(batch, rename_it, i ? 0 : -SFR_EDEPFAILED);
		ck_assert_int_eq(access(to, F_OK), i ? 0 : -1);
		batch_end(loop, batch);
	}
	ck_assert_int_eq(unlink(to), 0);
}
END_TEST

/* The kernel looks at all of a row before it starts any, and refuses it as a whole. */
START_TEST(what_is_wrong_at_first_sight_does_not_disturb_the_others)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int at, hard, i;

	for (hard = 0; hard < 2; hard++) {
		for (at = 0; at < 6; at++) {
			sfr_batch *batch = batch_on(loop);
			size_t before = strlen(notes());

			for (i = 0; i < 6; i++) {
				sfr_batch_add(batch, i == at ? failing_openat_at_once(loop)
							     : note(loop, (char)('a' + i)));
				if (i && hard)
					sfr_batch_after_any(batch, i, i - 1);
				else if (i)
					sfr_batch_after(batch, i, i - 1);
			}
			ck_assert_int_eq(sfr_batch_await(batch), hard ? 1 : 6 - at);
			ck_assert_int_eq(strlen(notes() + before), hard ? 5 : at);
			for (i = 0; i < 6; i++)
				assert_result(batch, i,
					      i == at          ? -ENOENT
					      : i < at || hard ? 1
							       : -SFR_EDEPFAILED);
			batch_end(loop, batch);
		}
	}
}
END_TEST

/* Nor does it fail for itself before its turn has come: that may never be. */
START_TEST(what_is_wrong_at_first_sight_fails_when_its_turn_comes)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int i;

	for (i = 0; i < 2; i++) {
		sfr_batch *batch = batch_on(loop);

		sfr_batch_add(batch, i ? failing_write(loop) : short_read(loop));
		sfr_batch_then(batch, 0, failing_openat_at_once(loop));
		sfr_batch_then(batch, 1, note(loop, 'x'));
		ck_assert_int_eq(sfr_batch_await(batch), 2 + i);

		assert_result(batch, 0, i ? -ENOSPC : 10);
		assert_result(batch, 1, -SFR_EDEPFAILED);
		assert_result(batch, 2, -SFR_EDEPFAILED);
		ck_assert_int_eq(sfr_batch_error(batch, NULL), i ? -ENOSPC : 0);
		batch_end(loop, batch);
	}
	ck_assert_str_eq(notes(), "");
}
END_TEST

START_TEST(an_error_passes_through_joins_and_diamonds)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int fine = sfr_batch_add(batch, note(loop, 'a')), bad, left, right, join, end, any;

	bad = sfr_batch_then(batch, fine, failing_fsync(loop));
	left = sfr_batch_then(batch, bad, note(loop, 'x'));
	right = sfr_batch_then(batch, fine, note(loop, 'r'));
	join = sfr_batch_then(batch, right, note(loop, 'y'));
	sfr_batch_after(batch, join, left);
	end = sfr_batch_then(batch, join, note(loop, 'z'));
	any = sfr_batch_then(batch, right, note(loop, 'e'));
	sfr_batch_after_any(batch, any, end);
	ck_assert_int_eq(sfr_batch_await(batch), 4);

	assert_result(batch, left, -SFR_EDEPFAILED);
	assert_result(batch, join, -SFR_EDEPFAILED);
	assert_result(batch, end, -SFR_EDEPFAILED);
	assert_result(batch, any, 1);
	ck_assert_str_eq(notes(), "are");
	batch_end(loop, batch);
}
END_TEST

#define PATH 20000

/* No path is too long for it. */
START_TEST(an_error_passes_along_the_longest_path)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	sfr_batch *batch = batch_on(loop);
	int i, wrong = 0, result;

	sfr_batch_add(batch, failing_fsync(loop));
	for (i = 1; i < PATH; i++)
		sfr_batch_then(batch, i - 1, sfr_nop(loop));
	sfr_batch_add(batch, note(loop, 'a'));
	sfr_batch_after_any(batch, PATH, PATH - 1);
	ck_assert_int_eq(sfr_batch_await(batch), PATH);

	for (i = 1; i < PATH; i++)
		wrong += sfr_batch_result(batch, i, &result) < 0 || result != -SFR_EDEPFAILED;
	ck_assert_int_eq(wrong, 0);
	ck_assert_str_eq(notes(), "a");
	batch_end(loop, batch);
}
END_TEST

/*
 * Memory.
 */

#define MEMBERS 60

static int source, target;

/* Of everything that may need memory: shares, names of descriptors, paths, chains of buffers, workers. */
static void batch_fill(sfr_loop *loop, sfr_batch *batch)
{
	int read, write, open, fd, i;
	sfr_buf *chain;

	read = sfr_batch_add(batch, sfr_read_at(loop, source, sfr_buf_get(loop, 10), 0));
	write = sfr_batch_then(batch, read, sfr_write_at(loop, target, NULL, 0));
	sfr_batch_then(batch, read, sfr_all(sfr_write_at(loop, target, NULL, 100)));
	open = sfr_batch_add(batch, sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDWR, 0));
	fd = sfr_batch_fd(batch, open);
	sfr_batch_then(batch, write, sfr_write(loop, fd, sfr_buf_from(loop, "abc", 3)));
	sfr_batch_add(batch, sfr_within(sfr_fsync(loop, target), HOUR));
	sfr_batch_after(batch, 5, write);
	chain = sfr_buf_append(sfr_buf_from(loop, "ab", 2), sfr_buf_from(loop, "cd", 2));
	sfr_batch_then(batch, 5, sfr_write_at(loop, target, chain, 200));
	sfr_batch_then(batch, 6, sfr_write_at(loop, target, NULL, 300));
	sfr_batch_then(batch, 7, sfr_work(loop, work_fails, NULL));
	for (i = 9; i < MEMBERS - 1; i++) {
		sfr_batch_add(batch, sfr_nop(loop));
		sfr_batch_after_any(batch, i, i / 2);
		sfr_batch_after(batch, i, 8 + i % 2 * -8);
	}
	sfr_batch_add(batch, sfr_close(loop, fd));
	for (i = 0; i < MEMBERS - 1; i++)
		sfr_batch_after_any(batch, MEMBERS - 1, i);
	(void)sfr_batch_within(batch, HOUR);
}

/* One life of a batch; how it went: 0, or -ENOMEM before anything of it was started. */
static int batch_life(sfr_loop *loop, int *results, int *members)
{
	sfr_batch *batch = sfr_batch_new(loop);
	int r = -ENOMEM, i;

	*members = 0;
	if (!batch)
		return r;
	batch_fill(loop, batch);
	r = sfr_batch_submit(batch, batch_ended, &ended);
	for (i = 0; r == 0 && i < 100000 && !ended.calls; i++)
		if (sfr_loop_step(loop, 10000000) < 0)
			r = -EIO;
	for (i = 0; r == 0 && i < MEMBERS; i++)
		*members += sfr_batch_result(batch, i, &results[i]) == 0;
	if (r == 0 && ended.calls != 1)
		r = -EIO;
	if (r == 0 && results[3] >= 0 && results[MEMBERS - 1] != 0)
		close(results[3]); /* asked for, and so ours */
	sfr_batch_free(batch);
	return r;
}

START_TEST(each_allocation_may_fail_and_each_op_ends_once)
{
	sfr_loop *loop = loop_for_batches(_i, NULL);
	int results[MEMBERS], members, r, i, descriptors;
	long n = 0, made;

	source = file_with("0123456789");
	target = empty_file();
	ended = (struct ended){0};
	ck_assert_int_eq(batch_life(loop, results, &members), 0); /* workers are there */
	descriptors = open_descriptors();
	do {
		ended = (struct ended){0};
		allocations_watch(++n);
		r = batch_life(loop, results, &members);
		made = allocations_end();
		ck_assert_msg(r == 0 || r == -ENOMEM, "allocation %ld: %s", n, sfr_errname(r));
		ck_assert_int_eq(ended.calls, r == 0);
		ck_assert_int_eq(members, r == 0 ? MEMBERS : 0);
		for (i = 0; i < members; i++)
			ck_assert_msg(results[i] >= 0 || results[i] == -ENOMEM ||
					      results[i] == -SFR_EDEPFAILED ||
					      results[i] == -SFR_EPOOLEMPTY ||
					      results[i] == -ENOTTY,
				      "allocation %ld: op %d: %s", n, i, sfr_errname(results[i]));
		ck_assert_msg(stat_held(loop) == 0, "allocation %ld: a buffer is lost", n);
		ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
		ck_assert_msg(open_descriptors() == descriptors, "allocation %ld: descriptors", n);
	} while (made >= n);
	ck_assert_int_eq(r, 0);
	ck_assert_int_gt(n, 8);
	ck_assert_int_eq(results[8], -ENOTTY);
	ck_assert_int_eq(results[7], 4);
	ck_assert_int_eq(results[MEMBERS - 1], 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch failure");
	TCase *tc = world_case(suite, "failing");

	signal(SIGPIPE, SIG_IGN);
	world_test(tc, each_kind_that_can_fail_in_a_batch_is_among_the_failing);
	world_test(tc, a_failure_fails_what_is_after_it_and_nothing_else);
	world_test(tc, what_was_done_in_part_fails_what_is_after_it_as_well);
	world_test(tc, what_was_done_in_full_does_not);
	world_test(tc, a_sync_that_fails_keeps_the_rename_behind_it_from_running);
	world_test(tc, what_is_wrong_at_first_sight_does_not_disturb_the_others);
	world_test(tc, what_is_wrong_at_first_sight_fails_when_its_turn_comes);
	world_test(tc, an_error_passes_through_joins_and_diamonds);
	world_test(tc, an_error_passes_along_the_longest_path);
	tc = world_case(suite, "memory");
	world_test(tc, each_allocation_may_fail_and_each_op_ends_once);
	return world_run(suite);
}

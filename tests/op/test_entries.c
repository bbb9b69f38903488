/* SPDX-License-Identifier: MIT */
/*
 * Entries: what reaches the engine is what an op asks for, and nothing of what was there before.
 *
 * The place of an op and that of an entry are used again and again, and helpers of liburing set what they
 * have a use for and leave the rest as it was. So here every place that is free is full of ones, and each
 * entry is looked at before the engine has it. The library's part of this program is built with helpers that
 * clear nothing, whichever liburing is installed: see bare/meson.build.
 */
#include "loop/loop.h"
#include "machine/kernel.h"
#include "op/kind.h"
#include "pending.h"
#include "quick.h"
#include "sqe/language.h"
#include <safer_ring/batch.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What an entry may have besides opcode, fd, off, addr, len and user_data; of opcodes without a row, nothing. */
enum {
	PRIO = 1,
	FLAGS = 2,
	SELECT = 4,
	BUFFER = 8,
	FILE_INDEX = 16,
	ADDR3 = 32,
	URING = 64 /* only io_uring has it: on other engines the op does something else */
};

static const struct {
	uint8_t opcode, may;
} rules[] = {
	{IORING_OP_READ_FIXED, BUFFER},
	{IORING_OP_WRITE_FIXED, BUFFER},
	{IORING_OP_RECV, PRIO | FLAGS | SELECT},
	{IORING_OP_RECVMSG, PRIO | FLAGS | SELECT},
	{SFR__OP_CODE_READ_MULTI, SELECT | URING},
	{IORING_OP_SEND, FLAGS},
	{IORING_OP_SENDMSG, FLAGS},
	{IORING_OP_SEND_ZC, FLAGS | URING},
	{IORING_OP_SENDMSG_ZC, FLAGS | URING},
	{IORING_OP_ACCEPT, PRIO | FLAGS | FILE_INDEX | ADDR3},
	{IORING_OP_POLL_ADD, FLAGS},
	{IORING_OP_CLOSE, FILE_INDEX},
	{IORING_OP_SOCKET, FLAGS | FILE_INDEX | ADDR3},
	{IORING_OP_OPENAT, FLAGS | FILE_INDEX | ADDR3},
	{IORING_OP_STATX, FLAGS},
	{IORING_OP_FSYNC, FLAGS},
	{IORING_OP_UNLINKAT, FLAGS},
	{IORING_OP_RENAMEAT, FLAGS},
	{IORING_OP_LINKAT, FLAGS},
	{IORING_OP_SPLICE, FLAGS | FILE_INDEX}, /* where fd_in is */
	{SFR__OP_CODE_WAITID, FLAGS | FILE_INDEX | URING},
};

static const struct sfr__engine_calls *real;
static struct sfr__engine_calls spied;
static const char *about;
static int looked_at;

static unsigned rule_of(unsigned opcode)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].opcode == opcode)
			return rules[i].may;
	return 0;
}

/* A field that may be set is not full of ones; one that may not is zero. */
static void assert_field(unsigned may, const char *name, uint64_t value, uint64_t ones)
{
	ck_assert_msg(may ? value != ones : value == 0, "%s: %s is %#llx", about, name,
		      (unsigned long long)value);
}

static void assert_clean(const struct sfr__engine *engine, const struct io_uring_sqe *sqe)
{
	unsigned may = rule_of(sqe->opcode);
	unsigned flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK |
			 (may & SELECT ? IOSQE_BUFFER_SELECT : 0);

	ck_assert_msg(may & URING || sfr__language_ops() >> sqe->opcode & 1,
		      "%s: no engine but io_uring knows opcode %u", about, sqe->opcode);
	ck_assert_msg(engine->ops >> sqe->opcode & 1, "%s: the engine has no opcode %u", about,
		      sqe->opcode);
	ck_assert_msg(!(sqe->flags & ~flags), "%s: its flags are %#x", about, sqe->flags);
	assert_field(may & PRIO, "ioprio", sqe->ioprio, UINT16_MAX);
	assert_field(may & FLAGS, "rw_flags", (uint32_t)sqe->rw_flags, UINT32_MAX);
	assert_field(may & (SELECT | BUFFER), "buf_index", sqe->buf_index, UINT16_MAX);
	assert_field(0, "personality", sqe->personality, 0);
	assert_field(may & FILE_INDEX, "file_index", sqe->file_index, UINT32_MAX);
	assert_field(may & ADDR3, "addr3", sqe->addr3, UINT64_MAX);
	assert_field(0, "the last word", sqe->__pad2[0], 0);
	ck_assert_msg(sqe->user_data != UINT64_MAX, "%s: nobody is told of it", about);
	looked_at++;
}

/* The places of entries that nobody has written, and the engine is done with. */
static void queue_spoil(struct sfr__queue *queue)
{
	uint32_t at;

	for (at = queue->sq_tail; at != queue->sq_head + queue->sq_entries; at++)
		memset(&queue->sqes[at & queue->sq_mask], 0xff, sizeof(struct io_uring_sqe));
}

static int enter_spied(struct sfr__engine *engine, bool wait, int64_t timeout_ns)
{
	struct sfr__queue *queue = &engine->queue;
	uint32_t at;
	int r;

	for (at = queue->sq_head; at != queue->sq_tail; at++)
		assert_clean(engine, &queue->sqes[at & queue->sq_mask]);
	r = real->enter(engine, wait, timeout_ns);
	queue_spoil(queue);
	return r;
}

/* The places of ops that are free, and some more that will be used. */
static void ops_spoil(sfr_loop *loop)
{
	sfr_op *ops[4], *op;
	int i;

	for (i = 0; i < 4; i++)
		ops[i] = sfr_nop(loop);
	while (i)
		sfr_op_discard(ops[--i]);
	for (op = loop->ops.free; op; op = (sfr_op *)(void *)op->hook.next)
		memset(&op->sqe, 0xff, sizeof(op->sqe));
}

static sfr_loop *loop_spied(int world, const char *more)
{
	sfr_loop *loop = loop_in(world, more);

	real = loop->engine->calls;
	spied = *real;
	spied.enter = enter_spied;
	loop->engine->calls = &spied;
	queue_spoil(&loop->engine->queue);
	looked_at = 0;
	return loop;
}

static sfr_ticket submit_spoiled(sfr_loop *loop, const char *name, sfr_op *(*build)(sfr_loop *loop))
{
	sfr_op *op;

	about = name;
	ops_spoil(loop);
	op = build(loop);
	ops_spoil(loop);
	return sfr_submit(op, record, &seen);
}

START_TEST(what_waits_and_is_cancelled_has_clean_entries)
{
	sfr_loop *loop = loop_spied(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_ticket ticket = submit_spoiled(loop, pending_kinds[i].name,
						   pending_kinds[i].build);

		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		(void)sfr_cancel(loop, ticket);
		while (sfr_loop_inflight(loop))
			ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
		ck_assert_msg(seen.result == -ECANCELED, "%s: %s", about, sfr_errname(seen.result));
	}
	ck_assert_int_gt(looked_at, pending_count);
}
END_TEST

START_TEST(what_ends_by_itself_has_clean_entries)
{
	sfr_loop *loop = loop_spied(_i, NULL);
	int i;

	quick_dir_make();
	for (i = 0; i < quick_count; i++) {
		submit_spoiled(loop, quick_kinds[i].name, quick_kinds[i].build);
		while (sfr_loop_inflight(loop))
			ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
		ck_assert_msg(seen.result >= 0, "%s: %s", about, sfr_errname(seen.result));
		if (quick_kinds[i].wins_fd)
			ck_assert_int_eq(close(seen.result), 0);
	}
	quick_dir_remove();
	ck_assert_int_gt(looked_at, 0);
}
END_TEST

/*
 * Ops that ask for one thing after the other.
 */

static int near, far;

static sfr_op *recv_near(sfr_loop *loop)
{
	return sfr_recv_multi(loop, near);
}

static sfr_op *read_near(sfr_loop *loop)
{
	return sfr_read_multi(loop, near);
}

static sfr_op *recvfrom_near(sfr_loop *loop)
{
	return sfr_recvfrom_multi(loop, near);
}

static void deliver_thrice(sfr_loop *loop, const char *name, sfr_op *(*build)(sfr_loop *loop))
{
	sfr_ticket ticket = submit_spoiled(loop, name, build);
	int calls;

	for (calls = 1; calls <= 3; calls++) {
		ck_assert_int_eq(write(far, "abc", 3), 3);
		turn_until(loop, &seen.calls, calls);
		ck_assert_msg(seen.result == 3, "%s: %s", about, sfr_errname(seen.result));
		ops_spoil(loop);
	}
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, -ECANCELED);
	seen_release(&seen);
	seen = (struct seen){0};
}

START_TEST(what_goes_on_after_each_arrival_has_clean_entries)
{
	sfr_loop *loop = loop_spied(_i, NULL);
	int ends[2];

	pair_of_sockets(&near, &far);
	deliver_thrice(loop, "recv_multi", recv_near);
	pair_of_pipe_ends(&near, &far);
	deliver_thrice(loop, "read_multi", read_near);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	near = owned_fd(ends[0]);
	far = owned_fd(ends[1]);
	deliver_thrice(loop, "recvfrom_multi", recvfrom_near);
}
END_TEST

static void keep_result(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	*(int *)arg = result;
	sfr_buf_release(buf);
}

/* Of a buffer that a batch hands from one op to the next, and of a chain of buffers. */
START_TEST(what_a_batch_fills_in_late_has_clean_entries)
{
	sfr_loop *loop = loop_spied(_i, NULL);
	int from, to, file = empty_file(), read, r = -1;
	sfr_batch *batch = sfr_batch_new(loop);

	about = "read, and the write that inherits";
	pair_of_pipe_ends(&from, &to);
	ck_assert_int_eq(write(to, "abc", 3), 3);
	ops_spoil(loop);
	read = sfr_batch_add(batch, sfr_read(loop, from, sfr_buf_get(loop, 16)));
	sfr_batch_then(batch, read, sfr_all(sfr_write_at(loop, file, NULL, 0)));
	ops_spoil(loop);
	ck_assert_int_eq(sfr_batch_await(batch), 0);
	sfr_batch_free(batch);

	about = "a chain of buffers";
	ops_spoil(loop);
	sfr_submit(sfr_write_at(
			   loop, file,
			   sfr_buf_append(sfr_buf_from(loop, "de", 2), sfr_buf_from(loop, "f", 1)),
			   3),
		   keep_result, &r);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(r, 3);
}
END_TEST

/*
 * The two places themselves.
 */

START_TEST(an_op_is_blank_whatever_its_place_held)
{
	static const struct io_uring_sqe blank;
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_op *op;

	ops_spoil(loop);
	op = sfr__op_take(&loop->ops, false);
	op->loop = loop;
	op->kind = SFR__OP_NOP;

	ck_assert_int_eq(memcmp(&op->sqe, &blank, sizeof(blank)), 0);
	sfr_op_discard(op);
}
END_TEST

START_TEST(an_entry_is_blank_whatever_its_place_held)
{
	static const struct io_uring_sqe blank;
	sfr_loop *loop = loop_in(_i, NULL);
	struct sfr__queue *queue = &loop->engine->queue;

	queue_spoil(queue);

	ck_assert_int_eq(memcmp(sfr__queue_sqe(queue), &blank, sizeof(blank)), 0);
	queue->sq_tail--;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("entries");
	TCase *tc = world_case(suite, "what the engine gets");

	world_test(tc, what_waits_and_is_cancelled_has_clean_entries);
	world_test(tc, what_ends_by_itself_has_clean_entries);
	world_test(tc, what_goes_on_after_each_arrival_has_clean_entries);
	world_test(tc, what_a_batch_fills_in_late_has_clean_entries);
	tc = world_case(suite, "places");
	world_test(tc, an_op_is_blank_whatever_its_place_held);
	world_test(tc, an_entry_is_blank_whatever_its_place_held);
	return world_run(suite);
}

/* SPDX-License-Identifier: MIT */
/*
 * Notes are bytes in a pipe, written by the ops themselves: so their order is the order in which
 * the ops ran, whatever the order of the callbacks.
 */
#include "batches.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int notes_reader, notes_writer;
static char noted[4096];
static size_t noted_size;

struct ended ended;

sfr_loop *loop_for_batches(int world, const char *more)
{
	pair_of_pipe_ends(&notes_reader, &notes_writer);
	ck_assert_int_eq(fcntl(notes_reader, F_SETFL, O_NONBLOCK), 0);
	noted_size = 0;
	ended = (struct ended){0};
	return loop_in(world, more);
}

sfr_batch *batch_on(sfr_loop *loop)
{
	sfr_batch *batch = sfr_batch_new(loop);

	ck_assert_ptr_nonnull(batch);
	return batch;
}

static int note_on_a_worker(void *arg)
{
	return write(notes_writer, arg, 1) == 1 ? 0 : -errno;
}

static sfr_op *note_by_worker(sfr_loop *loop, char letter)
{
	static char letters[256];

	letters[(unsigned char)letter] = letter;
	return sfr_work(loop, note_on_a_worker, &letters[(unsigned char)letter]);
}

/* Under Valgrind no worker runs while a loop sleeps in the ring. */
sfr_op *note_as(sfr_loop *loop, char letter, int how)
{
	sfr_op *op;

	if (how == 1 && !under_valgrind())
		return note_by_worker(loop, letter);
	op = sfr_write(loop, notes_writer, sfr_buf_from(loop, &letter, 1));
	return how == 2 ? sfr_all(op) : op;
}

sfr_op *note(sfr_loop *loop, char letter)
{
	return note_as(loop, letter, 0);
}

const char *notes(void)
{
	ssize_t n = read(notes_reader, noted + noted_size, sizeof(noted) - 1 - noted_size);

	noted_size += n > 0 ? (size_t)n : 0;
	noted[noted_size] = '\0';
	return noted;
}

struct gate gate_make(void)
{
	struct gate gate;

	pair_of_pipe_ends(&gate.reader, &gate.writer);
	return gate;
}

sfr_op *gate_wait(sfr_loop *loop, const struct gate *gate)
{
	return sfr_read(loop, gate->reader, room_for(loop, 1));
}

void gate_open(const struct gate *gate)
{
	ck_assert_int_eq(write(gate->writer, "!", 1), 1);
}

sfr_buf *room_for(sfr_loop *loop, uint32_t size)
{
	sfr_buf *buf = sfr_buf_get(loop, size);

	ck_assert_ptr_nonnull(buf);
	buf->cap = size;
	return buf;
}

sfr_buf *text_buf(sfr_loop *loop, const char *text)
{
	return sfr_buf_from(loop, text, strlen(text));
}

void assert_file(int fd, const char *text)
{
	char bytes[256] = "";

	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes) - 1, 0), (int)strlen(text));
	ck_assert_str_eq(bytes, text);
}

void assert_text(const sfr_buf *buf, const char *text)
{
	ck_assert_ptr_nonnull(buf);
	ck_assert_uint_eq(buf->len, strlen(text));
	ck_assert_mem_eq(buf->data, text, buf->len);
}

int result_of(const sfr_batch *batch, int op)
{
	int result = 12345, r = sfr_batch_result(batch, op, &result);

	ck_assert_msg(r == 0, "op %d: %s", op, sfr_errname(r));
	return result;
}

bool has_ended(const sfr_batch *batch, int op)
{
	int result, r = sfr_batch_result(batch, op, &result);

	ck_assert(r == 0 || r == -SFR_EPENDING);
	return r == 0;
}

struct member {
	const sfr_batch *batch;
	int op;
};

static bool member_has_ended(void *arg)
{
	const struct member *member = arg;

	return has_ended(member->batch, member->op);
}

void turns_until_ended(sfr_loop *loop, const sfr_batch *batch, int op)
{
	struct member member = {batch, op};

	turn_until_true(loop, member_has_ended, &member);
}

void batch_ended(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	struct ended *what = arg;

	(void)loop;
	what->calls++;
	what->batch = batch;
}

void batch_run(sfr_loop *loop, sfr_batch *batch)
{
	struct ended done = {0};

	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, &done), 0);
	turn_until(loop, &done.calls, 1);
	ck_assert_ptr_eq(done.batch, batch);
}

void batch_end(sfr_loop *loop, sfr_batch *batch)
{
	sfr_batch_free(batch);
	ck_assert_uint_eq(stat_held(loop), 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
}

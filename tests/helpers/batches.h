/* SPDX-License-Identifier: MIT */
/*
 * What the suites about batches have in common: notes of what ran in which order, ops that wait until the
 * test lets them, and questions to a batch.
 */
#ifndef SFR_TESTS_BATCHES_H
#define SFR_TESTS_BATCHES_H

#include "pending.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* A loop in a world, no notes, and no batch that ended. */
sfr_loop *loop_for_batches(int world, const char *more);

sfr_batch *batch_on(sfr_loop *loop);

/*
 * Notes: letters in a pipe.
 */

/* An op that notes a letter: `how` says in which of several ways, some of which engines can link. */
sfr_op *note(sfr_loop *loop, char letter);
sfr_op *note_as(sfr_loop *loop, char letter, int how);
enum { NOTE_WAYS = 3 };

/* All that was noted so far, in order. */
const char *notes(void);

/*
 * Gates: a read of a byte that comes when the test opens the gate.
 */

struct gate {
	int reader, writer;
};

struct gate gate_make(void);
sfr_op *gate_wait(sfr_loop *loop, const struct gate *gate);
void gate_open(const struct gate *gate);

/*
 * Buffers and files.
 */

/* A buffer with room for exactly so many bytes. */
sfr_buf *room_for(sfr_loop *loop, uint32_t size);
sfr_buf *text_buf(sfr_loop *loop, const char *text);
void assert_file(int fd, const char *text);
void assert_text(const sfr_buf *buf, const char *text);

/*
 * Batches.
 */

/* How an op of it ended, which it did. */
int result_of(const sfr_batch *batch, int op);

#define assert_result(batch, op, expected)                                           \
	do {                                                                         \
		int got_ = result_of(batch, op), expected_ = (expected);             \
		ck_assert_msg(got_ == expected_, #op ": %d (%s), not %d (%s)", got_, \
			      got_ < 0 ? sfr_errname(got_) : "no error", expected_,  \
			      expected_ < 0 ? sfr_errname(expected_) : "no error");  \
	} while (0)

bool has_ended(const sfr_batch *batch, int op);
void turns_until_ended(sfr_loop *loop, const sfr_batch *batch, int op);

/* What its callback was told. */
struct ended {
	int calls;
	sfr_batch *batch;
};

extern struct ended ended; /* for the batch of a test; at first all 0 */

void batch_ended(sfr_loop *loop, sfr_batch *batch, void *arg);

/* Submit it, and take turns until it is done. */
void batch_run(sfr_loop *loop, sfr_batch *batch);

/* What is left when a batch is freed: nothing. */
void batch_end(sfr_loop *loop, sfr_batch *batch);

#endif

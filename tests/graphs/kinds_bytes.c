/* SPDX-License-Identifier: MIT */
#include "kinds.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * Reads.
 */

static bool read_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	m->content = OF_SOURCE;
	descriptor_choose(trial, n, WINS_SOURCE, trial->files->source, trial->files->source_name);
	outcome(trial, n, source_choose(trial, m, room_of(m)), (int)room_of(m));
	return true;
}

static sfr_op *read_at_build(struct trial *trial, int n, sfr_buf *buf)
{
	return sfr_read_at(trial->files->loop, descriptor(trial, n), buf, trial->members[n].offset);
}

static bool bad_read_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	m->fd = choice(2) ? trial->files->writeonly : NO_SUCH_FD;
	outcome(trial, n, -EBADF, (int)room_of(m));
	return true;
}

static sfr_op *read_build(struct trial *trial, int n, sfr_buf *buf)
{
	return sfr_read(trial->files->loop, descriptor(trial, n), buf);
}

/* A look at what another member writes: it tells in which order they ran. */
static bool look_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	if (n == 0)
		return false;
	m->looks_at = (int)choice((uint32_t)n);
	m->offset = place_of(trial, m->looks_at);
	descriptor_choose(trial, n, WINS_OUT, trial->files->out, trial->files->out_name);
	outcome(trial, n, (int)room_of(m), (int)room_of(m));
	return true;
}

static bool endless_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	must(pipe2(m->ends, O_CLOEXEC) == 0, "a pipe");
	m->fd = m->ends[0];
	m->within = false;
	outcome(trial, n, INT32_MIN, 1);
	return true;
}

/* One that nothing comes for, with a deadline of its own. */
static bool late_choose(struct trial *trial, int n)
{
	endless_choose(trial, n);
	outcome(trial, n, -ETIMEDOUT, 1);
	return true;
}

static sfr_op *late_build(struct trial *trial, int n, sfr_buf *buf)
{
	return sfr_within(read_build(trial, n, buf), 300000);
}

/*
 * Writes.
 */

/* How much of a member's bytes is there: all of them, or none. */
static bool is_written(const struct trial *trial, int n, uint32_t size)
{
	unsigned char bytes[BLOCK];
	uint32_t right = 0, zero = 0, i;

	must(pread(trial->files->out, bytes, BLOCK, (off_t)place_of(trial, n)) == BLOCK,
	     "the file is that long");
	for (i = 0; i < size; i++) {
		right += bytes[i] == member_byte(trial, n, i);
		zero += !bytes[i];
	}
	for (; i < BLOCK; i++)
		must(!bytes[i], "%d wrote more than its %u bytes", n, size);
	must(right == size || zero == size, "%d: %u bytes of %u are right, %u are not there", n,
	     right, size, zero);
	return size && right == size;
}

static bool write_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	m->offset = place_of(trial, n);
	descriptor_choose(trial, n, WINS_OUT, trial->files->out, trial->files->out_name);
	outcome(trial, n, (int)m->len, (int)m->len);
	return true;
}

static sfr_op *write_at_build(struct trial *trial, int n, sfr_buf *buf)
{
	return sfr_write_at(trial->files->loop, descriptor(trial, n), buf,
			    trial->members[n].offset);
}

static void write_check(struct trial *trial, int n, bool done)
{
	uint32_t size = done ? (uint32_t)trial->actual[n] : trial->members[n].len;
	bool written = is_written(trial, n, size);

	must(written == (done && size), "%d: what it wrote is %sthere", n, written ? "" : "not ");
}

static bool bad_write_choose(struct trial *trial, int n)
{
	member_of(trial, n)->fd = trial->files->readonly;
	outcome(trial, n, -EBADF, (int)member_of(trial, n)->len);
	return true;
}

/* Files may be so long and no longer. */
static bool short_write_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);
	uint32_t left = choice(m->len + 3);

	m->offset = FILE_LIMIT - left;
	m->fd = trial->files->edge;
	outcome(trial, n, !left ? -EFBIG : left < m->len ? (int)left : (int)m->len, (int)m->len);
	return true;
}

static bool log_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	if (room_of(m) < sizeof(struct record))
		return false;
	m->fd = trial->files->logs[trial->lane];
	m->content = ITS_RECORD;
	m->len = sizeof(struct record);
	outcome(trial, n, (int)m->len, (int)m->len);
	return true;
}

static sfr_op *write_build(struct trial *trial, int n, sfr_buf *buf)
{
	return sfr_write(trial->files->loop, descriptor(trial, n), buf);
}

static sfr_op *gather_build(struct trial *trial, int n, sfr_buf *buf)
{
	struct member *m = member_of(trial, n);
	uint32_t head = buf->len / 2;
	sfr_buf *tail = sfr_buf_from(trial->files->loop, buf->data + head, buf->len - head);

	must(tail != NULL, "there are buffers");
	buf->len = head;
	return sfr_write_at(trial->files->loop, descriptor(trial, n), sfr_buf_append(buf, tail),
			    m->offset);
}

static bool window_choose_bad(struct trial *trial, int n)
{
	member_of(trial, n)->fd = trial->files->out;
	outcome(trial, n, -EINVAL, -1);
	return true;
}

static sfr_op *window_build(struct trial *trial, int n, sfr_buf *buf)
{
	buf->len = buf->cap + 1;
	return write_at_build(trial, n, buf);
}

static bool bufferless_choose(struct trial *trial, int n)
{
	member_of(trial, n)->fd = (n & 1) ? trial->files->source : trial->files->out;
	outcome(trial, n, -SFR_EPOOLEMPTY, 1);
	return true;
}

static sfr_op *bufferless_build(struct trial *trial, int n, sfr_buf *buf)
{
	return (n & 1) ? read_at_build(trial, n, buf) : write_at_build(trial, n, buf);
}

const struct kind kinds_of_bytes[] = {
	{"read", CARRIES | FILLS | INHERITS | GIVES | ALL | LINKS, 12, read_choose, read_at_build,
	 NULL},
	{"failing read", CARRIES | FILLS | INHERITS | FAILS | LINKS, 2, bad_read_choose, read_build,
	 NULL},
	{"look", CARRIES | FILLS | ALL | LINKS, 8, look_choose, read_at_build, NULL},
	{"endless read", CARRIES | FILLS | ENDLESS | LINKS, 3, endless_choose, read_build, NULL},
	{"late read", CARRIES | FILLS | FAILS, 2, late_choose, late_build, NULL},
	{"write", CARRIES | INHERITS | GIVES | ALL | WRITES | LINKS, 16, write_choose,
	 write_at_build, write_check},
	{"failing write", CARRIES | INHERITS | FAILS | LINKS, 2, bad_write_choose, write_at_build,
	 NULL},
	{"short write", CARRIES | GIVES | ALL | FAILS | LINKS, 3, short_write_choose,
	 write_at_build, NULL},
	{"gathered write", CARRIES | ALL | WRITES | LINKS, 2, write_choose, gather_build,
	 write_check},
	{"write to the log", CARRIES | LINKS, 8, log_choose, write_build, NULL},
	{"write of a bad window", CARRIES | FAILS | BUILT_WRONG, 1, window_choose_bad, window_build,
	 NULL},
	{"one without a buffer", FAILS | BUILT_WRONG, 1, bufferless_choose, bufferless_build, NULL},
	{0},
};

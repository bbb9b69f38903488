/* SPDX-License-Identifier: MIT */
/*
 * Tables: three arrays that grow by the calls of the seam, and what a request finds in them when it
 * starts.
 *
 * A place owns its descriptor. What a place held before is dropped when it gets another, after the
 * new one is in place.
 */
#include "engine/interpreter/tables.h"
#include "machine/kernel.h"
#include "sqe/language.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sfr__buf_group *sfr__tables_group(struct sfr__interpreter *interpreter, unsigned number)
{
	unsigned i;

	for (i = 0; i < interpreter->groups_count; i++)
		if (interpreter->groups[i].number == number)
			return &interpreter->groups[i];
	return NULL;
}

/* The file at an index, or -EBADF. */
static int fixed_file(const struct sfr__interpreter *interpreter, unsigned index)
{
	if (index >= interpreter->files_count || interpreter->files[index] < 0)
		return -EBADF;
	return interpreter->files[index];
}

static int files_resolve(const struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	if (flight->request.sqe.flags & IOSQE_FIXED_FILE) {
		flight->request.fd = fixed_file(interpreter, (unsigned)flight->request.sqe.fd);
		flight->request.sqe.fd = -1;
		if (flight->request.fd < 0)
			return flight->request.fd;
	}
	if (flight->request.sqe.opcode != IORING_OP_SPLICE ||
	    !(flight->request.sqe.splice_flags & SPLICE_F_FD_IN_FIXED))
		return 0;
	flight->request.fd_in = fixed_file(interpreter, (unsigned)flight->request.sqe.splice_fd_in);
	return flight->request.fd_in < 0 ? flight->request.fd_in : 0;
}

/* Whether its bytes are inside the registered buffer that it names. */
static int fixed_buffer(const struct sfr__interpreter *interpreter,
			const struct sfr__flight *flight)
{
	uint64_t at = flight->request.sqe.addr, len = flight->request.sqe.len, base;
	const struct iovec *buffer;

	if (flight->request.sqe.buf_index >= interpreter->buffers_count)
		return -EFAULT;
	buffer = &interpreter->buffers[flight->request.sqe.buf_index];
	base = (uint64_t)(uintptr_t)buffer->iov_base;
	return at >= base && at - base <= buffer->iov_len && len <= buffer->iov_len - (at - base)
		       ? 0
		       : -EFAULT;
}

static bool uses_fixed_buffer(const struct sfr__flight *flight)
{
	return flight->request.sqe.opcode == IORING_OP_READ_FIXED ||
	       flight->request.sqe.opcode == IORING_OP_WRITE_FIXED;
}

int sfr__tables_resolve(const struct sfr__interpreter *interpreter, struct sfr__flight *flight)
{
	int r = files_resolve(interpreter, flight);

	if (r == 0 && uses_fixed_buffer(flight))
		r = fixed_buffer(interpreter, flight);
	if (sfr__request_fills_place(&flight->request))
		sfr__request_close_on_exec(
			&flight->request); /* no program finds what only a place names */
	flight->request.at = (unsigned char *)(uintptr_t)flight->request.sqe.addr;
	flight->request.len = flight->request.sqe.len;
	return r;
}

/*
 * The calls of the seam.
 */

static struct sfr__interpreter *interpreter_of(struct sfr__engine *engine)
{
	return sfr__container(engine, struct sfr__interpreter, engine);
}

int sfr__interpreter_buf_ring_add(struct sfr__engine *engine, void *ring, unsigned entries,
				  unsigned group, unsigned flags)
{
	struct sfr__interpreter *interpreter = interpreter_of(engine);
	size_t count = interpreter->groups_count;
	struct sfr__buf_group *groups;

	if (!entries || entries > 32768 || entries & (entries - 1) || flags & ~SFR__PBUF_RING_INC)
		return -EINVAL;
	if (sfr__tables_group(interpreter, group))
		return -EEXIST;
	groups = realloc(interpreter->groups, (count + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	interpreter->groups = groups;
	groups[interpreter->groups_count++] = (struct sfr__buf_group){
		.ring = ring,
		.entries = entries,
		.number = (uint16_t)group,
		.incremental = flags & SFR__PBUF_RING_INC};
	return 0;
}

static int place_check(const struct sfr__interpreter *interpreter, unsigned place)
{
	return !interpreter->files ? -ENXIO : place >= interpreter->files_count ? -EINVAL : 0;
}

/* The table has this descriptor from now on; -1: none. */
static void place_put(struct sfr__interpreter *interpreter, unsigned place, int fd)
{
	int before = interpreter->files[place];

	interpreter->files[place] = fd;
	if (before >= 0)
		interpreter->calls->drop(interpreter, before);
}

int sfr__tables_win(struct sfr__interpreter *interpreter, const struct sfr__flight *flight, int fd)
{
	unsigned place = flight->request.sqe.file_index - 1;
	int r = place_check(interpreter, place);

	if (r == 0)
		place_put(interpreter, place, fd);
	else
		interpreter->calls->drop(interpreter, fd);
	return r;
}

int sfr__tables_close(struct sfr__interpreter *interpreter, unsigned place)
{
	int r = place_check(interpreter, place);

	if (r == 0 && interpreter->files[place] < 0)
		r = -EBADF;
	if (r == 0)
		place_put(interpreter, place, -1);
	return r;
}

/* A place gets a descriptor of its own. 0 or -errno, and it stays as it was. */
static int place_keep(struct sfr__interpreter *interpreter, unsigned place, int fd)
{
	if (fd != -1)
		fd = interpreter->calls->keep(interpreter, fd);
	if (fd < -1)
		return fd;
	place_put(interpreter, place, fd);
	return 0;
}

static void files_free(struct sfr__interpreter *interpreter)
{
	unsigned i;

	for (i = 0; i < interpreter->files_count; i++)
		place_put(interpreter, i, -1);
	free(interpreter->files);
	interpreter->files = NULL;
	interpreter->files_count = 0;
}

int sfr__interpreter_files_add(struct sfr__engine *engine, const int *fds, unsigned count)
{
	struct sfr__interpreter *interpreter = interpreter_of(engine);
	unsigned i;
	int r = 0;

	if (interpreter->files)
		return -EBUSY;
	if (!count)
		return -EINVAL;
	interpreter->files = malloc(count * sizeof(*fds));
	if (!interpreter->files)
		return -ENOMEM;
	interpreter->files_count = count;
	for (i = 0; i < count; i++)
		interpreter->files[i] = -1;
	for (i = 0; r == 0 && i < count; i++)
		r = place_keep(interpreter, i, fds[i]);
	if (r < 0)
		files_free(interpreter);
	return r;
}

int sfr__interpreter_files_update(struct sfr__engine *engine, unsigned place, int fd)
{
	struct sfr__interpreter *interpreter = interpreter_of(engine);
	int r = place_check(interpreter, place);

	return r == 0 ? place_keep(interpreter, place, fd) : r;
}

int sfr__interpreter_files_remove(struct sfr__engine *engine)
{
	struct sfr__interpreter *interpreter = interpreter_of(engine);

	if (!interpreter->files)
		return -ENXIO;
	files_free(interpreter);
	return 0;
}

int sfr__interpreter_buffers_add(struct sfr__engine *engine, const struct iovec *buffers,
				 unsigned count)
{
	struct sfr__interpreter *interpreter = interpreter_of(engine);

	if (interpreter->buffers)
		return -EBUSY;
	interpreter->buffers = malloc(count * sizeof(*buffers));
	if (!interpreter->buffers)
		return -ENOMEM;
	memcpy(interpreter->buffers, buffers, count * sizeof(*buffers));
	interpreter->buffers_count = count;
	return 0;
}

int sfr__interpreter_buffers_update(struct sfr__engine *engine, unsigned place,
				    const struct iovec *buffer)
{
	struct sfr__interpreter *interpreter = interpreter_of(engine);

	if (!interpreter->buffers)
		return -ENXIO;
	if (place >= interpreter->buffers_count)
		return -EINVAL;
	interpreter->buffers[place] = *buffer;
	return 0;
}

void sfr__tables_free(struct sfr__interpreter *interpreter)
{
	files_free(interpreter);
	free(interpreter->groups);
	free(interpreter->buffers);
}

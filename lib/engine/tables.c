#include "tables.h"
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

static int fixed_file(const struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	unsigned index = (unsigned)request->sqe.fd;

	if (index >= interpreter->files_count || interpreter->files[index] < 0)
		return -EBADF;
	request->fd = interpreter->files[index];
	request->number = -1;
	return 0;
}

/* Whether its bytes are inside the registered buffer that it names. */
static int fixed_buffer(const struct sfr__interpreter *interpreter,
			const struct sfr__request *request)
{
	uint64_t at = request->sqe.addr, len = request->sqe.len, base;
	const struct iovec *buffer;

	if (request->sqe.buf_index >= interpreter->buffers_count)
		return -EFAULT;
	buffer = &interpreter->buffers[request->sqe.buf_index];
	base = (uint64_t)(uintptr_t)buffer->iov_base;
	return at >= base && at - base <= buffer->iov_len && len <= buffer->iov_len - (at - base)
		       ? 0
		       : -EFAULT;
}

static bool uses_fixed_buffer(const struct sfr__request *request)
{
	return request->sqe.opcode == IORING_OP_READ_FIXED ||
	       request->sqe.opcode == IORING_OP_WRITE_FIXED;
}

int sfr__tables_resolve(const struct sfr__interpreter *interpreter, struct sfr__request *request)
{
	int r = request->sqe.flags & IOSQE_FIXED_FILE ? fixed_file(interpreter, request) : 0;

	if (r == 0 && uses_fixed_buffer(request))
		r = fixed_buffer(interpreter, request);
	request->at = (unsigned char *)(uintptr_t)request->sqe.addr;
	request->len = request->sqe.len;
	return r;
}

int sfr__interpreter_buf_ring_add(struct sfr__interpreter *interpreter, void *ring,
				  unsigned entries, unsigned number)
{
	size_t count = interpreter->groups_count;
	struct sfr__buf_group *groups;

	if (!entries || entries > 32768 || entries & (entries - 1))
		return -EINVAL;
	if (sfr__tables_group(interpreter, number))
		return -EEXIST;
	groups = realloc(interpreter->groups, (count + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	interpreter->groups = groups;
	groups[interpreter->groups_count++] = (struct sfr__buf_group){
		.ring = ring, .entries = entries, .number = (uint16_t)number};
	return 0;
}

int sfr__interpreter_files_add(struct sfr__interpreter *interpreter, const int *fds, unsigned count)
{
	if (interpreter->files)
		return -EBUSY;
	interpreter->files = malloc(count * sizeof(*fds));
	if (!interpreter->files)
		return -ENOMEM;
	memcpy(interpreter->files, fds, count * sizeof(*fds));
	interpreter->files_count = count;
	return 0;
}

int sfr__interpreter_buffers_add(struct sfr__interpreter *interpreter, const struct iovec *buffers,
				 unsigned count)
{
	if (interpreter->buffers)
		return -EBUSY;
	interpreter->buffers = malloc(count * sizeof(*buffers));
	if (!interpreter->buffers)
		return -ENOMEM;
	memcpy(interpreter->buffers, buffers, count * sizeof(*buffers));
	interpreter->buffers_count = count;
	return 0;
}

void sfr__tables_free(struct sfr__interpreter *interpreter)
{
	free(interpreter->groups);
	free(interpreter->files);
	free(interpreter->buffers);
}

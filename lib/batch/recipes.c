/* SPDX-License-Identifier: MIT */
/*
 * Recipes: batches that are needed again and again.
 *
 * Each has one small state, made with its batch and freed with it, after the callback; what is not a matter
 * of the recipe alone is the batch's.
 */
#include "batch/batch.h"
#include <safer_ring/error.h>
#include <safer_ring/file.h>
#include <safer_ring/recipes.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/*
 * Those that end as one operation does.
 */

struct recipe {
	sfr_batch *batch;
	sfr_done *done;
	void *arg;
	int counted; /* so many operations, from the first: their first error is the recipe's */
	int telling; /* the one whose result it is if there is none, and whose buffer comes back */
};

/* It cannot begin: errno says why, and what was given goes back. */
static void *recipe_refuse(sfr_buf *buf, int err)
{
	sfr_buf_release(buf);
	errno = err;
	return NULL;
}

/* A state of that size, which begins with a struct recipe. */
static void *recipe_new(sfr_loop *loop, size_t size, sfr_buf *buf, sfr_done *done, void *arg)
{
	sfr_batch *batch = sfr_batch_new(loop);
	struct recipe *recipe = batch ? calloc(1, size) : NULL;

	if (!recipe) {
		int err = batch ? ENOMEM : errno;

		sfr_batch_free(batch);
		return recipe_refuse(buf, err);
	}
	recipe->batch = batch;
	recipe->done = done;
	recipe->arg = arg;
	return recipe;
}

static void recipe_free(struct recipe *recipe)
{
	sfr_batch_free(recipe->batch);
	free(recipe);
}

static sfr_batch *recipe_submit(struct recipe *recipe, sfr_batch_done *done)
{
	int r = sfr_batch_submit(recipe->batch, done, recipe);

	if (r == 0)
		return recipe->batch;
	recipe_free(recipe);
	errno = -r;
	return NULL;
}

static void recipe_end(sfr_loop *loop, struct recipe *recipe, int result)
{
	sfr_buf *buf = sfr_batch_take(recipe->batch, recipe->telling);

	if (recipe->done)
		recipe->done(loop, result, buf, recipe->arg);
	else
		sfr_buf_release(buf);
	recipe_free(recipe);
}

static int recipe_result(const struct recipe *recipe)
{
	int op, result = sfr_batch_error(recipe->batch, &op);

	if (result == 0 || op >= recipe->counted)
		(void)sfr_batch_result(recipe->batch, recipe->telling, &result);
	return result;
}

static void recipe_done(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	struct recipe *recipe = arg;

	(void)batch;
	recipe_end(loop, recipe, recipe_result(recipe));
}

sfr_batch *sfr_read_file(sfr_loop *loop, int dirfd, const char *path, sfr_buf *buf, sfr_done *done,
			 void *arg)
{
	struct recipe *recipe = recipe_new(loop, sizeof(*recipe), buf, done, arg);
	int open, fd, read, close;

	if (!recipe)
		return NULL;
	open = sfr_batch_add(recipe->batch, sfr_openat(loop, dirfd, path, O_RDONLY, 0));
	fd = sfr_batch_fd(recipe->batch, open);
	read = sfr_batch_add(recipe->batch, sfr_all(sfr_read(loop, fd, buf)));
	close = sfr_batch_add(recipe->batch, sfr_close(loop, fd));
	(void)sfr_batch_after_any(recipe->batch, close, read); /* submitting tells of an error */
	recipe->counted = read + 1;
	recipe->telling = read;
	return recipe_submit(recipe, recipe_done);
}

sfr_batch *sfr_send_close(sfr_loop *loop, int fd, sfr_buf *buf, sfr_done *done, void *arg)
{
	struct recipe *recipe = recipe_new(loop, sizeof(*recipe), buf, done, arg);
	int send, close;

	if (!recipe)
		return NULL;
	send = sfr_batch_add(recipe->batch, sfr_all(sfr_send(loop, fd, buf)));
	close = sfr_batch_add(recipe->batch, sfr_close(loop, fd));
	(void)sfr_batch_after_any(recipe->batch, close, send); /* submitting tells of an error */
	recipe->counted = send + 1;
	recipe->telling = send;
	return recipe_submit(recipe, recipe_done);
}

/*
 * Replacing a file.
 */

/* Of the name that it is to have: with the rest it must not get too long. */
#define NAME_PART 200

struct replace {
	struct recipe recipe;
	int dirfd;
	int made, renamed; /* operations */
	int result;
	char *temp_name; /* in temp_path, behind its directory */
	char temp_path[];
};

/* What no other name is likely to have; good enough even where the system has no random numbers. */
static uint64_t random_number(const sfr_loop *loop, const void *here)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = sfr__loop_clock_ns(loop) ^ ((uint64_t)getpid() << 40) ^ (uintptr_t)here;
	return number;
}

/* Where the name begins in a path; NULL if it has none that a file could have. */
static const char *path_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *name = slash ? slash + 1 : path;

	return name && *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 ? name : NULL;
}

/* "dir/name" becomes "dir/.name.0123456789abcdef.tmp". */
static void replace_name(const sfr_loop *loop, struct replace *replace, const char *path,
			 const char *name)
{
	size_t dir_size = (size_t)(name - path);

	memcpy(replace->temp_path, path, dir_size);
	replace->temp_name = replace->temp_path + dir_size;
	sprintf(replace->temp_name, ".%.*s.%016" PRIx64 ".tmp", NAME_PART, name,
		random_number(loop, replace));
}

/* The directory is opened first, so all happens in the same one, and nothing if it cannot be synced. */
static sfr_op *replace_open_dir(sfr_loop *loop, struct replace *replace)
{
	char *end = replace->temp_name;
	sfr_op *op;

	if (end == replace->temp_path)
		return sfr_openat(loop, replace->dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	*end = '\0';
	op = sfr_openat(loop, replace->dirfd, replace->temp_path, O_RDONLY | O_DIRECTORY, 0);
	*end = '.';
	return op;
}

static void replace_build(sfr_loop *loop, struct replace *replace, const char *name, unsigned mode,
			  sfr_buf *buf)
{
	sfr_batch *batch = replace->recipe.batch;
	const char *temp = replace->temp_name;
	int dir, dir_fd, open, fd, write, sync, close, rename, dir_sync, dir_close;

	dir = sfr_batch_add(batch, replace_open_dir(loop, replace));
	dir_fd = sfr_batch_fd(batch, dir);
	open = sfr_batch_add(batch,
			     sfr_openat(loop, dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL, mode));
	fd = sfr_batch_fd(batch, open);
	write = sfr_batch_add(batch, sfr_all(sfr_write_at(loop, fd, buf, 0)));
	sync = sfr_batch_then(batch, write, sfr_fsync(loop, fd));
	close = sfr_batch_add(batch, sfr_close(loop, fd));
	rename = sfr_batch_then(batch, close, sfr_renameat(loop, dir_fd, temp, dir_fd, name, 0));
	dir_sync = sfr_batch_then(batch, rename, sfr_fsync(loop, dir_fd));
	dir_close = sfr_batch_add(batch, sfr_close(loop, dir_fd));
	/* Submitting tells of whatever error there is in any of these. */
	(void)sfr_batch_after_any(batch, close, sync);
	(void)sfr_batch_after(batch, rename, sync);
	(void)sfr_batch_after_any(batch, dir_close, dir_sync);
	replace->recipe.counted = dir_close;
	replace->recipe.telling = write;
	replace->made = open;
	replace->renamed = rename;
}

static void replace_removed(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	const struct sfr__system *system = loop->engine->system;
	struct replace *replace = arg;

	(void)buf;
	/* In a loop that drains nothing is begun any more, and without memory neither: then it is done here,
	 * as nobody else knows that name. */
	if (result == -ECANCELED || result == -ENOMEM)
		(void)system->path_unlink(system, replace->dirfd, replace->temp_path);
	recipe_end(loop, &replace->recipe, replace->result);
}

static void replace_done(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	struct replace *replace = arg;
	int made = -1, renamed = -1;

	(void)sfr_batch_result(batch, replace->made, &made);
	(void)sfr_batch_result(batch, replace->renamed, &renamed);
	replace->result = recipe_result(&replace->recipe);
	if (replace->result >= 0)                            /* of the write, which tells */
		replace->result = renamed < 0 ? -ENOSPC : 0; /* it was short, without an error */
	if (made < 0 || renamed == 0)
		recipe_end(loop, &replace->recipe, replace->result);
	else if (!sfr_submit(sfr_unlinkat(loop, replace->dirfd, replace->temp_path, 0),
			     replace_removed, replace))
		replace_removed(loop, -ENOMEM, NULL, replace);
}

sfr_batch *sfr_replace_file(sfr_loop *loop, int dirfd, const char *path, unsigned mode,
			    sfr_buf *buf, sfr_done *done, void *arg)
{
	const char *name = path_name(path);
	struct replace *replace;

	if (!name)
		return recipe_refuse(buf, EINVAL);
	replace = recipe_new(loop,
			     sizeof(*replace) + strlen(path) + sizeof("..0123456789abcdef.tmp"),
			     buf, done, arg);
	if (!replace)
		return NULL;
	replace->dirfd = dirfd;
	replace_name(loop, replace, path, name);
	replace_build(loop, replace, name, mode, buf);
	return recipe_submit(&replace->recipe, replace_done);
}

/*
 * Copying.
 *
 * A window of blocks is one batch, and what follows the part that was copied without a gap is the next
 * window: so whatever ended a block short, the end of the file or an error behind some bytes, is met again
 * at the beginning of a window, and there has a name. That window is of one block, as those at the
 * beginning are where the length is not known, and each that is copied whole is followed by a larger one.
 */

enum { WINDOW_MAX = 16, BLOCK_MAX = 256 * 1024 };

struct copy {
	sfr_loop *loop;
	sfr_batch *batch;
	sfr_copied *done;
	void *arg;
	int fd_in, fd_out;
	uint64_t off_in, off_out, len;
	uint64_t copied;           /* without a gap */
	int window;                /* how many blocks are to be tried */
	int blocks;                /* how many there are in the batch */
	sfr_buf *bufs[WINDOW_MAX]; /* kept; each is a block's while that runs */
};

static void copy_end(struct copy *copy, int64_t result)
{
	int i;

	for (i = 0; i < WINDOW_MAX; i++)
		sfr_buf_release(copy->bufs[i]);
	if (copy->done)
		copy->done(copy->loop, result, copy->arg);
	sfr_batch_free(copy->batch);
	free(copy);
}

/* A large buffer, or one of the usual ones if there are no large ones, or none is left. */
static sfr_buf *block_get(sfr_loop *loop)
{
	const struct sfr__settings *settings = &loop->settings;
	size_t large = settings->buffers.budget ? settings->buffers.large : 0;
	sfr_buf *buf = NULL;

	if (large > settings->buffers.size)
		buf = sfr_buf_get(loop, large < BLOCK_MAX ? large : BLOCK_MAX);
	return buf ? buf : sfr_buf_get(loop, settings->buffers.size);
}

/* Add one block, at some distance from the beginning. Returns its size, 0 if there is no buffer for it. */
static uint32_t block_add(struct copy *copy, int i, uint64_t at)
{
	sfr_buf *buf = copy->bufs[i] ? copy->bufs[i] : block_get(copy->loop);
	uint64_t left = copy->len - at;
	uint32_t size;
	int read;

	if (!buf)
		return 0;
	copy->bufs[i] = NULL;
	size = left < sfr__buf(buf)->size ? (uint32_t)left : sfr__buf(buf)->size;
	buf->cap = size;
	read = sfr_batch_add(copy->batch,
			     sfr_all(sfr_read_at(copy->loop, copy->fd_in, buf, copy->off_in + at)));
	(void)sfr_batch_then(
		copy->batch, read,
		sfr_all(sfr_write_at(copy->loop, copy->fd_out, NULL, copy->off_out + at)));
	return size;
}

static sfr_batch_done copy_window_done;

/* Begin with the next window. 0 or an error. */
static int copy_window(struct copy *copy)
{
	uint64_t at = copy->copied;
	uint32_t size;

	for (copy->blocks = 0; copy->blocks < copy->window && at < copy->len; copy->blocks++) {
		size = block_add(copy, copy->blocks, at);
		if (!size)
			break;
		at += size;
	}
	if (!copy->blocks && at < copy->len)
		return -errno;
	return sfr_batch_submit(copy->batch, copy_window_done, copy);
}

/* What a block came to: bytes, 0 at the end of the file, or an error. Its buffer is there again. */
static int block_end(struct copy *copy, int i)
{
	int read = 0, written = 0;

	(void)sfr_batch_result(copy->batch, 2 * i, &read);
	(void)sfr_batch_result(copy->batch, 2 * i + 1, &written);
	copy->bufs[i] = sfr_batch_take(copy->batch, 2 * i + 1);
	if (!copy->bufs[i]) /* the write did not inherit it */
		copy->bufs[i] = sfr_batch_take(copy->batch, 2 * i);
	if (read <= 0)
		return read;
	return written ? written : -ENOSPC;
}

/* Count what the window came to. Positive if that was not the end; 0 at the end of the file; or an error. */
static int copy_count(struct copy *copy)
{
	int i, r = 1, end;
	bool whole = true;

	for (i = 0; i < copy->blocks; i++) {
		end = block_end(copy, i);
		if (!whole || r <= 0)
			continue; /* behind a gap: only its buffer counts */
		r = end;
		copy->copied += r > 0 ? (uint64_t)r : 0;
		whole = r > 0 && (uint32_t)r == copy->bufs[i]->cap;
	}
	copy->window = !whole ? 1 : copy->window < WINDOW_MAX ? 2 * copy->window : WINDOW_MAX;
	return r;
}

static void copy_window_done(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	struct copy *copy = arg;
	int r = copy_count(copy);

	(void)loop;
	if (r > 0 && copy->copied < copy->len) {
		r = sfr__batch_of(batch)->state == SFR__BATCH_CANCELLED ? -ECANCELED
									: sfr_batch_reset(batch);
		if (r == 0)
			r = copy_window(copy);
		if (r == 0)
			return;
	}
	copy_end(copy, r < 0 ? r : (int64_t)copy->copied);
}

/* No offset on either side may leave the numbers of a file; without a length they bound it. */
static int copy_check(uint64_t off_in, uint64_t off_out, uint64_t *len)
{
	uint64_t room = INT64_MAX;

	if (off_in > room || off_out > room)
		return -EINVAL;
	room -= off_in > off_out ? off_in : off_out;
	if (*len == UINT64_MAX)
		*len = room;
	return *len <= room ? 0 : -EINVAL;
}

sfr_batch *sfr_copy_range(sfr_loop *loop, int fd_in, uint64_t off_in, int fd_out, uint64_t off_out,
			  uint64_t len, sfr_copied *done, void *arg)
{
	bool known = len != UINT64_MAX;
	int r = copy_check(off_in, off_out, &len);
	sfr_batch *batch = r < 0 ? recipe_refuse(NULL, -r) : sfr_batch_new(loop);
	struct copy *copy = batch ? malloc(sizeof(*copy)) : NULL;

	if (!batch)
		return NULL;
	r = copy ? 0 : -ENOMEM;
	if (r == 0) {
		*copy = (struct copy){.loop = loop,
				      .batch = batch,
				      .done = done,
				      .arg = arg,
				      .fd_in = fd_in,
				      .fd_out = fd_out,
				      .off_in = off_in,
				      .off_out = off_out,
				      .len = len,
				      .window = known ? WINDOW_MAX : 1};
		r = copy_window(copy);
	}
	if (r == 0)
		return batch;
	sfr_batch_free(batch);
	free(copy);
	errno = -r;
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * An exception that leaves a callback passes through the library to the handler that catches it, and the loop then
 * says that a callback was left. On each engine that works on this machine.
 */
#include <safer_ring.h>
#include <cerrno>
#include <cstdio>
#include <stdexcept>

static void throws(sfr_loop *, int result, sfr_buf *, void *)
{
	throw std::runtime_error(result == 0 ? "out of a callback" : "?");
}

static void post_throws(sfr_loop *, void *)
{
	throw std::runtime_error("out of a posted function");
}

static bool expect(bool holds, const char *what)
{
	if (!holds)
		std::printf("not so: %s\n", what);
	return holds;
}

/* Where the exception is caught, and one call further out. */
static bool left_by(sfr_loop *loop)
{
	bool caught = false;

	try {
		(void)sfr_loop_run(loop);
	} catch (const std::runtime_error &error) {
		caught = true;
	}
	return expect(caught, "the exception arrives") &&
	       expect(sfr_loop_step(loop, 0) == -ENOTRECOVERABLE, "a step says what happened");
}

static bool engine_is_left(const char *engine, bool posted)
{
	sfr_config *config;
	sfr_loop *loop;
	int r;

	if (sfr_config_new(&config, NULL) < 0)
		return false;
	(void)sfr_config_set(config, "engine", engine, NULL);
	r = sfr_loop_new(&loop, config);
	sfr_config_free(config);
	if (r < 0) {
		std::printf("skip - engine %s: %s\n", engine, sfr_strerror(r));
		return true;
	}
	if (posted)
		(void)sfr_loop_post(loop, post_throws, NULL);
	else
		(void)sfr_submit(sfr_nop(loop), throws, NULL);
	return left_by(loop) && expect(sfr_loop_free(loop) == -ENOTRECOVERABLE, "nothing is freed");
}

int main()
{
	bool ok = true;

	for (int posted = 0; posted < 2; posted++) {
		ok = engine_is_left("uring", posted) && ok;
		ok = engine_is_left("epoll", posted) && ok;
	}
	return ok ? 0 : 1;
}

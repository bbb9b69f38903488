/* SPDX-License-Identifier: MIT */
/* A loop in a loop of libuv takes a turn there. Prints the version, and what the turn ended with: 0. */
#include <safer_ring.h>
#include <safer_ring/uv.h>
#include <stdio.h>
#include <uv.h>

static void done(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop, (void)buf;
	*(int *)arg = result;
}

int main(void)
{
	int result = 1;
	sfr_loop *loop;
	sfr_uv *uv;

	if (sfr_loop_new(&loop, NULL) < 0 || sfr_uv_attach(&uv, uv_default_loop(), loop) < 0)
		return 1;
	sfr_submit(sfr_timeout(loop, 1000000), done, &result);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	printf("%s %d\n", sfr_version(), result);
	sfr_uv_detach(uv);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	return result || uv_loop_close(uv_default_loop()) || sfr_loop_free(loop);
}

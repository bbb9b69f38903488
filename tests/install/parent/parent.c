/* SPDX-License-Identifier: MIT */
/* A loop takes a turn. Prints the version of the library, and what the turn ended with: 0. */
#include <safer_ring.h>
#include <stdio.h>

int main(void)
{
	sfr_loop *loop;
	int r = sfr_loop_new(&loop, NULL);

	if (r < 0)
		return 1;
	printf("%s %d\n", sfr_version(), sfr_await(sfr_nop(loop), NULL));
	return -sfr_loop_free(loop);
}

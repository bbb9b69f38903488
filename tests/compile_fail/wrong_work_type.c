/* SPDX-License-Identifier: MIT */
/* A function for a worker takes its argument and gives a result: it never sees the loop. */
/* diagnostic: -Wincompatible-pointer-types */
/* clang: -Wincompatible-function-pointer-types */
#include <safer_ring.h>

#ifdef MISTAKE
static int count(sfr_loop *loop, void *arg)
{
	(void)loop;
	return *(int *)arg;
}
#else
static int count(void *arg)
{
	return *(int *)arg;
}
#endif

sfr_ticket start(sfr_loop *loop, sfr_done *done, int *number)
{
	return sfr_submit(sfr_work(loop, count, number), done, number);
}

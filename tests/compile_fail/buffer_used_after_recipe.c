/* SPDX-License-Identifier: MIT */
/* What a recipe was given is the loop's until its callback brings it back. */
/* diagnostic: -Wuse-after-free */
/* text: pointer 'text' may be used after 'sfr_replace_file' */
/* analyzer: clang: Use of memory after it is freed */
#include <safer_ring.h>

int save(sfr_loop *loop, const char *path, sfr_buf *text, sfr_done *saved)
{
#ifdef MISTAKE
	if (!sfr_replace_file(loop, -100, path, 0600, text, saved, NULL))
		return -1;
	text->len = 0;
#else
	text->len = 5;
	if (!sfr_replace_file(loop, -100, path, 0600, text, saved, NULL))
		return -1;
#endif
	return 0;
}

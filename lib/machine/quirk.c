/* SPDX-License-Identifier: MIT */
/*
 * The table of quirks.
 *
 * A row needs a source that anyone can read, and stays until no supported system runs such a
 * kernel. Where the report names no first bad release, the row begins with the series; a stable
 * series that got the repair has a row of its own. Distributions may have repaired a kernel that
 * still has an older number: that is what `features.X: on` is for.
 */
#include "machine/quirk.h"

/* clang-format off */
/* As a first good release: nobody knows of one. */
#define NONE_SO_FAR {9999, 0, 0}
/* clang-format on */

static const struct sfr__quirk quirks[] = {
	{.feature = SFR__QUIRK_SQPOLL,
	 .first_bad = {0, 0, 0},
	 .first_good = {5, 10, 186},
	 .written = "2026-11",
	 .trouble = "the polling thread keeps a core busy when there is nothing to do",
	 .source = "libuv/libuv#4093"},

	/* The number is that of a poll mask, 195, and may belong to a file of someone else. */
	{.feature = SFR__FEATURE_ACCEPT_MULTI,
	 .first_bad = {6, 1, 0},
	 .first_good = {6, 1, 79},
	 .written = "2026-11",
	 .trouble = "an accept that finds the completion queue full reports a wrong descriptor",
	 .source = "axboe/liburing#1062"},
	{.feature = SFR__FEATURE_ACCEPT_MULTI,
	 .first_bad = {6, 6, 0},
	 .first_good = {6, 6, 18},
	 .written = "2026-11",
	 .trouble = "an accept that finds the completion queue full reports a wrong descriptor",
	 .source = "axboe/liburing#1062"},
	{.feature = SFR__FEATURE_ACCEPT_MULTI,
	 .first_bad = {6, 7, 0},
	 .first_good = {6, 7, 6},
	 .written = "2026-11",
	 .trouble = "an accept that finds the completion queue full reports a wrong descriptor",
	 .source = "axboe/liburing#1062"},

	/* An enter says how far it came, and the engine sees to the rest; a thread of the kernel goes on. */
	{.feature = SFR__FEATURE_LINKS,
	 .beside_sqpoll = true,
	 .first_bad = {5, 3, 0},
	 .first_good = NONE_SO_FAR,
	 .written = "2026-11",
	 .trouble = "beside ring.sqpoll, a kernel that is short of memory in the middle of a row "
		    "starts its rest at once",
	 .source = "linux io_submit_sqes()"},

	{.feature = SFR__FEATURE_RECV_MULTI,
	 .first_bad = {6, 1, 7},
	 .first_good = {6, 1, 8},
	 .written = "2026-11",
	 .trouble = "receives use up buffers without need and end for lack of them",
	 .source = "axboe/liburing#778"},

	/* Since Unix sockets tell how much they hold, they are not asked once more. TCP counts its end as a byte,
	 * so there it does not happen. A receive that is armed for each arrival looks for the end when it is. */
	{.feature = SFR__FEATURE_RECV_MULTI,
	 .first_bad = {6, 17, 0},
	 .first_good = {6, 18, 20},
	 .written = "2026-11",
	 .trouble = "a receive from a Unix socket misses an end that comes at once behind bytes",
	 .source = "axboe/liburing#1549, linux a68ed2df7213"},
	{.feature = SFR__FEATURE_RECV_MULTI,
	 .first_bad = {6, 19, 0},
	 .first_good = {6, 19, 10},
	 .written = "2026-11",
	 .trouble = "a receive from a Unix socket misses an end that comes at once behind bytes",
	 .source = "axboe/liburing#1549, linux a68ed2df7213"},

	{.feature = SFR__FEATURE_READ_MULTI,
	 .first_bad = {6, 7, 0},
	 .first_good = {6, 12, 0},
	 .written = "2026-11",
	 .trouble = "a read of a terminal does not say which buffer its bytes are in",
	 .source = "axboe/liburing#1257"},

	/* Where a part lies follows from the order of completions, which was another one between receives that go on and
	 * one that ended just before. And a receive with MSG_WAITALL, of which this library has none, kept a part that
	 * others were given as well. The second was repaired last. */
	{.feature = SFR__FEATURE_INCREMENTAL,
	 .first_bad = {6, 12, 0},
	 .first_good = {6, 12, 44},
	 .written = "2026-11",
	 .trouble = "parts of a block may be given twice, or told of in another order",
	 .source = "CVE-2025-38730, linux 41b70df5b38b and 687b2bae0eff"},
	{.feature = SFR__FEATURE_INCREMENTAL,
	 .first_bad = {6, 13, 0},
	 .first_good = {6, 15, 11},
	 .written = "2026-11",
	 .trouble = "parts of a block may be given twice, or told of in another order",
	 .source = "CVE-2025-38730, linux 41b70df5b38b and 687b2bae0eff"},
	{.feature = SFR__FEATURE_INCREMENTAL,
	 .first_bad = {6, 16, 0},
	 .first_good = {6, 16, 2},
	 .written = "2026-11",
	 .trouble = "parts of a block may be given twice, or told of in another order",
	 .source = "CVE-2025-38730, linux 41b70df5b38b and 687b2bae0eff"},

	{.feature = SFR__FEATURE_SEND_ZC,
	 .beside_sqpoll = true,
	 .first_bad = {6, 0, 0},
	 .first_good = NONE_SO_FAR,
	 .written = "2026-11",
	 .trouble =
		 "beside ring.sqpoll, a process that dies before its peer has read leaves a thread "
		 "of the kernel that burns a core",
	 .source = "seen by safer-ring's own tests, on 6.18"},

	{.feature = SFR__FEATURE_NAPI,
	 .first_bad = {6, 9, 0},
	 .first_good = {6, 12, 59},
	 .written = "2026-11",
	 .trouble = "a polling loop may read list entries that were taken off and freed",
	 .source = "linux 45b3941d09d1, \"io_uring/napi: fix io_napi_entry RCU accesses\""},

	{.feature = SFR__FEATURE_MIN_WAIT,
	 .beside_sqpoll = true,
	 .first_bad = {6, 12, 0},
	 .first_good = {6, 12, 64},
	 .written = "2026-11",
	 .trouble = "beside ring.sqpoll, a completion after that wait does not wake the loop",
	 .source = "axboe/liburing#1504"},
	{.feature = SFR__FEATURE_MIN_WAIT,
	 .beside_sqpoll = true,
	 .first_bad = {6, 13, 0},
	 .first_good = {6, 18, 3},
	 .written = "2026-11",
	 .trouble = "beside ring.sqpoll, a completion after that wait does not wake the loop",
	 .source = "axboe/liburing#1504"},
};

enum { QUIRKS = sizeof(quirks) / sizeof(quirks[0]) };

struct release {
	struct sfr__kernel kernel;
	bool candidate; /* -rc: comes before the release whose number it has */
};

/* Reads digits, at most what no kernel reaches. NULL if there are none. */
static const char *part_read(const char *text, unsigned *out)
{
	unsigned value = 0;

	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (value > 99999)
			return NULL;
		value = value * 10 + (unsigned)(*text - '0');
	}
	*out = value;
	return text;
}

/* "5.15.0-91-generic", "6.1.55+", "6.6-rc3". */
static bool release_read(const char *text, struct release *out)
{
	*out = (struct release){0};
	text = part_read(text, &out->kernel.major);
	if (!text || *text != '.')
		return false;
	text = part_read(text + 1, &out->kernel.minor);
	if (!text)
		return false;
	if (*text == '.')
		text = part_read(text + 1, &out->kernel.patch);
	if (!text)
		return false;
	out->candidate = text[0] == '-' && text[1] == 'r' && text[2] == 'c';
	return true;
}

static int kernel_compare(const struct sfr__kernel *a, const struct sfr__kernel *b)
{
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	return a->patch < b->patch ? -1 : a->patch > b->patch;
}

/* A candidate is taken to have the bugs of its release, and not yet its repairs. */
static bool is_bad(const struct sfr__quirk *quirk, const struct release *release)
{
	int good = kernel_compare(&release->kernel, &quirk->first_good);

	if (kernel_compare(&release->kernel, &quirk->first_bad) < 0)
		return false;
	return good < 0 || (good == 0 && release->candidate);
}

const struct sfr__quirk *sfr__quirks(size_t *count)
{
	*count = QUIRKS;
	return quirks;
}

const struct sfr__quirk *sfr__quirk_find(const char *release, unsigned feature, bool sqpoll)
{
	struct release read;

	if (!release_read(release, &read))
		return NULL;
	for (size_t i = 0; i < QUIRKS; i++)
		if (quirks[i].feature == feature && (sqpoll || !quirks[i].beside_sqpoll) &&
		    is_bad(&quirks[i], &read))
			return &quirks[i];
	return NULL;
}

sfr__features sfr__quirks_against(const char *release, bool sqpoll)
{
	sfr__features against = 0;

	for (unsigned feature = 0; feature <= SFR__QUIRK_SQPOLL; feature++)
		if (sfr__quirk_find(release, feature, sqpoll))
			against |= (sfr__features)1 << feature;
	return against;
}

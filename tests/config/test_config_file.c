/* SPDX-License-Identifier: MIT */
/*
 * Files: what is understood, and what is refused where and with which words.
 */
#include "config_world.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void assert_refused(const char *text, const char *expected)
{
	char seen[1024];

	ck_assert_int_eq(load(text), -SFR_ECONFIG);
	ck_assert_ptr_null(cfg);
	sfr_config_error_text(&err, seen, sizeof(seen));
	ck_assert_str_eq(seen, expected);
}

static const struct {
	const char *text;
	const char *refusal;
} bad_files[] = {
	{"", "a.yaml:1:1: the file is empty (start with `preset: default`)"},
	{"\n# nothing\n", "a.yaml:1:1: the file is empty (start with `preset: default`)"},
	{"---\n", "a.yaml:1:1: the file is empty (start with `preset: default`)"},
	{"---\n...\n", "a.yaml:1:1: the file is empty (start with `preset: default`)"},
	{"hello\n", "a.yaml:1:1: keys and values belong here (start with `preset: default`)"},
	{"- preset\n", "a.yaml:1:1: keys and values belong here (start with `preset: default`)"},
	{"preset: default\nbuffers:\n  cuont: 5\n",
	 "a.yaml:3:3: buffers.cuont: there is no such key (did you mean buffers.count?)"},
	{"bufers:\n  count: 5\n",
	 "a.yaml:1:1: bufers: there is no such section (did you mean buffers?)"},
	{"count: 5\n", "a.yaml:1:1: count: there is no such key (did you mean buffers.count?)"},
	{"server: {entries: 64}\n",
	 "a.yaml:1:10: server.entries: there is no such key (did you mean ring.entries?)"},
	{"server:\n  ring: {entries: 64}\n",
	 "a.yaml:2:3: server.ring: there is no such section (did you mean ring?)"},
	{"zebra: 1\n", "a.yaml:1:1: zebra: there is no such key " ALL_KEYS},
	{"zebra: [1]\n", "a.yaml:1:1: zebra: there is no such key " ALL_KEYS},
	{"preset: warp\n",
	 "a.yaml:1:9: preset: this is not one of default, low_latency, high_throughput, "
	 "development, auto_detect "
	 "(the default is default)"},
	{"buffers:\n  count: 12 apples\n",
	 "a.yaml:2:10: buffers.count: this is not a whole number (write digits only)"},
	{"buffers:\n  count:\n",
	 "a.yaml:2:9: buffers.count: this is not a whole number (write digits only)"},
	{"buffers:\n  count: {a: 5}\n",
	 "a.yaml:2:10: buffers.count: a single value belongs here, not a mapping "
	 "(the default is 1024)"},
	{"buffers:\n  count: [1, 2]\n",
	 "a.yaml:2:10: buffers.count: a single value belongs here, not a list "
	 "(the default is 1024)"},
	{"ring: 5\n", "a.yaml:1:7: ring: this is a section and has no value itself "
		      "(nest its keys: ring: {entries: 256})"},
	{"ring:\nlog: {level: off}\n",
	 "a.yaml:1:6: ring: this is a section and has no value itself "
	 "(nest its keys: ring: {entries: 256})"},
	{"ring: [entries]\n", "a.yaml:1:7: ring: this is a section and has no value itself "
			      "(nest its keys: ring: {entries: 256})"},
	{"ring.entries: 64\n",
	 "a.yaml:1:1: ring.entries: keys of a file are nested, not joined by dots "
	 "(write ring: {entries: ...})"},
	{"ring:\n  entries: 64\n  spin: 0\n  entries: 128\n",
	 "a.yaml:4:3: ring.entries: this is here twice, first on line 2 (keep one of them)"},
	{"ring: {spin: 0}\nlog: {level: off}\nring: {sqpoll: off}\n",
	 "a.yaml:3:1: ring: this is here twice, first on line 1 (keep one of them)"},
	{"ring:\n\tentries: 64\n", "a.yaml:2:1: a tab cannot indent YAML (use spaces)"},
	{"ring:\n"
	 "  entries: 64\n"
	 "\tspin: 0\n",
	 "a.yaml:3:1: a tab cannot indent YAML "
	 "(use spaces)"},
	{"ring:\n  entries: 64\n  \tspin: 0\n",
	 "a.yaml:3:3: a tab cannot indent YAML (use spaces)"},
	{"preset: default\n---\npreset: default\n",
	 "a.yaml:2:1: a second document starts here (a file holds one: remove the line ---)"},
	{"ring: &r {entries: 64}\nserver: *r\n",
	 "a.yaml:2:9: aliases are not understood here (write the value out)"},
	{"ring: &r\n  again: *r\n",
	 "a.yaml:2:10: aliases are not understood here (write the value out)"},
	{"engine: !!str auto\n",
	 "a.yaml:1:9: tags are not understood here (write the plain value)"},
	{"engine: \"auto\\0x\"\n",
	 "a.yaml:1:9: there is a NUL byte in this text (write the plain value)"},
	{"? [a, b]\n: c\n", "a.yaml:1:3: a key is a single word"},
	{"engine: 'auto\n", "a.yaml:2:1: this is not YAML: found unexpected end of stream "
			    "(look at the indentation, the colons and the quotes here and above)"},
	{"engine: auto\nring: {entries: 64\n",
	 "a.yaml:3:1: this is not YAML: did not find expected ',' or '}' "
	 "(look at the indentation, the colons and the quotes here and above)"},
	{"engine: \xff\n", "a.yaml:1:9: this is not text: invalid leading UTF-8 octet "
			   "(a configuration is text in UTF-8)"},
	{"# one\nengine: \x01\n",
	 "a.yaml:2:9: this is not text: control characters are not allowed "
	 "(a configuration is text in UTF-8)"},
	/* Together */
	{"ring:\n  sqpoll: on\nfeatures:\n  defer_taskrun: on\n",
	 "a.yaml:4:3: features.defer_taskrun: the kernel refuses ring.sqpoll together with "
	 "features.defer_taskrun (leave features.defer_taskrun: auto)"},
	{"features: {defer_taskrun: yes}\nring: {sqpoll: yes}\n",
	 "a.yaml:2:8: ring.sqpoll: the kernel refuses ring.sqpoll together with "
	 "features.defer_taskrun (leave features.defer_taskrun: auto)"},
	{"features: {defer_taskrun: on}\nring: {sqpoll: force}\n",
	 "a.yaml:2:8: ring.sqpoll: the kernel refuses ring.sqpoll together with "
	 "features.defer_taskrun (leave features.defer_taskrun: auto)"},
	{"features:\n  single_issuer: off\n  defer_taskrun: on\n",
	 "a.yaml:3:3: features.defer_taskrun: the kernel refuses features.defer_taskrun without "
	 "features.single_issuer (leave one of them: auto)"},
	{"features:\n  napi: maybe\n",
	 "a.yaml:2:9: features.napi: this is not one of auto, on, off (the default is auto)"},
	{"features: {napy: on}\n",
	 "a.yaml:1:12: features.napy: there is no such key (did you mean features.napi?)"},
	{"ring: {defer_taskrun: on}\n", "a.yaml:1:8: ring.defer_taskrun: there is no such key "
					"(did you mean features.defer_taskrun?)"},
	{"features: off\n", "a.yaml:1:11: features: this is a section and has no value itself "
			    "(nest its keys: features: {single_issuer: auto})"},
	{"ring:\n  cq_entries: 128\n",
	 "a.yaml:2:3: ring.cq_entries: ring.cq_entries must not be less than ring.entries "
	 "(0 takes four times ring.entries)"},
	{"ring: {cq_entries: 128, entries: 512}\n",
	 "a.yaml:1:25: ring.entries: ring.cq_entries must not be less than ring.entries "
	 "(0 takes four times ring.entries)"},
	{"buffers:\n  receive: 8\n  count: 4\n",
	 "a.yaml:3:3: buffers.count: buffers.receive must not exceed buffers.count "
	 "(0 takes half of buffers.count)"},
	{"buffers:\n  budget: 1MiB\n",
	 "a.yaml:2:3: buffers.budget: buffers.budget must not be less than buffers.count x "
	 "buffers.size (0 has just these, and never more)"},
	{"buffers: {budget: 4MiB, count: 1025}\n",
	 "a.yaml:1:25: buffers.count: buffers.budget must not be less than buffers.count x "
	 "buffers.size (0 has just these, and never more)"},
	{"buffers:\n  budget: 64MiB\n  count: 1024\n  size: 128KiB\n",
	 "a.yaml:4:3: buffers.size: buffers.budget must not be less than buffers.count x "
	 "buffers.size (0 has just these, and never more)"},
	{"buffers:\n  small: 4KiB\n",
	 "a.yaml:2:3: buffers.small: buffers.small must be less than buffers.size "
	 "(0 has none of another size)"},
	{"buffers:\n  large: 16KiB\n  size: 16KiB\n",
	 "a.yaml:3:3: buffers.size: buffers.large must be more than buffers.size "
	 "(0 has none of another size)"},
	{"buffers: {small: 100}\n", "a.yaml:1:18: buffers.small: this is not a power of two "
				    "(the nearest are 64B and 128B)"},
	{"server:\n  low_water: 1MiB\n",
	 "a.yaml:2:3: server.low_water: server.low_water must be less than server.high_water "
	 "(lower server.low_water or raise server.high_water)"},
	{"server:\n  low_water: 2KiB\n  high_water: 2KiB\n",
	 "a.yaml:3:3: server.high_water: server.low_water must be less than server.high_water "
	 "(lower server.low_water or raise server.high_water)"},
	{"server:\n  queue_max: 4KiB\n",
	 "a.yaml:2:3: server.queue_max: server.queue_max must not be less than server.high_water "
	 "(raise server.queue_max or lower server.high_water)"},
};

START_TEST(a_bad_file_is_refused_with_its_place_and_a_hint)
{
	assert_refused(bad_files[_i].text, bad_files[_i].refusal);
}
END_TEST

START_TEST(a_file_may_use_blocks_braces_quotes_anchors_and_a_byte_order_mark)
{
	ck_assert_int_eq(load("\xef\xbb\xbf%YAML 1.1\n"
			      "---\n"
			      "ring: &anchored\n"
			      "  entries: \"64\"\n"
			      "  spin: '7us'\n"
			      "log: {level: info}\n"
			      "server: {}\n"
			      "...\n"),
			 0);

	assert_value(cfg, "ring.entries", "64");
	assert_value(cfg, "ring.spin", "7us");
	assert_value(cfg, "log.level", "info");
}
END_TEST

static const char *const lawful_pairs[] = {
	"ring: {sqpoll: auto}\nfeatures: {defer_taskrun: on}\n",
	"ring: {sqpoll: on}\n",
	"ring: {sqpoll: force}\nfeatures: {defer_taskrun: off}\n",
	"features: {single_issuer: off}\n",
	"features: {single_issuer: on, defer_taskrun: on}\n",
};

/* Where auto is one side of a pair, the loop leaves it out. */
START_TEST(a_pair_in_which_one_side_can_give_way_is_taken)
{
	ck_assert_int_eq(load(lawful_pairs[_i]), 0);
}
END_TEST

START_TEST(line_ends_of_other_systems_are_understood)
{
	ck_assert_int_eq(load("ring:\r\n  entries: 64\r\n"), 0);

	assert_value(cfg, "ring.entries", "64");
}
END_TEST

START_TEST(a_missing_file_is_named)
{
	ck_assert_int_eq(sfr_config_load(&cfg, "none.yaml", &err), -ENOENT);

	ck_assert_str_eq(err.file, "none.yaml");
	ck_assert_str_eq(err.message, "there is no such file");
	ck_assert_int_eq(sfr_config_load(&cfg, "none.yaml", NULL), -ENOENT);
	ck_assert_int_eq(sfr_config_load(&cfg, NULL, NULL), -ENOENT);
	ck_assert_ptr_null(cfg);
}
END_TEST

START_TEST(a_directory_is_no_file)
{
	ck_assert_int_eq(sfr_config_load(&cfg, ".", &err), -EISDIR);

	ck_assert_str_eq(err.message, "this is a directory, not a file");
}
END_TEST

/* Nobody writes into the pipe, and nobody listens on the socket. */
static void assert_no_file(const char *path, const char *message)
{
	ck_assert_int_eq(sfr_config_load(&cfg, path, &err), -SFR_ECONFIG);

	ck_assert_ptr_null(cfg);
	ck_assert_str_eq(err.file, path);
	ck_assert_str_eq(err.message, message);
}

START_TEST(what_is_no_file_is_refused_and_not_waited_for)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(mkfifo("pipe", 0600), 0);
	ck_assert_int_eq(symlink("pipe", "link"), 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);

	assert_no_file("pipe", "this is a pipe, not a file");
	assert_no_file("link", "this is a pipe, not a file");
	assert_no_file("socket", "this is a socket, not a file");
	assert_no_file("/dev/zero", "this is a device, not a file");
	assert_no_file("/dev/tty", "this is a device, not a file");
	close(listener);
}
END_TEST

/* What a device or a terminal does when it is opened must not happen, and what a pipe's writer sees. */
START_TEST(what_is_no_file_is_not_opened)
{
	int writer;

	ck_assert_int_eq(mkfifo("pipe", 0600), 0);
	assert_no_file("pipe", "this is a pipe, not a file");

	writer = open("pipe", O_WRONLY | O_NONBLOCK);
	ck_assert_int_eq(writer, -1);
	ck_assert_int_eq(errno, ENXIO); /* nobody reads */
}
END_TEST

START_TEST(the_environment_may_not_name_a_pipe_either)
{
	ck_assert_int_eq(mkfifo("pipe", 0600), 0);
	ck_assert_int_eq(setenv("SAFER_RING_CONFIG", "pipe", 1), 0);

	ck_assert_int_eq(load("engine: auto\n"), -SFR_ECONFIG);
	ck_assert_str_eq(err.file, "pipe");
	ck_assert_str_eq(err.message, "this is a pipe, not a file");
}
END_TEST

/* "S3cret" wherever a file that is no configuration, or one with a slip, may have what nobody is to be told. */
static const char *const secret_files[] = {
	"S3cret:$y$j9T$S3cret:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
	"S3cret\n",
	"-----BEGIN S3cret KEY-----\nS3cret\n",
	"S3cret: 1\n",
	"S3cret: {count: 1}\n",
	"S3cret: [1]\n",
	"S3cret.count: 1\n",
	"buffers.S3cret: 1\n",
	"buffers:\n  S3cret: 1\n",
	"buffers:\n  S3cret: {a: 1}\n",
	"buffers:\n  count.S3cret: 1\n",
	"buffers: S3cret\n",
	"buffers:\n  count: S3cret\n",
	"buffers:\n  count: {S3cret: 1}\n",
	"buffers:\n  count: 'S3cret\n  S3cret'\n",
	"buffers:\n  size: S3cret\n",
	"ring:\n  spin: S3cret\n",
	"server:\n  reuse_port: S3cret\n",
	"engine: S3cret\n",
	"engine: uringS3cret\n",
	"preset: S3cret\n",
	"engine: &S3cret auto\npreset: *S3cret\n",
	"engine: !S3cret auto\n",
	"engine: !!S3cret auto\n",
	"%S3cret 1\n---\n",
	"%YAML S3cret\n---\n",
	"engine: 'S3cret\n",
	"engine: {S3cret\n",
	"engine: @S3cret\n",
	"engine: \"\\S3cret\"\n",
	"\tS3cret: 1\n",
	"S3cret: a: b\n",
	"S3cret\xff\n",
	"? [S3cret]\n: 1\n",
	"engine: auto\n---\nS3cret: 1\n",
	"engine: auto\nengine: S3cret\n",
};

START_TEST(what_is_refused_is_not_told)
{
	char text[1024];

	ck_assert_int_eq(load(secret_files[_i]), -SFR_ECONFIG);

	ck_assert_int_lt(sfr_config_error_text(&err, text, sizeof(text)), (int)sizeof(text));
	ck_assert_msg(!strcasestr(text, "s3c"), "%s", text);
	ck_assert_uint_gt(err.line, 0); /* where to look is */
}
END_TEST

START_TEST(a_key_that_there_is_not_is_told_if_it_looks_like_one)
{
	static const char *const words[] = {
		"zebra",  "a_b", "a123",    "Zebra",
		"ze bra", "z-a", "z\\e[2J", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"};
	char file[128];

	for (int i = 0; i < COUNT_OF(words); i++) {
		(void)snprintf(file, sizeof(file), "\"%s\": 1\n", words[i]);
		ck_assert_int_eq(load(file), -SFR_ECONFIG);
		ck_assert_str_eq(err.key, i < 2 ? words[i] : "");
		ck_assert_str_eq(err.message, "there is no such key");
	}
}
END_TEST

/* A comment of that size, since only the size is to matter. */
static int load_comment(size_t size)
{
	char *text = malloc(size);
	int r;

	memset(text, '#', size);
	memcpy(text, "{}\n", 3);
	r = load_bytes(text, size);
	free(text);
	return r;
}

START_TEST(a_file_of_a_mebibyte_is_read_and_one_byte_more_is_not)
{
	ck_assert_int_eq(load_comment(1024 * 1024), 0);
	ck_assert_int_eq(load_comment(1024 * 1024 + 1), -SFR_ECONFIG);
}
END_TEST

START_TEST(noise_is_refused)
{
	size_t size = 1024 * 1024;
	char *noise = malloc(size);
	uint32_t state = (uint32_t)_i + 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525 + 1013904223;
		noise[i] = (char)(_i % 2 ? state >> 24
					 : ' ' + (state >> 24) % 95); /* or printable */
	}

	ck_assert_int_eq(load_bytes(noise, size), -SFR_ECONFIG);

	ck_assert_uint_gt(err.line, 0);
	free(noise);
}
END_TEST

START_TEST(a_nul_byte_is_refused_at_its_place)
{
	ck_assert_int_eq(load_bytes("a: b\nc: \0d\n", 11), -SFR_ECONFIG);

	ck_assert_uint_eq(err.line, 2);
	ck_assert_uint_eq(err.column, 4);
	ck_assert_str_eq(err.message, "there is a NUL byte here");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	static const char *const openings[] = {"[", "{a: ", "- ", "? "};
	size_t length = strlen(openings[_i]);
	size_t count = 1024 * 1024 / length;
	char *text = malloc(count * length + 1);

	for (size_t i = 0; i < count; i++)
		memcpy(text + i * length, openings[_i], length + 1);

	ck_assert_int_eq(load_bytes(text, count * length), -SFR_ECONFIG);
	free(text);
}
END_TEST

START_TEST(no_prefix_of_a_good_file_does_harm)
{
	static const char text[] = "preset: low_latency\n"
				   "ring: {entries: 64, spin: 9us}\n"
				   "log:\n"
				   "  level: \"debug\" # why\n"
				   "server:\n"
				   "  low_water: 2KiB\n"
				   "...\n";

	for (size_t size = 0; size < sizeof(text); size++) {
		int r = load_bytes(text, size);

		ck_assert(r == 0 || r == -SFR_ECONFIG);
	}
}
END_TEST

START_TEST(a_success_leaves_the_error_alone)
{
	(void)snprintf(err.message, sizeof(err.message), "before");

	ck_assert_int_eq(load("preset: default\n"), 0);

	ck_assert_str_eq(err.message, "before");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_file");
	TCase *tc = case_of(suite, "a file");

	tcase_add_loop_test(tc, a_bad_file_is_refused_with_its_place_and_a_hint, 0,
			    COUNT_OF(bad_files));
	tcase_add_test(tc, a_file_may_use_blocks_braces_quotes_anchors_and_a_byte_order_mark);
	tcase_add_loop_test(tc, a_pair_in_which_one_side_can_give_way_is_taken, 0,
			    COUNT_OF(lawful_pairs));
	tcase_add_test(tc, line_ends_of_other_systems_are_understood);
	tcase_add_test(tc, a_missing_file_is_named);
	tcase_add_test(tc, a_directory_is_no_file);
	tcase_add_test(tc, what_is_no_file_is_refused_and_not_waited_for);
	tcase_add_test(tc, what_is_no_file_is_not_opened);
	tcase_add_test(tc, the_environment_may_not_name_a_pipe_either);
	tcase_add_loop_test(tc, what_is_refused_is_not_told, 0, COUNT_OF(secret_files));
	tcase_add_test(tc, a_key_that_there_is_not_is_told_if_it_looks_like_one);
	tcase_add_test(tc, a_file_of_a_mebibyte_is_read_and_one_byte_more_is_not);
	tcase_add_loop_test(tc, noise_is_refused, 0, 4);
	tcase_add_test(tc, a_nul_byte_is_refused_at_its_place);
	tcase_add_loop_test(tc, deep_nesting_is_refused, 0, 4);
	tcase_add_test(tc, no_prefix_of_a_good_file_does_harm);
	tcase_add_test(tc, a_success_leaves_the_error_alone);
	return suite_run(suite);
}

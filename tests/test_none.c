/* SPDX-License-Identifier: MIT */
/*
 * A build without engine, as on a platform that has none: everything links, and no loop can be made.
 *
 * No libcheck here: this also runs where there is none.
 */
#include <safer_ring.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;
static char told[256];

static void hear(enum sfr_log_level level, const char *line, void *arg)
{
	(void)arg;
	if (level == SFR_LOG_ERROR)
		(void)snprintf(told, sizeof(told), "%s", line);
}

static void claim(const char *text, bool holds)
{
	if (holds)
		passed++;
	else
		failed++;
	if (!holds)
		printf("not ok - none: %s\n", text);
}

static void a_loop_cannot_be_made(void)
{
	static char untouched;
	sfr_loop *loop = (sfr_loop *)&untouched;

	sfr_log_to(hear, NULL);
	claim("making a loop is -ENOSYS", sfr_loop_new(&loop, NULL) == -ENOSYS);
	claim("and gives none", loop == (sfr_loop *)&untouched);
	claim("the log says why", strstr(told, "no engine") != NULL);
	claim("and what to do", strstr(told, "use Linux") != NULL);
	sfr_log_to(NULL, NULL);
	claim("nobody needs to listen", sfr_loop_new(&loop, NULL) == -ENOSYS);
}

static void what_needs_no_loop_works(void)
{
	claim("the loop of nobody ends", sfr_loop_free(NULL) == 0);
	claim("errors have names", strcmp(sfr_errname(-ENOSYS), "ENOSYS") == 0);
	sfr_buf_release(NULL);
	sfr_op_discard(NULL);
	claim("there is no buffer", sfr_buf_get(NULL, 0) == NULL);
	claim("and no operation", sfr_nop(NULL) == NULL);
	claim("so nothing is submitted", sfr_submit(NULL, NULL, NULL) == 0);
	claim("and nothing awaited", sfr_await(NULL, NULL) == -ENOMEM);
}

static void a_preset_can_be_read_and_changed(void)
{
	sfr_config *config = NULL;
	sfr_config_error error = {0};
	char value[32] = "";

	claim("the preset that looks at the machine is there",
	      sfr_config_new(&config, "auto_detect") == 0);
	sfr_config_free(config);
	claim("and the others are", sfr_config_new(&config, "low_latency") == 0);
	claim("a key is set", sfr_config_set(config, "buffers.count", "64", &error) == 0);
	claim("and read", sfr_config_get(config, "buffers.count", value, sizeof(value)) == 2 &&
				  strcmp(value, "64") == 0);
	claim("a wrong key is refused",
	      sfr_config_set(config, "buffers.cuont", "64", &error) == -SFR_ECONFIG);
	claim("with what was meant", strstr(error.hint, "buffers.count") != NULL);
	sfr_config_free(config);
}

/* With libyaml it is read; without, the error says so and not that the file is wrong. */
static void a_file_is_read_or_refused_by_name(const char *path)
{
	sfr_config *config = NULL;
	sfr_config_error error = {0};
	int r = sfr_config_load(&config, path, &error);

	claim("a file is read, or refused", r == 0 || r == -SFR_ECONFIG);
	if (r == -SFR_ECONFIG) {
		claim("as this build reads none", strstr(error.message, "reads no YAML") != NULL);
		claim("with another way", strstr(error.hint, "sfr_config_set()") != NULL);
		claim("and the name of the file", strcmp(error.file, path) == 0);
	}
	sfr_config_free(config);
	claim("a file that is not there is just that",
	      sfr_config_load(&config, "no/such/file.yaml", &error) == -ENOENT);
}

int main(int argc, char **argv)
{
	a_loop_cannot_be_made();
	what_needs_no_loop_works();
	a_preset_can_be_read_and_changed();
	if (argc > 1)
		a_file_is_read_or_refused_by_name(argv[1]);
	printf("%d passed, %d failed\n", passed, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * Commands: the table, the search for a name, and the helps. Also the commands that are of no other
 * file: they look at the facts, print, and turn what they found into an exit status.
 */
#include "commands.h"
#include "config.h"
#include "doctor.h"
#include "exit.h"
#include "ops.h"
#include "selftest.h"
#include "text.h"
#include <safer_ring/error.h>
#include <safer_ring/version.h>
#include <stdio.h>
#include <string.h>

enum { BRIEF_COLUMN = 36 };

static int doctor_run(const char *const *operands, bool json);
static int doctor_selftest(bool json);
static int ops_run(const char *const *operands, bool json);
static int version_run(const char *const *operands, bool json);

#define SOURCES                                                                                          \
	"\n"                                                                                             \
	"  PRESET   default, low_latency, high_throughput, development or auto_detect; a file of such\n" \
	"           a name is written ./default\n"                                                       \
	"  -        standard input\n"

/* clang-format off */
static const struct command commands[] = {
	{.name = "doctor", .operands = "", .json = true, .run = doctor_run,
	 .selftest = doctor_selftest,
	 .brief = "what this machine can do with io_uring, what blocks it, and the narrow fix",
	 .help = "Say in plain words what this machine can do with io_uring, what blocks it, and the narrow fix.\n"
		 "\n"
		 "Everything is found out by trying, in a process of its own: a seccomp filter that kills, kills\n"
		 "a child of that. Nothing is tried where SAFER_RING_ENGINE=epoll is set, or the file that\n"
		 "SAFER_RING_CONFIG names says engine: epoll. What is told is true for processes with the\n"
		 "privileges, limits, filters and cgroups of this one: run it where the program is to run.\n"
		 "\n"
		 "A feature is one of: present; missing in this kernel; broken in this kernel, and so not used;\n"
		 "forced, which is broken and used all the same; off, as the environment says.\n"
		 "\n"
		 "  --selftest   try the bugs of io_uring that the library knows of, and say which of them this\n"
		 "               kernel has, with a row for a report; takes some seconds at most, unless a bug\n"
		 "               hangs. What is not reproduced may be there all the same.\n",
	 .status = "0 if io_uring works, and loops use it; 1 if not: they use epoll, or cannot be made; "
		   "with --selftest 1 if a bug was reproduced and loops use the feature all the same, else 0"},
	{.name = "config check", .operands = "FILE|PRESET|-", .json = true, .run = config_check,
	 .operands_min = 1, .operands_max = 1,
	 .brief = "whether a configuration is valid, and what of it this machine will not do",
	 .help = "Say whether a configuration is valid. If it is not: FILE:LINE:COLUMN: KEY: what is wrong (what\n"
		 "to do about it), on standard error, or with --json on standard output. If it is: what of it\n"
		 "this machine will not do, and the narrow fix. The environment (SAFER_RING_CONFIG,\n"
		 "SAFER_RING_ENGINE) is not laid over it.\n" SOURCES,
	 .status = "0 if it is valid, also if this machine does not do all of it; 1 if it is refused, "
		   "or cannot be read"},
	{.name = "config show", .operands = "[FILE|PRESET|-]", .json = true, .run = config_show,
	 .operands_max = 1,
	 .brief = "the configuration that is in force, each value with its reason",
	 .help = "Show the configuration that is in force, every value with where it came from, as YAML that\n"
		 "gives the same configuration when loaded. What the preset auto_detect chooses comes with its\n"
		 "rule, what was seen of this machine, and how to change it. The environment\n"
		 "(SAFER_RING_CONFIG, SAFER_RING_ENGINE) is laid over what you name. If you name nothing: the\n"
		 "preset default.\n" SOURCES,
	 .status = "0 if it is shown; 1 if it is refused, or cannot be read"},
	{.name = "config reference", .operands = "", .run = config_reference,
	 .brief = "every key with its meaning, limits and default",
	 .help = "Print every key of the configuration with its meaning, limits and default, as YAML that loads\n"
		 "as the preset default.\n",
	 .status = "0"},
	{.name = "config path", .operands = "", .run = config_path,
	 .brief = "the directory that holds the presets, to copy from",
	 .help = "Print the directory that holds the presets: a file each, to copy, which says what it is good\n"
		 "for. With them is reference.yaml, which config reference prints.\n",
	 .status = "0; 1 if they are not installed"},
	{.name = "ops", .operands = "", .json = true, .run = ops_run,
	 .brief = "how each operation is done by io_uring and by epoll, and whether this kernel has it",
	 .help = "Show how each operation is done by the engine uring (opcodes of io_uring, and the Linux that\n"
		 "had them first) and by the engine epoll, and whether this kernel has it: yes; no; less, which\n"
		 "works without some feature; worker, which a thread of the loop's does for want of an opcode;\n"
		 "? where io_uring was not tried.\n",
	 .status = "0"},
	{.name = "help", .operands = "[COMMAND]",
	 .brief = "this text, or more about a command",
	 .help = "Print the list of commands, or what there is to know about one. COMMAND --help is the same.\n",
	 .status = "0"},
	{.name = "version", .operands = "", .run = version_run,
	 .brief = "the version of this program",
	 .help = "Print the version of this program. So do --version and -V.\n",
	 .status = "0"},
};
/* clang-format on */

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/*
 * Names.
 */

/* How many of these words are the name; 0 if they do not begin with it. */
static unsigned name_matches(const char *name, const char *const *words)
{
	unsigned used = 0;

	for (; *name; used++) {
		size_t length = strcspn(name, " ");

		if (!words[used] || strlen(words[used]) != length ||
		    strncmp(words[used], name, length) != 0)
			return 0;
		name += length + (name[length] == ' ');
	}
	return used;
}

const struct command *command_find(const char *const *words, unsigned *used_out)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		if ((*used_out = name_matches(commands[i].name, words)) > 0)
			return &commands[i];
	return NULL;
}

/* What of a command's name belongs into its group; NULL if it is of another. */
static const char *name_in(const struct command *command, const char *group)
{
	size_t length = strlen(group);

	if (length == 0)
		return command->name;
	return strncmp(command->name, group, length) == 0 && command->name[length] == ' '
		       ? command->name + length + 1
		       : NULL;
}

bool is_group(const char *word)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		if (*word && name_in(&commands[i], word))
			return true;
	return false;
}

/* Those that can be written next, each once; NULL ends them. How many there are. */
static unsigned words_collect(char words[COMMANDS][SFR__NEAREST_SIZE],
			      const char *list[COMMANDS + 1], const char *group)
{
	unsigned count = 0;

	for (unsigned i = 0; i < COMMANDS; i++) {
		const char *name = name_in(&commands[i], group);

		if (!name)
			continue;
		(void)snprintf(words[count], SFR__NEAREST_SIZE, "%.*s", (int)strcspn(name, " "),
			       name);
		if (count == 0 || strcmp(words[count], words[count - 1]) != 0) {
			list[count] = words[count];
			count++;
		}
	}
	list[count] = NULL;
	return count;
}

const char *command_nearest(char out[SFR__NEAREST_SIZE], const char *group, const char *word)
{
	char words[COMMANDS][SFR__NEAREST_SIZE];
	const char *list[COMMANDS + 1];

	(void)words_collect(words, list, group);
	return sfr__nearest_word(out, list, word);
}

const char *command_words(char out[COMMAND_WORDS_SIZE], const char *group)
{
	char words[COMMANDS][SFR__NEAREST_SIZE];
	const char *list[COMMANDS + 1];
	unsigned count = words_collect(words, list, group);
	size_t used = 0;

	for (unsigned i = 0; i < count && used < COMMAND_WORDS_SIZE; i++)
		used += (size_t)snprintf(out + used, COMMAND_WORDS_SIZE - used, "%s%s",
					 i == 0           ? ""
					 : i == count - 1 ? " or "
							  : ", ",
					 list[i]);
	return out;
}

/*
 * Helps.
 */

static const char *space_before(const char *text)
{
	return *text ? " " : "";
}

static void usage_write(const struct command *command, const char *begin)
{
	(void)printf("%s safer-ring %s%s%s%s%s\n", begin, command->name,
		     space_before(command->operands), command->operands,
		     command->selftest ? " [--selftest]" : "", command->json ? " [--json]" : "");
}

void command_help(const struct command *command)
{
	usage_write(command, "Usage:");
	(void)printf("%s\n%s  --help   this text\n\n", command->help,
		     command->json ? "  --json   print one JSON object\n" : "");
	text_words(
		stdout, 0,
		"Exit status: %s; 2 for a command line that makes no sense; 3 if it could not be "
		"found out, or not be written.",
		command->status);
}

static void all_help(void)
{
	char label[64];

	(void)fputs(
		"Usage: safer-ring COMMAND [OPTION]...\n"
		"See what this machine does with io_uring, and what a configuration means on it.\n"
		"\n",
		stdout);
	for (unsigned i = 0; i < COMMANDS; i++) {
		(void)snprintf(label, sizeof(label), "%s%s%s", commands[i].name,
			       space_before(commands[i].operands), commands[i].operands);
		text_row(stdout, BRIEF_COLUMN, label, "%s", commands[i].brief);
	}
	(void)putchar('\n');
	text_row(stdout, BRIEF_COLUMN, "--json",
		 "with doctor, ops, config check and config show: "
		 "print one JSON object");
	text_row(stdout, BRIEF_COLUMN, "--selftest",
		 "with doctor: try known bugs of io_uring on this kernel");
	text_row(stdout, BRIEF_COLUMN, "-h, --help", "this text; after a command, more about it");
	text_row(stdout, BRIEF_COLUMN, "-V, --version", "the version of this program");
	(void)fputs(
		"\n"
		"Exit status: 0 for good news; 1 for bad: io_uring is not used, the file is refused; 2 for\n"
		"a command line that makes no sense; 3 if the program could not find out, or not write.\n",
		stdout);
}

void group_help(const char *group)
{
	const char *begin = "Usage:";

	if (!*group) {
		all_help();
		return;
	}
	for (unsigned i = 0; i < COMMANDS; i++)
		if (name_in(&commands[i], group)) {
			usage_write(&commands[i], begin);
			begin = "      ";
		}
	(void)putchar('\n');
	for (unsigned i = 0; i < COMMANDS; i++)
		if (name_in(&commands[i], group))
			text_row(stdout, BRIEF_COLUMN, commands[i].name, "%s", commands[i].brief);
	(void)printf("\nsafer-ring help %s COMMAND says more.\n", group);
}

/*
 * Those that are of no other file.
 */

static int trouble(int r)
{
	(void)fprintf(stderr, "safer-ring: it could not be found out: %s\n", sfr_strerror(r));
	return EXIT_TROUBLE;
}

static int doctor_run(const char *const *operands, bool json)
{
	struct facts *facts;
	int r = facts_look(&facts, facts_configure_default, NULL);
	int status;

	(void)operands;
	if (r < 0) {
		status = trouble(r);
	} else {
		(json ? doctor_json : doctor_text)(stdout, facts);
		status = doctor_status(facts);
	}
	facts_free(facts);
	return status;
}

static int doctor_selftest(bool json)
{
	struct facts *facts;
	struct selftest selftest;
	int r = facts_look(&facts, facts_configure_default, NULL);
	int status;

	if (r < 0) {
		status = trouble(r);
	} else {
		selftest_run(&selftest, facts);
		(json ? selftest_json : selftest_text)(stdout, &selftest);
		status = facts->probing == FACTS_STUCK ? EXIT_TROUBLE : selftest_status(&selftest);
	}
	facts_free(facts);
	return status;
}

static int ops_run(const char *const *operands, bool json)
{
	struct facts *facts;
	int r = facts_look(&facts, facts_configure_default, NULL);
	int status = EXIT_TROUBLE;

	(void)operands;
	if (r < 0) {
		status = trouble(r);
	} else {
		(json ? ops_json : ops_text)(stdout, facts);
		if (facts->probing != FACTS_STUCK)
			status = EXIT_FINE;
	}
	facts_free(facts);
	return status;
}

static int version_run(const char *const *operands, bool json)
{
	(void)operands, (void)json;
	(void)printf("safer-ring %s\n", sfr_version());
	return EXIT_FINE;
}

/*
 * safer-ring: what the library sees of a machine and of a configuration, for people and for scripts.
 */
#include "safer_ring_config.h"
#include "safer_ring_doctor.h"
#include "safer_ring_exit.h"
#include "safer_ring_ops.h"
#include "safer_ring_selftest.h"
#include "config_error.h"
#include "config_nearest.h"
#include <safer_ring/error.h>
#include <safer_ring/version.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct command {
	const char *name; /* as written after safer-ring */
	const char *help;
	unsigned operands_min, operands_max;
	int (*run)(const char *operand, bool json);
	int (*selftest)(bool json); /* instead, with --selftest; NULL: it has no such option */
};

static const char help[] =
	"Usage: safer-ring COMMAND [OPTION]...\n"
	"See what this machine does with io_uring, and what a configuration means on it.\n"
	"\n"
	"  doctor                     what this machine can do with io_uring, what blocks it, and the\n"
	"                             narrow fix\n"
	"  config check FILE          whether a configuration is valid, and what of it this machine\n"
	"                             will not do\n"
	"  config show [FILE|PRESET]  the configuration that is in force, each value with its reason\n"
	"  ops                        how each operation is done by io_uring and by epoll, and\n"
	"                             whether this kernel has it\n"
	"\n"
	"  --selftest                 with doctor: try known bugs of io_uring on this kernel\n"
	"  --json                     with any of them: print one JSON object\n"
	"  --help                     this text; after a command, more about it\n"
	"  --version                  the version of this program\n"
	"\n"
	"Exit status: 0 for good news; 1 for bad: io_uring is not used, the file is refused; 2 for a\n"
	"command line that makes no sense; 3 if the program could not find out, or not write.\n";

static const char doctor_help[] =
	"Usage: safer-ring doctor [--selftest] [--json]\n"
	"Say in plain words what this machine can do with io_uring, what blocks it, and the narrow fix.\n"
	"\n"
	"Everything is found out by trying, in a process of its own: a seccomp filter that kills, kills\n"
	"a child of that. Nothing is tried where SAFER_RING_ENGINE=epoll is set, or the file that\n"
	"SAFER_RING_CONFIG names says engine: epoll. What is told is true for processes with the\n"
	"privileges, limits, filters and cgroups of this one: run it where the program is to run.\n"
	"\n"
	"  --selftest   try the bugs of io_uring that the library knows of, and say which of them this\n"
	"               kernel has, with a row for a report; takes some seconds at most, unless a bug\n"
	"               hangs. What is not reproduced may be there all the same.\n"
	"  --json       print one JSON object\n"
	"  --help       this text\n"
	"\n"
	"A feature is one of: present; missing in this kernel; broken in this kernel, and so not used;\n"
	"forced, which is broken and used all the same; off, as the environment says.\n"
	"\n"
	"Exit status: 0 if io_uring works, and loops use it; 1 if not: they use epoll, or cannot be\n"
	"made; 2 for a command line that makes no sense; 3 if it could not be found out. With --selftest\n"
	"0 if loops are kept from each bug that showed, 1 if not.\n";

static const char check_help[] =
	"Usage: safer-ring config check FILE [--json]\n"
	"Say whether a configuration is valid. If it is not: FILE:LINE:COLUMN: KEY: what is wrong (what\n"
	"to do about it), on standard error. If it is: what of it this machine will not do, and the\n"
	"narrow fix. The environment (SAFER_RING_CONFIG, SAFER_RING_ENGINE) is not laid over the file.\n"
	"\n"
	"  --json   print one JSON object, on standard output in any case\n"
	"  --help   this text\n"
	"\n"
	"Exit status: 0 if it is valid, also if this machine does not do all of it; 1 if it is refused,\n"
	"or cannot be read; 2 for a command line that makes no sense; 3 if it could not be found out.\n";

static const char show_help[] =
	"Usage: safer-ring config show [FILE|PRESET] [--json]\n"
	"Show the configuration that is in force, every value with where it came from, as YAML that\n"
	"gives the same configuration when loaded. What the preset auto_detect chooses comes with its\n"
	"rule, what was seen of this machine, and how to change it. The environment\n"
	"(SAFER_RING_CONFIG, SAFER_RING_ENGINE) is laid over the file or preset.\n"
	"\n"
	"  PRESET   default, low_latency, high_throughput, development or auto_detect. A file of such\n"
	"           a name is written ./default. Without FILE and PRESET: the preset default.\n"
	"  --json   print one JSON object\n"
	"  --help   this text\n"
	"\n"
	"Exit status: 0 if it is shown; 1 if it is refused, or cannot be read; 2 for a command line that\n"
	"makes no sense; 3 if it could not be written.\n";

static const char ops_help[] =
	"Usage: safer-ring ops [--json]\n"
	"Show how each operation is done by the engine uring (opcodes of io_uring, and the Linux that\n"
	"had them first) and by the engine epoll, and whether this kernel has it: yes; no; less, which\n"
	"works without some feature; ? where io_uring was not tried.\n"
	"\n"
	"  --json   print one JSON object\n"
	"  --help   this text\n"
	"\n"
	"Exit status: 0; 2 for a command line that makes no sense; 3 if it could not be found out.\n";

static const char config_help[] =
	"Usage: safer-ring config check FILE [--json]\n"
	"       safer-ring config show [FILE|PRESET] [--json]\n"
	"Check a configuration, or show the one that is in force. Each of them has a --help.\n";

/*
 * The commands.
 */

static int trouble(int r)
{
	(void)fprintf(stderr, "safer-ring: it could not be found out: %s\n", sfr_strerror(r));
	return EXIT_TROUBLE;
}

static int doctor_run(const char *operand, bool json)
{
	struct facts *facts;
	int r = facts_look(&facts, facts_configure_default, NULL);
	int status;

	(void)operand;
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

static int ops_run(const char *operand, bool json)
{
	struct facts *facts;
	int r = facts_look(&facts, facts_configure_default, NULL);
	int status = EXIT_TROUBLE;

	(void)operand;
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

static const struct command commands[] = {
	{"doctor", doctor_help, 0, 0, doctor_run, doctor_selftest},
	{"config check", check_help, 1, 1, config_check, NULL},
	{"config show", show_help, 0, 1, config_show, NULL},
	{"ops", ops_help, 0, 0, ops_run, NULL},
};

/* For guesses; the first part of a name, and the second of one that has two. */
static const char *const command_words[] = {"doctor", "config", "ops", NULL};
static const char *const config_words[] = {"check", "show", NULL};
static const char *const option_words[] = {"--json", "--selftest", "--help", "--version", NULL};

/*
 * The command line.
 */

struct line {
	const char *words[8]; /* what is no option; more than any command takes */
	unsigned count;
	bool json, selftest, help, version;
};

/* Say what makes no sense, and what might have been meant. `guess` may be NULL. */
__attribute__((format(printf, 3, 4), noreturn)) static void
refuse(const char *command, const char *guess, const char *format, ...)
{
	char text[256], plain[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sfr__config_plain(plain, sizeof(plain), text);
	(void)fprintf(stderr, "safer-ring: %s%s%s%s\nTry safer-ring %s%s--help.\n", plain,
		      guess ? " (did you mean " : "", guess ? guess : "", guess ? "?)" : "",
		      command, command[0] ? " " : "");
	exit(EXIT_USAGE);
}

static bool option_take(struct line *line, const char *text)
{
	if (strcmp(text, "--json") == 0)
		return line->json = true;
	if (strcmp(text, "--selftest") == 0)
		return line->selftest = true;
	if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)
		return line->help = true;
	if (strcmp(text, "--version") == 0)
		return line->version = true;
	return false;
}

/* Returns the first option that there is not, or NULL. */
static const char *line_read(struct line *line, int argc, char **argv)
{
	const char *unknown = NULL;
	bool options = true;

	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1]) {
			if (!option_take(line, argv[i]) && !unknown)
				unknown = argv[i];
		} else if (line->count < sizeof(line->words) / sizeof(line->words[0])) {
			line->words[line->count++] = argv[i];
		}
	}
	return unknown;
}

/* How many words the name of a command takes, if the line starts with it; 0 if not. */
static unsigned command_words_of(const struct command *command, const struct line *line)
{
	const char *space = strchr(command->name, ' ');
	size_t length = space ? (size_t)(space - command->name) : strlen(command->name);

	if (line->count == 0 || strlen(line->words[0]) != length ||
	    strncmp(line->words[0], command->name, length) != 0)
		return 0;
	if (!space)
		return 1;
	return line->count > 1 && strcmp(line->words[1], space + 1) == 0 ? 2 : 0;
}

__attribute__((noreturn)) static void command_refuse(const struct line *line)
{
	char guess[SFR__NEAREST_SIZE];

	if (line->count == 0)
		refuse("", NULL, "a command is missing: doctor, config check, config show or ops");
	if (strcmp(line->words[0], "config") != 0)
		refuse("", sfr__nearest_word(guess, command_words, line->words[0]),
		       "there is no command '%s'", line->words[0]);
	if (line->count == 1)
		refuse("config", NULL, "config: what to do is missing: check FILE or show");
	refuse("config", sfr__nearest_word(guess, config_words, line->words[1]),
	       "config: there is no command '%s'", line->words[1]);
}

static int command_run(const struct command *command, unsigned used, const struct line *line)
{
	unsigned operands = line->count - used;

	if (operands < command->operands_min)
		refuse(command->name, NULL, "%s: the FILE is missing", command->name);
	if (operands > command->operands_max)
		refuse(command->name, NULL, "%s: '%s' is one argument too many", command->name,
		       line->words[used + command->operands_max]);
	if (line->selftest && !command->selftest)
		refuse(command->name, NULL, "%s: there is no option '--selftest', which doctor has",
		       command->name);
	if (line->selftest)
		return command->selftest(line->json);
	return command->run(operands > 0 ? line->words[used] : NULL, line->json);
}

static int show(const char *text)
{
	(void)fputs(text, stdout);
	return EXIT_FINE;
}

static int line_run(const struct line *line, const char *unknown)
{
	const struct command *command = NULL;
	char guess[SFR__NEAREST_SIZE];
	unsigned used = 0;

	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]) && used == 0; i++) {
		command = &commands[i];
		used = command_words_of(command, line);
	}
	if (unknown)
		refuse(used > 0 ? command->name : "",
		       sfr__nearest_word(guess, option_words, unknown), "there is no option '%s'",
		       unknown);
	if (line->version)
		return printf("safer-ring %s\n", sfr_version()) < 0 ? EXIT_TROUBLE : EXIT_FINE;
	if (line->help && used > 0)
		return show(command->help);
	if (line->help && line->count == 0)
		return show(help);
	if (line->help && line->count == 1 && strcmp(line->words[0], "config") == 0)
		return show(config_help);
	if (used == 0)
		command_refuse(line);
	return command_run(command, used, line);
}

int main(int argc, char **argv)
{
	struct line line = {0};
	const char *unknown = line_read(&line, argc, argv);
	int status = line_run(&line, unknown);

	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)fputs("safer-ring: standard output cannot be written\n", stderr);
		return EXIT_TROUBLE;
	}
	return status;
}

/* SPDX-License-Identifier: MIT */
/*
 * safer-ring: what the library sees of a machine and of a configuration, for people and for scripts.
 */
#include "commands.h"
#include "exit.h"
#include "config/error.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct line {
	const char *words[8]; /* what is no option, and NULL; more than any command takes */
	unsigned count;
	bool json, selftest, help, version;
};

static const char *const option_words[] = {"--json", "--selftest", "--help", "--version", NULL};

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
	if (strcmp(text, "--version") == 0 || strcmp(text, "-V") == 0)
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
		} else if (line->count + 1 < sizeof(line->words) / sizeof(line->words[0])) {
			line->words[line->count++] = argv[i];
		}
	}
	return unknown;
}

/* These words are no command: what might have been meant, and what there is. */
__attribute__((noreturn)) static void command_refuse(const char *const *words)
{
	char guess[SFR__NEAREST_SIZE], all[COMMAND_WORDS_SIZE];

	if (!words[0])
		refuse("", NULL, "a command is missing: %s", command_words(all, ""));
	if (!is_group(words[0]))
		refuse("", command_nearest(guess, "", words[0]), "there is no command '%s'",
		       words[0]);
	if (!words[1])
		refuse(words[0], NULL, "%s: what to do is missing: %s", words[0],
		       command_words(all, words[0]));
	refuse(words[0], command_nearest(guess, words[0], words[1]), "%s: there is no command '%s'",
	       words[0], words[1]);
}

static int command_run(const struct command *command, const char *const *operands,
		       const struct line *line)
{
	unsigned count = 0;

	while (operands[count])
		count++;
	if (line->json && !command->json)
		refuse(command->name, NULL, "%s: it has no --json", command->name);
	if (line->selftest && !command->selftest)
		refuse(command->name, NULL, "%s: it has no --selftest", command->name);
	if (count < command->operands_min)
		refuse(command->name, NULL, "%s: %s is missing", command->name, command->operands);
	if (count > command->operands_max)
		refuse(command->name, NULL, "%s: '%s' is one argument too many", command->name,
		       operands[command->operands_max]);
	return line->selftest ? command->selftest(line->json) : command->run(operands, line->json);
}

static int help_write(const struct command *command, const char *const *words)
{
	if (command)
		command_help(command);
	else if (!words[0])
		group_help("");
	else if (is_group(words[0]) && !words[1])
		group_help(words[0]);
	else
		command_refuse(words);
	return EXIT_FINE;
}

static int line_run(const struct line *line, const char *unknown)
{
	const char *const *words = line->words;
	char guess[SFR__NEAREST_SIZE];
	unsigned used;
	const struct command *command = command_find(words, &used);
	bool help = line->help;

	if (unknown)
		refuse(command ? command->name : "",
		       sfr__nearest_word(guess, option_words, unknown), "there is no option '%s'",
		       unknown);
	if (line->version)
		command = command_find((const char *const[]){"version", NULL}, &used);
	if (command && !command->run && !help) { /* help: of what follows */
		help = true;
		words += used;
		command = command_find(words, &used);
		if (command && words[used])
			refuse("help", NULL, "help: '%s' is one argument too many", words[used]);
	}
	if (help)
		return help_write(command, words);
	if (!command)
		command_refuse(words);
	return command_run(command, line->version ? words + line->count : words + used, line);
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

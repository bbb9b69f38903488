/* SPDX-License-Identifier: MIT */
/*
 * Configuration: what YAML files, presets and code say about a loop.
 *
 * One table in the library holds every key with its type, limits, default and meaning: `safer-ring config
 * reference` prints it. Where a key is set more than once, the strongest wins:
 * preset < file < environment (SAFER_RING_CONFIG names a file, SAFER_RING_ENGINE an engine) < code.
 *
 * A program that is set-uid or set-gid, or whose file has capabilities, ignores these two variables: its user sets
 * them, and must not choose which files it reads or how it works.
 *
 * Messages about a file name the line and column, and quote nothing but keys: those of the table, and unknown ones
 * that look like a key (up to 40 characters of a-z, _ and .). So a message never reveals what else is in the file,
 * and can be logged even if somebody named a file that they may not read. Only regular files are read, of up to
 * 1 MiB. Pipes, sockets and devices are refused without being opened.
 */
#ifndef SAFER_RING_CONFIG_H
#define SAFER_RING_CONFIG_H

#include <safer_ring/base.h>
#include <stdio.h>

SFR_BEGIN_DECLS

/** What was refused, where, and what to do. Strings are empty where there is nothing to say. */
typedef struct sfr_config_error {
	char file[256];  /**< The file, as it was named. */
	unsigned line;   /**< From 1; 0 if no line is to blame. */
	unsigned column; /**< From 1; 0 if no column is to blame. */
	char key[64];    /**< The full key, "buffers.count"; empty if it does not look like one. */
	char message[256]; /**< What is wrong, in a sentence without full stop. */
	char hint[256];    /**< What to do about it. */
} sfr_config_error;

/**
 * Make a configuration from a preset and the environment.
 *
 * @param out    Receives it, yours until sfr_config_free(). Written on success only.
 * @param preset "default", "low_latency", "high_throughput", "development" or "auto_detect"; NULL is
 *               "default".
 * @return 0; -SFR_ECONFIG for an unknown preset or a bad environment; -ENOMEM.
 * @thread Any.
 * @since 0.1
 */
SFR_API int sfr_config_new(sfr_config **out, const char *preset);

/**
 * Make a configuration from a YAML file and the environment.
 *
 * @param out  Receives it, yours until sfr_config_free(). Written on success only.
 * @param path The file.
 * @param err  Filled when the result is -SFR_ECONFIG, or the file cannot be read. May be NULL.
 * @return 0; -SFR_ECONFIG, also for what is no file, and from a library built without libyaml, which
 *         reads none; -ENOMEM; -errno if the file cannot be read: -ENOENT, -EACCES, -EISDIR.
 * @thread Any.
 * @since 0.1
 */
SFR_API int sfr_config_load(sfr_config **out, const char *path, sfr_config_error *err);

/**
 * Set one key, as a file would: sfr_config_set(cfg, "buffers.size", "16KiB", NULL).
 *
 * @param err Filled when the result is -SFR_ECONFIG. May be NULL.
 * @return 0; -SFR_ECONFIG, and nothing changed.
 * @thread One at a time per configuration.
 * @since 0.1
 */
SFR_API int sfr_config_set(sfr_config *cfg, const char *key, const char *value,
			   sfr_config_error *err);

/**
 * Read one key, as a file would write it.
 *
 * @param value_out Receives a string, cut to fit and always terminated. May be NULL if size is 0.
 * @return The length of the whole value; -SFR_ECONFIG for an unknown key.
 * @thread One at a time per configuration.
 * @since 0.1
 */
SFR_API int sfr_config_get(const sfr_config *cfg, const char *key, char *value_out, size_t size);

/**
 * Write the effective configuration as YAML, each value with where it came from. Loading the result
 * gives the same configuration.
 *
 * @return 0, or -EIO.
 * @thread One at a time per configuration.
 * @since 0.1
 */
SFR_API int sfr_config_write(const sfr_config *cfg, FILE *out);

/** Free a configuration. Loops made with it do not need it. NULL is nothing. @since 0.1 */
SFR_API void sfr_config_free(sfr_config *cfg);

/**
 * Write an error as people expect it of a compiler: "FILE:LINE:COLUMN: KEY: MESSAGE (HINT)".
 *
 * @return The number of characters the whole text has.
 * @thread Any.
 * @since 0.1
 */
SFR_API int sfr_config_error_text(const sfr_config_error *err, char *out, size_t size);

SFR_END_DECLS

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A whole file in memory.
 */
#ifndef SFR_LIB_CONFIG_FILE_H
#define SFR_LIB_CONFIG_FILE_H

#include <safer_ring/config.h>

/* No configuration written by people comes near this. */
enum { SFR__CONFIG_FILE_MAX = 1024 * 1024 };

/*
 * Read it, at most the limit and a byte. text_out is to be freed, and is not terminated. 0; -ENOMEM; -SFR_ECONFIG
 * for what is too large, a pipe, a socket or a device; -errno.
 */
int sfr__config_file_read(const char *path, char **text_out, size_t *size_out,
			  sfr_config_error *err);

/* The same of what is open, whatever it is, from where it is to its end. */
int sfr__config_fd_read(int fd, char **text_out, size_t *size_out, sfr_config_error *err);

#endif

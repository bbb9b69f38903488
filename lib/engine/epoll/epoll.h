/* SPDX-License-Identifier: MIT */
/*
 * The engine for where there is no io_uring.
 */
#ifndef SFR_LIB_ENGINE_EPOLL_EPOLL_H
#define SFR_LIB_ENGINE_EPOLL_EPOLL_H

#include "engine/engine.h"

/* 0; -ENOMEM, -EMFILE. Makes no system call of io_uring, ever. */
int sfr__epoll_open(struct sfr__engine **out, const struct sfr__settings *settings);

#endif

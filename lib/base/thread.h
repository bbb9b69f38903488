/* SPDX-License-Identifier: MIT */
/*
 * Thread: which thread this is, as cheaply as it can be asked.
 */
#ifndef SFR_LIB_BASE_THREAD_H
#define SFR_LIB_BASE_THREAD_H

#include <stdint.h>

/* The number of this thread; 0 until it is asked for. initial-exec: no call to find it. */
extern _Thread_local uintptr_t sfr__thread_number __attribute__((tls_model("initial-exec")));

/* Gives the calling thread a number: even, not 0, and never given again. */
uintptr_t sfr__thread_number_new(void);

static inline uintptr_t sfr__thread_self(void)
{
	uintptr_t number = sfr__thread_number;

	return __builtin_expect(number != 0, 1) ? number : sfr__thread_number_new();
}

/* Tell the processor that this thread is spinning. */
static inline void sfr__relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif

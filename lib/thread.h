/*
 * Thread: which thread this is, as cheaply as it can be asked.
 */
#ifndef SFR_LIB_THREAD_H
#define SFR_LIB_THREAD_H

#include <stdint.h>

/* Its address, an even one, is different in every living thread. initial-exec: no call to find it. */
extern _Thread_local uint16_t sfr__thread_mark __attribute__((tls_model("initial-exec")));

static inline uintptr_t sfr__thread_self(void)
{
	return (uintptr_t)&sfr__thread_mark;
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

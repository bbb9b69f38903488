/* SPDX-License-Identifier: MIT */
/*
 * What a libcheck made with glibc asks of it, for tests with musl.
 *
 * Debian has libcheck for glibc only. Static, it needs of glibc just the checking forms of some
 * functions, which the compiler put in their places; here they are, without the checks. It also
 * registers a thread's clean-up for cancellation: no test cancels a thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

int __printf_chk(int flag, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __vfprintf_chk(FILE *file, int flag, const char *format, va_list args);
int __snprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, ...);
int __vsnprintf_chk(char *out, size_t size, int flag, size_t room, const char *format,
		    va_list args);
_Noreturn void __longjmp_chk(jmp_buf to, int value);
void __pthread_register_cancel(void *buffer);
void __pthread_unregister_cancel(void *buffer);

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list args)
{
	(void)flag;
	return vfprintf(file, format, args);
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = __vfprintf_chk(file, flag, format, args);
	va_end(args);
	return r;
}

int __printf_chk(int flag, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = __vfprintf_chk(stdout, flag, format, args);
	va_end(args);
	return r;
}

int __vsnprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, va_list args)
{
	(void)flag;
	(void)room;
	return vsnprintf(out, size, format, args);
}

int __snprintf_chk(char *out, size_t size, int flag, size_t room, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = __vsnprintf_chk(out, size, flag, room, format, args);
	va_end(args);
	return r;
}

void __longjmp_chk(jmp_buf to, int value)
{
	longjmp(to, value);
}

void __pthread_register_cancel(void *buffer)
{
	(void)buffer;
}

void __pthread_unregister_cancel(void *buffer)
{
	(void)buffer;
}

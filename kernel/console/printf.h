/* Formatted text into a buffer, without a C library.  Pure. */
#ifndef BATON_CONSOLE_PRINTF_H
#define BATON_CONSOLE_PRINTF_H

#include <stdarg.h>
#include <stddef.h>

/**
 * str_vformat() - format text
 * @buf:  where the text goes; may be NULL if @size is 0
 * @size: bytes of @buf, the terminating NUL included
 *
 * Conversions %s %c %d %i %u %x %X %p %%, flags '-', '0' and '#', width and precision (digits
 * or '*'), lengths hh h l ll z j.  %p is 0x and 16 digits.  Anything else prints itself, and so
 * does all that follows, since nobody knows where its arguments are.
 * Return: the length of the whole text without NUL, also when @buf was too small for it.
 * The text is always terminated if @size is not 0.
 */
int str_vformat(char *buf, size_t size, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
int str_format(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

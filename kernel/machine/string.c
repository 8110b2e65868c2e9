/* The C library functions that the compiler, libfdt and we ourselves call.  Built with
 * -fno-builtin, so that no loop here becomes a call to the function it implements. */
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* REP MOVSB and STOSB are fast for all sizes that matter here (ERMS) and short. */
static void copy_up(void *dst, const void *src, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) :: "memory");
}

static void copy_down(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	while (n >= sizeof(uint64_t)) {
		uint64_t word;

		n -= sizeof(word);
		__builtin_memcpy(&word, &s[n], sizeof(word));	/* two instructions, no call */
		__builtin_memcpy(&d[n], &word, sizeof(word));
	}
	while (n-- > 0)
		d[n] = s[n];
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	copy_up(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	/* Wraps to a large number when @dst is below @src: copying upwards is right there. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		copy_up(dst, src, n);
	else
		copy_down(dst, src, n);
	return dst;
}

void *memset(void *dst, int byte, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(byte) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

void *memchr(const void *s, int byte, size_t n)
{
	const unsigned char *p = s;

	for (size_t i = 0; i < n; i++)
		if (p[i] == (unsigned char)byte)
			return (void *)(uintptr_t)&p[i];
	return NULL;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)(uintptr_t)last;
	}
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++)
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A') + 10;
	return UINT_MAX;
}

/* C11 7.22.1.4 without errno: too large a number gives ULONG_MAX. */
unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
	const char *p = s, *done = s;
	unsigned long v = 0;
	int negative = 0, overflow = 0;

	while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
		p++;
	if (*p == '+' || *p == '-')
		negative = *p++ == '-';
	if ((base == 0 || base == 16) && p[0] == '0' && (p[1] | 0x20) == 'x' &&
	    digit_value(p[2]) < 16) {
		p += 2;
		base = 16;
	} else if (base == 0) {
		base = *p == '0' ? 8 : 10;
	}
	for (unsigned d; (d = digit_value(*p)) < (unsigned)base; p++) {
		if (v > (ULONG_MAX - d) / (unsigned)base)
			overflow = 1;
		v = v * (unsigned)base + d;
		done = p + 1;
	}
	if (end)
		*end = (char *)(uintptr_t)done;
	if (overflow)
		return ULONG_MAX;
	return negative ? 0 - v : v;
}

#include "kernel/console/printf.h"

#include <limits.h>
#include <string.h>

#include "base.h"

struct out {
	char *buf;
	size_t size;		/* of @buf, NUL included */
	size_t len;		/* of the whole text, also what did not fit */
};

struct conversion {
	bool left, zero, prefix;	/* flags '-', '0', '#' */
	int width, precision;	/* precision < 0: not given */
	unsigned bytes;		/* of the integer argument */
	char type;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_text(struct out *o, const struct conversion *cv, const char *s)
{
	const size_t max = cv->precision >= 0 ? (size_t)cv->precision : INT_MAX;
	const int len = (int)strnlen(s, max);

	if (!cv->left)
		pad(o, ' ', cv->width - len);
	for (int i = 0; i < len; i++)
		put(o, s[i]);
	if (cv->left)
		pad(o, ' ', cv->width - len);
}

/* @prefix is the sign or "0x" and stands before the zeroes. */
static void put_number(struct out *o, const struct conversion *cv, const char *prefix,
		       uint64_t v, unsigned base)
{
	const char *alphabet = cv->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char digits[20];	/* of UINT64_MAX in decimal */
	int n = 0, zeroes, blanks;

	for (; v; v /= base)
		digits[n++] = alphabet[v % base];
	zeroes = (cv->precision < 0 ? 1 : cv->precision) - n;
	blanks = cv->width - (int)strlen(prefix) - n - MAX(zeroes, 0);
	if (cv->zero && !cv->left && cv->precision < 0) {
		zeroes = MAX(zeroes, 0) + MAX(blanks, 0);
		blanks = 0;
	}
	if (!cv->left)
		pad(o, ' ', blanks);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeroes);
	while (n > 0)
		put(o, digits[--n]);
	if (cv->left)
		pad(o, ' ', blanks);
}

static const char *parse_number(const char *p, int *n)
{
	*n = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (*n < 10000)
			*n = *n * 10 + (*p - '0');
	return p;
}

static const char *parse_length(const char *p, unsigned *bytes)
{
	*bytes = sizeof(int);
	if (p[0] == 'h') {
		*bytes = p[1] == 'h' ? sizeof(char) : sizeof(short);
		return p + (p[1] == 'h' ? 2 : 1);
	}
	if (*p == 'l' || *p == 'z' || *p == 'j') {
		*bytes = sizeof(uint64_t);
		return p + (p[0] == 'l' && p[1] == 'l' ? 2 : 1);
	}
	return p;
}
static_assert(sizeof(long) == 8 && sizeof(size_t) == 8 && sizeof(intmax_t) == 8,
	      "l, ll, z and j are one size");

/* The value as an argument of @bytes bytes would hold it. */
static uint64_t narrow(uint64_t v, unsigned bytes, bool is_signed)
{
	switch (bytes) {
	case 1: return is_signed ? (uint64_t)(int8_t)v : (uint8_t)v;
	case 2: return is_signed ? (uint64_t)(int16_t)v : (uint16_t)v;
	case 4: return is_signed ? (uint64_t)(int32_t)v : (uint32_t)v;
	}
	return v;
}

/* @p stands behind the '%'.  Returns what follows the conversion's type; its arguments for
 * width and precision are taken. */
static const char *parse_conversion(const char *p, struct conversion *cv, va_list *ap)
{
	for (; *p == '-' || *p == '0' || *p == '#'; p++) {
		cv->left |= *p == '-';
		cv->zero |= *p == '0';
		cv->prefix |= *p == '#';
	}
	if (*p == '*') {
		cv->width = va_arg(*ap, int);
		cv->left |= cv->width < 0;
		cv->width = cv->width < 0 ? -MAX(cv->width, -INT_MAX) : cv->width;
		p++;
	} else {
		p = parse_number(p, &cv->width);
	}
	if (*p == '.') {
		p++;
		if (*p == '*') {
			cv->precision = va_arg(*ap, int);
			p++;
		} else {
			p = parse_number(p, &cv->precision);
		}
	}
	p = parse_length(p, &cv->bytes);
	cv->type = *p;
	return *p ? p + 1 : p;
}

static uint64_t take_integer(const struct conversion *cv, va_list *ap)
{
	const uint64_t v = cv->bytes == 8 ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned);

	return narrow(v, cv->bytes, cv->type == 'd' || cv->type == 'i');
}

/* False if there is no such conversion; nothing is taken or written then. */
static bool convert(struct out *o, struct conversion *cv, va_list *ap)
{
	uint64_t v;
	const char *s;

	switch (cv->type) {
	case '%':
		put(o, '%');
		return true;
	case 'c':
		pad(o, ' ', cv->left ? 0 : cv->width - 1);
		put(o, (char)va_arg(*ap, int));
		pad(o, ' ', cv->left ? cv->width - 1 : 0);
		return true;
	case 's':
		s = va_arg(*ap, const char *);
		put_text(o, cv, s ? s : "(null)");
		return true;
	case 'd':
	case 'i':
		v = take_integer(cv, ap);
		put_number(o, cv, v >> 63 ? "-" : "", v >> 63 ? 0 - v : v, 10);
		return true;
	case 'u':
		put_number(o, cv, "", take_integer(cv, ap), 10);
		return true;
	case 'x':
	case 'X':
		v = take_integer(cv, ap);
		put_number(o, cv, !cv->prefix || !v ? "" : cv->type == 'X' ? "0X" : "0x", v, 16);
		return true;
	case 'p':
		cv->precision = 16;
		put_number(o, cv, "0x", (uintptr_t)va_arg(*ap, void *), 16);
		return true;
	}
	return false;
}

int str_vformat(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { .buf = buf, .size = size };
	va_list ap;

	va_copy(ap, args);
	while (*fmt) {
		struct conversion cv = { .precision = -1 };
		const char *next;

		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		next = parse_conversion(fmt + 1, &cv, &ap);
		if (!convert(&o, &cv, &ap))
			break;
		fmt = next;
	}
	while (*fmt)
		put(&o, *fmt++);
	va_end(ap);
	if (size)
		buf[MIN(o.len, size - 1)] = 0;
	return o.len > INT_MAX ? INT_MAX : (int)o.len;
}

int str_format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = str_vformat(buf, size, fmt, ap);
	va_end(ap);
	return len;
}

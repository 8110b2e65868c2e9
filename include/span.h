/* Bounds-checked reads from foreign bytes.  Little-endian, any alignment. */
#ifndef BATON_SPAN_H
#define BATON_SPAN_H

#include "base.h"

struct span {
	const uint8_t *p;
	size_t len;
};

static inline struct span span_of(const void *p, size_t len)
{
	return (struct span){ .p = p, .len = len };
}

/* The @len bytes at @off, or false (and *@out untouched) if they are not all inside. */
static inline bool span_sub(struct span s, size_t off, size_t len, struct span *out)
{
	if (off > s.len || len > s.len - off)
		return false;
	*out = span_of(s.p + off, len);
	return true;
}

static inline bool span_u8(struct span s, size_t off, uint8_t *v)
{
	if (off >= s.len)
		return false;
	*v = s.p[off];
	return true;
}

static inline bool span_u16(struct span s, size_t off, uint16_t *v)
{
	if (off > s.len || s.len - off < sizeof(*v))
		return false;
	__builtin_memcpy(v, s.p + off, sizeof(*v));
	return true;
}

static inline bool span_u32(struct span s, size_t off, uint32_t *v)
{
	if (off > s.len || s.len - off < sizeof(*v))
		return false;
	__builtin_memcpy(v, s.p + off, sizeof(*v));
	return true;
}

static inline bool span_u64(struct span s, size_t off, uint64_t *v)
{
	if (off > s.len || s.len - off < sizeof(*v))
		return false;
	__builtin_memcpy(v, s.p + off, sizeof(*v));
	return true;
}

#endif

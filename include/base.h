/* Base types, bit helpers and small arithmetic shared by every room. */
#ifndef BATON_BASE_H
#define BATON_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;	/* physical address, in bytes */
typedef uint64_t iova_t;	/* I/O virtual address, in bytes */

#define PAGE_SHIFT	12
#define PAGE_SIZE	4096ULL
#define KIB(n)		((uint64_t)(n) << 10)
#define MIB(n)		((uint64_t)(n) << 20)
#define GIB(n)		((uint64_t)(n) << 30)

#define BIT32(n)	(UINT32_C(1) << (n))
#define BIT64(n)	(UINT64_C(1) << (n))
#define GENMASK32(h, l)	((UINT32_MAX >> (31 - (h))) & (UINT32_MAX << (l)))
#define GENMASK64(h, l)	((UINT64_MAX >> (63 - (h))) & (UINT64_MAX << (l)))

/* Place a value into, or take it out of, the field that @mask describes. */
#define FIELD_PREP(mask, v)	(((uint64_t)(v) << __builtin_ctzll(mask)) & (mask))
#define FIELD_GET(mask, reg)	(((uint64_t)(reg) & (mask)) >> __builtin_ctzll(mask))

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)		((a) < (b) ? (a) : (b))
#define MAX(a, b)		((a) > (b) ? (a) : (b))
#define ALIGN_DOWN(v, a)	((v) & ~((uint64_t)(a) - 1))
#define ALIGN_UP(v, a)		ALIGN_DOWN((v) + (uint64_t)(a) - 1, a)
#define IS_ALIGNED(v, a)	(((v) & ((uint64_t)(a) - 1)) == 0)
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

/* True if [base, base + len) is not empty and does not wrap. */
static inline bool range_valid(uint64_t base, uint64_t len)
{
	return len != 0 && base <= UINT64_MAX - (len - 1);
}

/* True if two valid ranges share a byte. */
static inline bool ranges_overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return a < b + blen && b < a + alen;
}

#endif

/* CRC32C, eight bytes per step: table k holds the effect of a byte that is followed by k more
 * of the same step. */
#include "crc32c.h"

#include <string.h>

/* A CRC is linear, so an entry is the exclusive or of the entries of its bits.  That leaves
 * eight constants per table: the entries of 80h, 40h, ... 01h.  Read row by row they are one
 * sequence, the reflected polynomial 82f63b78h stepped by one bit each. */
#define ENTRY_OF(n, b7, b6, b5, b4, b3, b2, b1, b0)						\
	(((n) & 0x80 ? b7 : 0) ^ ((n) & 0x40 ? b6 : 0) ^ ((n) & 0x20 ? b5 : 0) ^		\
	 ((n) & 0x10 ? b4 : 0) ^ ((n) & 0x08 ? b3 : 0) ^ ((n) & 0x04 ? b2 : 0) ^		\
	 ((n) & 0x02 ? b1 : 0) ^ ((n) & 0x01 ? b0 : 0))
#define ENTRIES_4(n, ...)	ENTRY_OF(n, __VA_ARGS__), ENTRY_OF((n) + 1, __VA_ARGS__),	\
				ENTRY_OF((n) + 2, __VA_ARGS__), ENTRY_OF((n) + 3, __VA_ARGS__)
#define ENTRIES_16(n, ...)	ENTRIES_4(n, __VA_ARGS__), ENTRIES_4((n) + 4, __VA_ARGS__),	\
				ENTRIES_4((n) + 8, __VA_ARGS__), ENTRIES_4((n) + 12, __VA_ARGS__)
#define ENTRIES_64(n, ...)	ENTRIES_16(n, __VA_ARGS__), ENTRIES_16((n) + 16, __VA_ARGS__),	\
				ENTRIES_16((n) + 32, __VA_ARGS__), ENTRIES_16((n) + 48, __VA_ARGS__)
#define TABLE(...)		{ ENTRIES_64(0, __VA_ARGS__), ENTRIES_64(64, __VA_ARGS__),	\
				  ENTRIES_64(128, __VA_ARGS__), ENTRIES_64(192, __VA_ARGS__) }

static const uint32_t table[8][256] = {
	TABLE(0x82f63b78, 0x417b1dbc, 0x20bd8ede, 0x105ec76f, 0x8ad958cf, 0xc79a971f, 0xe13b70f7, 0xf26b8303),
	TABLE(0xfbc3faf9, 0xff17c604, 0x7f8be302, 0x3fc5f181, 0x9d14c3b8, 0x4e8a61dc, 0x274530ee, 0x13a29877),
	TABLE(0x8b277743, 0xc76580d9, 0xe144fb14, 0x70a27d8a, 0x38513ec5, 0x9edea41a, 0x4f6f520d, 0xa541927e),
	TABLE(0x52a0c93f, 0xaba65fe7, 0xd725148b, 0xe964b13d, 0xf64463e6, 0x7b2231f3, 0xbf672381, 0xdd45aab8),
	TABLE(0x6ea2d55c, 0x37516aae, 0x1ba8b557, 0x8f2261d3, 0xc5670b91, 0xe045beb0, 0x7022df58, 0x38116fac),
	TABLE(0x1c08b7d6, 0x0e045beb, 0x85f4168d, 0xc00c303e, 0x6006181f, 0xb2f53777, 0xdb8ca0c3, 0xef306b19),
	TABLE(0xf56e0ef4, 0x7ab7077a, 0x3d5b83bd, 0x9c5bfaa6, 0x4e2dfd53, 0xa5e0c5d1, 0xd0065990, 0x68032cc8),
	TABLE(0x34019664, 0x1a00cb32, 0x0d006599, 0x847609b4, 0x423b04da, 0x211d826d, 0x9278fa4e, 0x493c7d27),
};

/* The four table entries of a little-endian word whose last byte is followed by @k bytes. */
static inline uint32_t word(unsigned k, uint32_t v)
{
	return table[k + 3][v & 0xff] ^ table[k + 2][v >> 8 & 0xff] ^
	       table[k + 1][v >> 16 & 0xff] ^ table[k][v >> 24];
}

uint32_t kho_crc32c(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *b = p;
	uint32_t v[2];

	crc = ~crc;
	for (; len >= sizeof(v); len -= sizeof(v), b += sizeof(v)) {
		memcpy(v, b, sizeof(v));
		crc = word(4, crc ^ v[0]) ^ word(0, v[1]);
	}
	while (len--)
		crc = table[0][(crc ^ *b++) & 0xff] ^ crc >> 8;
	return ~crc;
}

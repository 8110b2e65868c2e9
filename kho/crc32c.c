/* CRC32C, eight bytes per step: table k holds the effect of a byte that is followed by k more
 * of the same step. */
#include "crc32c.h"

#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL	0x82f63b78u	/* reflected */

/* Filled on first use: as constants they would be 8 KiB of the image. */
static uint32_t table[8][256];
static bool filled;

/* Whoever comes in between, an exception handler or another thread of a tool, finds @filled not
 * set and writes the same values. */
static __attribute__((noinline, cold)) void fill(void)
{
	for (unsigned n = 0; n < 256; n++) {
		uint32_t crc = n;

		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][n] = crc;
	}
	for (unsigned k = 1; k < 8; k++)
		for (unsigned n = 0; n < 256; n++) {
			const uint32_t crc = table[k - 1][n];

			table[k][n] = table[0][crc & 0xff] ^ crc >> 8;
		}
	__atomic_store_n(&filled, true, __ATOMIC_RELEASE);
}

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

	if (!__atomic_load_n(&filled, __ATOMIC_ACQUIRE))
		fill();
	crc = ~crc;
	for (; len >= sizeof(v); len -= sizeof(v), b += sizeof(v)) {
		memcpy(v, b, sizeof(v));
		crc = word(4, crc ^ v[0]) ^ word(0, v[1]);
	}
	while (len--)
		crc = table[0][(crc ^ *b++) & 0xff] ^ crc >> 8;
	return ~crc;
}

/* A CRC is linear: bit by bit what becomes of @v. */
static uint32_t apply(const uint32_t of_bit[32], uint32_t v)
{
	uint32_t r = 0;

	for (unsigned i = 0; v; i++, v >>= 1)
		if (v & 1)
			r ^= of_bit[i];
	return r;
}

uint32_t kho_crc32c_zeros(uint32_t crc, uint64_t len)
{
	uint32_t step[32], twice[32];	/* 1, 2, 4 and so on bytes of zero */

	if (!__atomic_load_n(&filled, __ATOMIC_ACQUIRE))
		fill();
	for (unsigned i = 0; i < ARRAY_SIZE(step); i++)
		step[i] = table[0][BIT32(i) & 0xff] ^ BIT32(i) >> 8;
	crc = ~crc;
	for (; len; len >>= 1) {
		if (len & 1)
			crc = apply(step, crc);
		for (unsigned i = 0; i < ARRAY_SIZE(step); i++)
			twice[i] = apply(step, step[i]);
		memcpy(step, twice, sizeof(step));
	}
	return ~crc;
}

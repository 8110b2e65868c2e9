/* CRC32C: published vectors, and every length and alignment against one bit at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/crc32c.h"

static uint8_t buf[512];

static void ascending(void)
{
	for (int i = 0; i < 32; i++)
		buf[i] = i;
}

static void descending(void)
{
	for (int i = 0; i < 32; i++)
		buf[i] = 31 - i;
}

static void zeros(void)
{
	memset(buf, 0, sizeof(buf));
}

static void ones(void)
{
	memset(buf, 0xff, sizeof(buf));
}

static void digits(void)
{
	memcpy(buf, "123456789", 9);
}

/* A SCSI read (10) command PDU. */
static void iscsi_pdu(void)
{
	static const uint8_t pdu[48] = {
		0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18,
		[32] = 0x28, [40] = 0x02,
	};

	memcpy(buf, pdu, sizeof(pdu));
}

/* RFC 3720 B.4; the digits are the check value that lists of CRCs give for CRC-32C. */
static const struct {
	const char *name;
	void (*fill)(void);
	size_t len;
	uint32_t crc;
} vectors[] = {
	{ "crc32c.nothing",           zeros,      0,  0x00000000 },
	{ "crc32c.32_zeros",          zeros,      32, 0x8a9136aa },
	{ "crc32c.32_ones",           ones,       32, 0x62a8ab43 },
	{ "crc32c.32_ascending",      ascending,  32, 0x46dd794e },
	{ "crc32c.32_descending",     descending, 32, 0x113fdb5c },
	{ "crc32c.iscsi_read_pdu",    iscsi_pdu,  48, 0xd9963a56 },
	{ "crc32c.digits_1_to_9",     digits,     9,  0xe3069283 },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		print_message("# %s\n", vectors[i].name);
		zeros();
		vectors[i].fill();
		assert_int_equal(kho_crc32c(0, buf, vectors[i].len), vectors[i].crc);
	}
}

static uint32_t one_bit_at_a_time(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void fill_random(void)
{
	uint32_t v = 1;

	for (size_t i = 0; i < sizeof(buf); i++) {
		v = v * 1664525 + 1013904223;
		buf[i] = v >> 24;
	}
}

/* crc32c.every_length_and_alignment */
static void test_lengths(void **state)
{
	(void)state;
	fill_random();
	for (size_t off = 0; off < 9; off++)
		for (size_t len = 0; len < 300; len++)
			assert_int_equal(kho_crc32c(0, buf + off, len),
					 one_bit_at_a_time(buf + off, len));
}

/* crc32c.every_entry_of_every_table: each byte value at each place of a step */
static void test_tables(void **state)
{
	uint8_t step[8];

	(void)state;
	for (int at = 0; at < 8; at++)
		for (int v = 0; v < 256; v++) {
			memset(step, 0xa5, sizeof(step));
			step[at] = v;
			assert_int_equal(kho_crc32c(0, step, sizeof(step)),
					 one_bit_at_a_time(step, sizeof(step)));
		}
}

/* crc32c.chains_at_every_cut */
static void test_chaining(void **state)
{
	uint32_t whole;

	(void)state;
	fill_random();
	whole = kho_crc32c(0, buf, 100);
	for (size_t cut = 0; cut <= 100; cut++)
		assert_int_equal(kho_crc32c(kho_crc32c(0, buf, cut), buf + cut, 100 - cut), whole);
}

/* crc32c.zeros: as if they had been there, and as many as no memory has */
static void test_zeros(void **state)
{
	uint32_t crc;

	(void)state;
	fill_random();
	crc = kho_crc32c(0, buf, 33);
	memset(buf, 0, sizeof(buf));
	for (size_t len = 0; len < 300; len++) {
		assert_int_equal(kho_crc32c_zeros(crc, len), kho_crc32c(crc, buf, len));
		assert_int_equal(kho_crc32c_zeros(0, len), kho_crc32c(0, buf, len));
	}
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(kho_crc32c_zeros(crc, BIT64(i) + 5),
				 kho_crc32c_zeros(kho_crc32c_zeros(crc, BIT64(i) - 1), 6));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_chaining),
		cmocka_unit_test(test_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Blobs of our own: round trip, each getter's refusals, the digest over every bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <libfdt.h>

#include "kho/blob.h"
#include "kho/crc32c.h"

static uint64_t page[PAGE_SIZE / 8];
static struct kho_refusal why;
static const uint8_t data[5] = { 1, 2, 3, 4, 5 };

static size_t write_sample(void *buf, size_t size)
{
	struct kho_blob_writer w;
	size_t used;

	kho_blob_begin(&w, buf, size, "sample-v1");
	kho_blob_u64(&w, "u64", 0x1122334455667788);
	kho_blob_u32(&w, "u32", 0x99aabbcc);
	kho_blob_string(&w, "string", "text");
	kho_blob_bytes(&w, "bytes", data, sizeof(data));
	kho_blob_bytes(&w, "none", NULL, 0);
	assert_int_equal(kho_blob_finish(&w, "digest", &used), 0);
	return used;
}

static int open_sample(const void *buf, size_t len, struct kho_blob *b)
{
	return kho_blob_open(span_of(buf, len), "sample", "sample-v1", "digest", b, &why);
}

/* blob.round_trip */
static void test_round_trip(void **state)
{
	struct kho_blob b;
	struct span s;
	uint64_t u64;
	uint32_t u32;
	const char *text;
	uint8_t bytes[sizeof(data)];

	(void)state;
	write_sample(page, sizeof(page));
	assert_int_equal(open_sample(page, sizeof(page), &b), 0);
	assert_int_equal(kho_blob_get_u64(&b, "u64", &u64), 0);
	assert_int_equal(u64, 0x1122334455667788);
	assert_int_equal(kho_blob_get_u32(&b, "u32", &u32), 0);
	assert_int_equal(u32, 0x99aabbcc);
	assert_int_equal(kho_blob_get_string(&b, "string", &text), 0);
	assert_string_equal(text, "text");
	assert_int_equal(kho_blob_get_bytes(&b, "bytes", bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, data, sizeof(data));
	assert_int_equal(kho_blob_get_span(&b, "bytes", &s), 0);
	assert_int_equal(s.len, sizeof(data));
	assert_int_equal(kho_blob_get_span(&b, "none", &s), 0);
	assert_int_equal(s.len, 0);
	/* little-endian, as KHO's own u64 properties */
	assert_int_equal(kho_blob_get_span(&b, "u64", &s), 0);
	assert_int_equal(s.p[0], 0x88);
}

/* blob.getters_refuse */
static void test_getters(void **state)
{
	struct kho_blob_writer w;
	struct kho_blob b;
	struct span s;
	const char *text = NULL;
	uint64_t u64 = 1;
	uint32_t u32 = 1;
	uint8_t bytes[6] = { 9 };
	size_t used;

	(void)state;
	kho_blob_begin(&w, page, sizeof(page), "sample-v1");
	kho_blob_u64(&w, "u64", 5);
	kho_blob_bytes(&w, "bytes", data, sizeof(data));
	kho_blob_bytes(&w, "two", "a\0b", 4);
	kho_blob_bytes(&w, "none", data, 0);
	assert_int_equal(kho_blob_finish(&w, "digest", &used), 0);
	assert_int_equal(open_sample(page, used, &b), 0);
	assert_int_equal(kho_blob_get_u64(&b, "bytes", &u64), -EBADMSG);
	assert_int_equal(kho_blob_get_u64(&b, "absent", &u64), -ENOENT);
	assert_int_equal(kho_blob_get_u32(&b, "u64", &u32), -EBADMSG);
	assert_int_equal(kho_blob_get_u32(&b, "absent", &u32), -ENOENT);
	assert_int_equal(kho_blob_get_bytes(&b, "bytes", bytes, 6), -EBADMSG);
	assert_int_equal(kho_blob_get_bytes(&b, "bytes", bytes, 4), -EBADMSG);
	assert_int_equal(kho_blob_get_bytes(&b, "absent", bytes, 4), -ENOENT);
	assert_int_equal(kho_blob_get_string(&b, "bytes", &text), -EBADMSG);
	assert_int_equal(kho_blob_get_string(&b, "two", &text), -EBADMSG);
	assert_int_equal(kho_blob_get_string(&b, "none", &text), -EBADMSG);
	assert_int_equal(kho_blob_get_string(&b, "absent", &text), -ENOENT);
	assert_int_equal(kho_blob_get_span(&b, "absent", &s), -ENOENT);
	assert_int_equal(u64, 1);
	assert_int_equal(u32, 1);
	assert_int_equal(bytes[0], 9);
	assert_null(text);
}

/* blob.same_bytes_every_time, whatever the buffer held */
static void test_reproducible(void **state)
{
	static uint64_t other[PAGE_SIZE / 8];

	(void)state;
	memset(page, 0xff, sizeof(page));
	memset(other, 0x33, sizeof(other));
	assert_int_equal(write_sample(page, sizeof(page)), write_sample(other, sizeof(other)));
	assert_memory_equal(page, other, sizeof(page));
	for (size_t i = write_sample(page, sizeof(page)); i < sizeof(page); i++)
		assert_int_equal(((uint8_t *)page)[i], 0);
}

/* blob.digest_takes_itself_as_zero */
static void test_digest(void **state)
{
	const size_t used = write_sample(page, sizeof(page));
	uint32_t stored;
	int len;
	void *p = fdt_getprop_w(page, 0, "digest", &len);

	(void)state;
	assert_int_equal(len, 4);
	memcpy(&stored, p, 4);
	memset(p, 0, 4);
	assert_int_equal(kho_crc32c(0, page, used), stored);
}

/* blob.every_bit_flipped: all are covered, by the digest if by nothing else */
static void test_flips(void **state)
{
	const size_t used = write_sample(page, sizeof(page));
	uint8_t *fdt = malloc(used);
	struct kho_blob b = { { .len = 77 } };

	(void)state;
	memcpy(fdt, page, used);
	for (size_t bit = 0; bit < 8 * used; bit++) {
		fdt[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(open_sample(fdt, used, &b), -EBADMSG);
		assert_int_equal(b.fdt.len, 77);
		fdt[bit / 8] ^= 1 << bit % 8;
	}
	assert_int_equal(open_sample(fdt, used, &b), 0);
	free(fdt);
}

/* blob.truncated_at_every_length */
static void test_truncated(void **state)
{
	const size_t used = write_sample(page, sizeof(page));
	struct kho_blob b;

	(void)state;
	for (size_t len = 0; len < used; len++) {
		uint8_t *fdt = malloc(len ? len : 1);

		memcpy(fdt, page, len);
		assert_int_equal(open_sample(fdt, len, &b), -EBADMSG);
		assert_string_equal(why.what, "sample");
		free(fdt);
	}
}

/* blob.format_and_digest_must_be_there */
static void test_open(void **state)
{
	struct kho_blob_writer w;
	struct kho_blob b;
	size_t used;

	(void)state;
	write_sample(page, sizeof(page));
	assert_int_equal(kho_blob_open(span_of(page, sizeof(page)), "sample", "sample-v2", "digest",
				       &b, &why), -EBADMSG);
	assert_string_equal(why.fault, "has another format or version");
	assert_int_equal(kho_blob_open(span_of(page, sizeof(page)), "sample", "sample-v1", "sum",
				       &b, &why), -EBADMSG);
	assert_string_equal(why.fault, "has no digest");
	assert_int_equal(kho_blob_open(span_of(page, sizeof(page)), "sample", "sample-v1", "u64",
				       &b, &why), -EBADMSG);
	assert_string_equal(why.fault, "has no digest");
	assert_int_equal(kho_blob_open(span_of(page, sizeof(page)), "sample", "sample-v1", "u32",
				       &b, &why), -EBADMSG);
	assert_string_equal(why.fault, "does not match its digest");

	/* A name used twice would leave two digests. */
	kho_blob_begin(&w, page, sizeof(page), "sample-v1");
	kho_blob_u64(&w, "digest", 1);
	assert_int_equal(kho_blob_finish(&w, "digest", &used), -EINVAL);
}

/* blob.too_small_a_buffer: any size below the needed one is an error, never an overrun */
static void test_too_small(void **state)
{
	size_t needed = 0, used = 77;

	(void)state;
	for (size_t size = 0; size < 1024 && !needed; size++) {
		uint8_t *buf = malloc(size ? size : 1);
		struct kho_blob_writer w;
		int err;

		kho_blob_begin(&w, buf, size, "sample-v1");
		kho_blob_u64(&w, "u64", 5);
		kho_blob_bytes(&w, "bytes", data, sizeof(data));
		err = kho_blob_finish(&w, "digest", &used);
		if (!err)
			needed = size;
		else
			assert_int_equal(err, -ENOSPC);
		assert_true(!err || used == 77);
		free(buf);
	}
	assert_in_range(needed, used, used + 16);
}

/* blob.errors_stick */
static void test_sticky(void **state)
{
	struct kho_blob_writer w;
	size_t used;

	(void)state;
	kho_blob_begin(&w, (uint8_t *)page + 4, 1024, "sample-v1");
	assert_int_equal(kho_blob_finish(&w, "digest", &used), -EINVAL);

	kho_blob_begin(&w, page, 256, "sample-v1");
	kho_blob_bytes(&w, "huge", data, SIZE_MAX);
	kho_blob_u32(&w, "u32", 1);
	assert_int_equal(kho_blob_finish(&w, "digest", &used), -ENOSPC);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_getters),
		cmocka_unit_test(test_reproducible),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_sticky),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* kexec-metadata: the golden page, and each field wrong in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/metadata.h"
#include "tests/fixtures/kho_golden.h"

/* metadata.golden_page_both_ways */
static void test_golden(void **state)
{
	static struct kho_metadata m;
	uint8_t buf[KHO_METADATA_BYTES + 1];
	struct kho_metadata got;
	struct kho_refusal why;

	(void)state;
	golden_lay();
	memset(&m, 0xee, sizeof(m));
	strcpy(m.previous_release, "golden-1.0");
	m.kexec_count = 1;
	memset(buf, 0xaa, sizeof(buf));
	assert_int_equal(kho_metadata_write(&m, buf), 0);
	assert_memory_equal(buf, mem_ptr(GOLDEN_METADATA), KHO_METADATA_BYTES);
	assert_int_equal(buf[KHO_METADATA_BYTES], 0xaa);

	assert_int_equal(kho_metadata_read(span_of(mem_ptr(GOLDEN_METADATA), 73), &got, &why), 0);
	assert_string_equal(got.previous_release, "golden-1.0");
	assert_int_equal(got.kexec_count, 1);
}

/* metadata.longest_release */
static void test_longest(void **state)
{
	struct kho_metadata m = { .kexec_count = 0x80000001 }, got;
	uint8_t buf[KHO_METADATA_BYTES];
	struct kho_refusal why;

	(void)state;
	memset(m.previous_release, 'r', 64);
	assert_int_equal(kho_metadata_write(&m, buf), 0);
	assert_int_equal(kho_metadata_read(span_of(buf, sizeof(buf)), &got, &why), 0);
	assert_memory_equal(&got, &m, sizeof(m));
	m.previous_release[64] = 'r';
	assert_int_equal(kho_metadata_write(&m, buf), -EINVAL);
}

static const struct {
	const char *name;
	size_t len, at;		/* blob-size; the byte to change */
	uint8_t v;
	const char *fault;
} bad[] = {
	{ "metadata.no_bytes",          0,  0,  1, "is too short for a version" },
	{ "metadata.3_bytes",           3,  0,  1, "is too short for a version" },
	{ "metadata.version_only",      4,  0,  1, "is too short" },
	{ "metadata.72_bytes",          72, 0,  1, "is too short" },
	{ "metadata.version_0",         73, 0,  0, "has an unknown version" },
	{ "metadata.version_2",         73, 0,  2, "has an unknown version" },
	{ "metadata.version_high_byte", 73, 3,  1, "has an unknown version" },
	{ "metadata.newer_and_shorter", 4,  0,  2, "has an unknown version" },
};

static void test_bad(void **state)
{
	(void)state;
	golden_lay();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t *buf = malloc(bad[i].len ? bad[i].len : 1);
		struct kho_metadata got = { .kexec_count = 9 };
		struct kho_refusal why;

		print_message("# %s\n", bad[i].name);
		memcpy(buf, mem_ptr(GOLDEN_METADATA), bad[i].len);
		if (bad[i].at < bad[i].len)
			buf[bad[i].at] = bad[i].v;
		assert_int_equal(kho_metadata_read(span_of(buf, bad[i].len), &got, &why), -EBADMSG);
		assert_string_equal(why.fault, bad[i].fault);
		assert_int_equal(got.kexec_count, 9);
		free(buf);
	}
}

/* metadata.release_without_an_end */
static void test_unterminated(void **state)
{
	uint8_t buf[KHO_METADATA_BYTES] = { 1 };
	struct kho_metadata got;
	struct kho_refusal why;

	(void)state;
	memset(buf + KHO_METADATA_OFF_RELEASE, 'x', KHO_METADATA_RELEASE_BYTES);
	assert_int_equal(kho_metadata_read(span_of(buf, sizeof(buf)), &got, &why), -EBADMSG);
	assert_string_equal(why.fault, "has a release without an end");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_unterminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

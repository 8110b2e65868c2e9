/* Checks in front of libfdt: each header field wrong, and properties of each wrong length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/fdt.h"
#include "tests/fixtures/kho_golden.h"

static uint64_t page[PAGE_SIZE / 8];
static struct kho_refusal why;

static void put_be32(size_t off, uint32_t v)
{
	uint8_t *p = (uint8_t *)page + off;

	for (int i = 0; i < 4; i++)
		p[i] = v >> (24 - 8 * i);
}

/* Offsets of header fields: Linux 7.3's KHO */
static const struct {
	const char *name;
	size_t off;
	uint32_t v;
	const char *fault;	/* NULL: accepted */
} cases[] = {
	{ "fdt_read.golden",                  0,  0xd00dfeed, NULL },
	{ "fdt_read.magic",                   0,  0xd00dfeee, "has no FDT magic" },
	{ "fdt_read.magic_of_unfinished",     0,  0x2ff20112, "has no FDT magic" },
	{ "fdt_read.magic_swapped",           0,  0xedfe0dd0, "has no FDT magic" },
	{ "fdt_read.totalsize_of_buffer",     4,  4096,       NULL },
	{ "fdt_read.totalsize_beyond_buffer", 4,  4097,       "is larger than its buffer" },
	{ "fdt_read.totalsize_negative",      4,  0xffffffff, "is larger than its buffer" },
	{ "fdt_read.totalsize_below_header",  4,  39,         "is malformed (libfdt error)" },
	{ "fdt_read.totalsize_cuts_strings",  4,  344,        "is malformed (libfdt error)" },
	{ "fdt_read.struct_unaligned",        8,  0x3a,       "is malformed (libfdt error)" },
	{ "fdt_read.struct_in_header",        8,  0x20,       "is malformed (libfdt error)" },
	{ "fdt_read.struct_beyond",           8,  0x1000,     "is malformed (libfdt error)" },
	{ "fdt_read.struct_wraps",            8,  0xfffffffc, "is malformed (libfdt error)" },
	{ "fdt_read.strings_beyond",          12, 0x1000,     "is malformed (libfdt error)" },
	{ "fdt_read.strings_wrap",            12, 0xffffffff, "is malformed (libfdt error)" },
	{ "fdt_read.rsvmap_unaligned",        16, 0x2c,       "is malformed (libfdt error)" },
	{ "fdt_read.rsvmap_in_header",        16, 0x20,       "is malformed (libfdt error)" },
	{ "fdt_read.version_16",              20, 16,         "has an FDT version below 17" },
	{ "fdt_read.version_0",               20, 0,          "has an FDT version below 17" },
	{ "fdt_read.version_18_compatible",   20, 18,         NULL },
	{ "fdt_read.last_compatible_18",      24, 18,         "is malformed (libfdt error)" },
	{ "fdt_read.strings_too_short",       32, 0x10,       "is malformed (libfdt error)" },
	{ "fdt_read.strings_too_long",        32, 0x10000,    "is malformed (libfdt error)" },
	{ "fdt_read.struct_too_short",        36, 0xe0,       "is malformed (libfdt error)" },
	{ "fdt_read.struct_too_long",         36, 0x10000,    "is malformed (libfdt error)" },
	{ "fdt_read.struct_of_0",             36, 0,          "is malformed (libfdt error)" },
};

static void test_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span out = { .len = 77 };
		int err;

		print_message("# %s\n", cases[i].name);
		memset(page, 0, sizeof(page));
		memcpy(page, golden_root_fdt, sizeof(golden_root_fdt));
		put_be32(cases[i].off, cases[i].v);
		err = kho_fdt_check(span_of(page, sizeof(page)), "thing", &out, &why);
		assert_int_equal(err, cases[i].fault ? -EBADMSG : 0);
		if (err) {
			assert_string_equal(why.what, "thing");
			assert_string_equal(why.fault, cases[i].fault);
			assert_int_equal(out.len, 77);
		} else {
			assert_int_equal(out.len, cases[i].off == 4 ? cases[i].v : 345);
		}
	}
}

/* fdt_read.alignment */
static void test_alignment(void **state)
{
	struct span out;

	(void)state;
	for (size_t shift = 1; shift < 8; shift++) {
		memcpy((uint8_t *)page + shift, golden_root_fdt, sizeof(golden_root_fdt));
		assert_int_equal(kho_fdt_check(span_of((uint8_t *)page + shift, 345), "thing", &out,
					       &why), -EBADMSG);
		assert_string_equal(why.fault, "is not 8-byte aligned");
	}
}

/* fdt_read.property_lengths: compatible has 7 bytes, preserved-memory-map 8 */
static void test_properties(void **state)
{
	struct span fdt, v = { .len = 77 };
	uint64_t u64 = 1;
	uint32_t u32 = 1;

	(void)state;
	memset(page, 0, sizeof(page));
	memcpy(page, golden_root_fdt, sizeof(golden_root_fdt));
	assert_int_equal(kho_fdt_check(span_of(page, sizeof(page)), "thing", &fdt, &why), 0);
	assert_int_equal(kho_fdt_u64(fdt, 0, "compatible", &u64), -EBADMSG);
	assert_int_equal(kho_fdt_u32(fdt, 0, "preserved-memory-map", &u32), -EBADMSG);
	assert_int_equal(kho_fdt_u64(fdt, 0, "no-such", &u64), -ENOENT);
	assert_int_equal(kho_fdt_u32(fdt, 0, "no-such", &u32), -ENOENT);
	assert_int_equal(kho_fdt_bytes(fdt, 0, "no-such", &v), -ENOENT);
	assert_int_equal(u64, 1);
	assert_int_equal(u32, 1);
	assert_int_equal(v.len, 77);
	assert_int_equal(kho_fdt_bytes(fdt, 0, "compatible", &v), 0);
	assert_int_equal(v.len, 7);
	assert_int_equal(kho_fdt_u64(fdt, 0, "preserved-memory-map", &u64), 0);
	assert_int_equal(u64, GOLDEN_NODES);
	assert_true(kho_fdt_compatible(fdt, 0, "kho-v4"));
	assert_false(kho_fdt_compatible(fdt, 0, "kho-v"));
	assert_false(kho_fdt_compatible(fdt, 0, "kho-v44"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_properties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The scratch array: what is written, what Linux sends, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/scratch.h"
#include "tests/fixtures/kho_limits.h"

static const struct kho_ram_view ram = { .is_ram = test_is_ram };

#define AREA(a, s)	{ .addr = (a), .size = (s) }

static const struct {
	const char *name;
	struct kho_scratch s;
	const char *what, *fault;	/* NULL: accepted */
} cases[] = {
	{ "scratch.one_area", { { AREA(0x10000000, MIB(256)) }, 1 }, NULL, NULL },
	{ "scratch.linux_1g_guest",	/* Linux 7.3's KHO */
	  { { AREA(0x3a800000, 0x4000000), AREA(0x3fc00000, 0), AREA(0x2e800000, 0xc000000) }, 3 },
	  NULL, NULL },
	{ "scratch.touching", { { AREA(MIB(32), MIB(4)), AREA(MIB(36), MIB(4)) }, 2 }, NULL, NULL },
	{ "scratch.linux_accepts_unaligned_4m", { { AREA(0x10001000, 0x4001000) }, 1 }, NULL, NULL },
	{ "scratch.garbage_in_empty_entry",
	  { { AREA(UINT64_MAX, 0), AREA(MIB(16), MIB(4)) }, 2 }, NULL, NULL },
	{ "scratch.no_entry", { { AREA(0, 0) }, 0 }, "scratch array", "has no non-empty area" },
	{ "scratch.all_empty", { { AREA(MIB(16), 0), AREA(MIB(32), 0) }, 2 },
	  "scratch array", "has no non-empty area" },
	{ "scratch.wraps", { { AREA(MIB(16), -PAGE_SIZE) }, 1 },
	  "scratch area", "wraps or exceeds 52 address bits" },
	{ "scratch.address_of_64_bits", { { AREA(-PAGE_SIZE, PAGE_SIZE) }, 1 },
	  "scratch area", "wraps or exceeds 52 address bits" },
	{ "scratch.base_inside_a_page", { { AREA(MIB(16) + 8, MIB(4)) }, 1 },
	  "scratch area", "is not page aligned" },
	{ "scratch.size_inside_a_page", { { AREA(MIB(16), MIB(4) + 8) }, 1 },
	  "scratch area", "is not page aligned" },
	{ "scratch.behind_ram", { { AREA(GIB(1), MIB(4)) }, 1 }, "scratch area", "is not RAM" },
	{ "scratch.half_behind_ram", { { AREA(GIB(1) - MIB(2), MIB(4)) }, 1 },
	  "scratch area", "is not RAM" },
	{ "scratch.twice_the_same", { { AREA(MIB(16), MIB(4)), AREA(MIB(16), MIB(4)) }, 2 },
	  "scratch area", "overlaps another" },
	{ "scratch.overlap_by_a_page",
	  { { AREA(MIB(16), MIB(4)), AREA(MIB(64), MIB(4)), AREA(MIB(20) - PAGE_SIZE, MIB(1)) }, 3 },
	  "scratch area", "overlaps another" },
};

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kho_scratch *s = &cases[i].s;
		struct kho_scratch out = { .nr = 77 };
		struct kho_refusal why;
		const int err = kho_scratch_read(span_of(s->entry, s->nr * sizeof(s->entry[0])), &ram,
						 &out, &why);

		print_message("# %s\n", cases[i].name);
		assert_int_equal(err, cases[i].fault ? -EBADMSG : 0);
		if (err) {
			assert_string_equal(why.what, cases[i].what);
			assert_string_equal(why.fault, cases[i].fault);
			assert_int_equal(out.nr, 77);
		} else {
			assert_int_equal(out.nr, s->nr);
			assert_memory_equal(out.entry, s->entry, s->nr * sizeof(s->entry[0]));
		}
	}
}

/* scratch.64_entries_not_65 */
static void test_limit(void **state)
{
	static struct kho_scratch_entry e[KHO_MAX_SCRATCH + 1];
	struct kho_refusal why;
	struct kho_scratch out;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++)
		e[i] = (struct kho_scratch_entry){ MIB(16) + i * PAGE_SIZE, PAGE_SIZE };
	assert_int_equal(kho_scratch_read(span_of(e, sizeof(e) - 1), &ram, &out, &why), 0);
	assert_int_equal(out.nr, KHO_MAX_SCRATCH);
	assert_int_equal(kho_scratch_read(span_of(e, sizeof(e)), &ram, &out, &why), -EBADMSG);
	assert_string_equal(why.fault, "has too many entries");
	assert_int_equal(why.value, KHO_MAX_SCRATCH + 1);
}

/* scratch.unaligned_array_and_partial_entry */
static void test_unaligned(void **state)
{
	static const struct kho_scratch_entry e = { MIB(16), MIB(4) };
	uint8_t buf[sizeof(e) + 16];
	struct kho_refusal why;
	struct kho_scratch out;

	(void)state;
	memset(buf, 0xff, sizeof(buf));
	memcpy(buf + 1, &e, sizeof(e));
	assert_int_equal(kho_scratch_read(span_of(buf + 1, sizeof(e) + 15), &ram, &out, &why), 0);
	assert_int_equal(out.nr, 1);
	assert_int_equal(out.entry[0].addr, MIB(16));
	assert_int_equal(kho_scratch_read(span_of(buf + 1, sizeof(e) - 1), &ram, &out, &why),
			 -EBADMSG);
}

/* scratch.written_bytes */
static void test_write(void **state)
{
	static const struct kho_scratch s = { { AREA(0x10000000, 0x10000000), AREA(5, 0) }, 2 };
	static const uint8_t want[32] = { [3] = 0x10, [11] = 0x10, [16] = 5 };
	uint8_t buf[33];
	size_t used = 99;

	(void)state;
	memset(buf, 0xaa, sizeof(buf));
	assert_int_equal(kho_scratch_write(&s, buf, 31, &used), -ENOSPC);
	assert_int_equal(used, 99);
	assert_int_equal(buf[0], 0xaa);
	assert_int_equal(kho_scratch_write(&s, buf, 32, &used), 0);
	assert_int_equal(used, 32);
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(buf[32], 0xaa);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Where things of a handoff may lie: each rule, at its edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/scratch.h"
#include "tests/fixtures/kho_limits.h"

static const struct kho_scratch scratch = {
	.entry = { { MIB(64), MIB(16) }, { MIB(512), 0 } }, .nr = 2,
};
static const struct kho_range exclude[] = { { MIB(100), MIB(1) }, { MIB(200), 1 } };

static const struct {
	const char *name;
	paddr_t pa;
	uint64_t len;
	const char *fault;	/* NULL: allowed */
} cases[] = {
	{ "place.first_allowed_page",    MIB(1), PAGE_SIZE,             NULL },
	{ "place.last_page_of_ram",      GIB(1) - PAGE_SIZE, PAGE_SIZE, NULL },
	{ "place.empty",                 MIB(2), 0,                     "is empty" },
	{ "place.address_zero",          0, PAGE_SIZE,                  "lies below 1 MiB" },
	{ "place.last_byte_below_1m",    MIB(1) - 1, 2,                 "lies below 1 MiB" },
	{ "place.behind_ram",            GIB(1), 1,                     "is not RAM" },
	{ "place.across_the_end_of_ram", GIB(1) - 1, 2,                 "is not RAM" },
	{ "place.last_addressable_byte", BIT64(52) - 1, 1,              "is not RAM" },
	{ "place.address_of_53_bits",    BIT64(52), 1,                  "exceeds 52 address bits" },
	{ "place.end_of_53_bits",        BIT64(52) - 1, 2,              "exceeds 52 address bits" },
	{ "place.wraps",                 MIB(2), UINT64_MAX,            "exceeds 52 address bits" },
	{ "place.top_of_64_bits",        UINT64_MAX, 1,                 "exceeds 52 address bits" },
	{ "place.before_scratch",        MIB(64) - 1, 1,                NULL },
	{ "place.into_scratch",          MIB(64) - 1, 2,                "lies in scratch" },
	{ "place.last_of_scratch",       MIB(80) - 1, 1,                "lies in scratch" },
	{ "place.behind_scratch",        MIB(80), 1,                    NULL },
	{ "place.around_scratch",        MIB(60), MIB(30),              "lies in scratch" },
	{ "place.empty_scratch_area",    MIB(512), 1,                   NULL },
	{ "place.into_excluded",         MIB(99), MIB(1) + 1,           "lies in memory in use" },
	{ "place.up_to_excluded",        MIB(99), MIB(1),               NULL },
	{ "place.second_excluded",       MIB(200), 1,                   "lies in memory in use" },
	{ "place.behind_excluded",       MIB(200) + 1, 1,               NULL },
};

static void test_places(void **state)
{
	struct kho_limits lim = test_limits();

	(void)state;
	lim.exclude = exclude;
	lim.nr_exclude = ARRAY_SIZE(exclude);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kho_refusal why = { .fault = NULL };
		const int err = kho_check_place(&lim, &scratch, "thing", cases[i].pa, cases[i].len,
						&why);

		print_message("# %s\n", cases[i].name);
		assert_int_equal(err, cases[i].fault ? -EBADMSG : 0);
		if (!err)
			continue;
		assert_string_equal(why.what, "thing");
		assert_string_equal(why.fault, cases[i].fault);
		assert_int_equal(why.at, cases[i].pa);
		assert_int_equal(why.value, cases[i].len);
	}
}

/* place.may_lie_in_scratch_if_none_is_given */
static void test_without_scratch(void **state)
{
	const struct kho_limits lim = test_limits();
	struct kho_refusal why;

	(void)state;
	assert_int_equal(kho_check_place(&lim, NULL, "thing", MIB(64), 1, &why), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_without_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

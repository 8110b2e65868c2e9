/* Domain-id allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "errno.h"
#include "vtd/did.h"

static struct vtd_dids d;

static void test_lowest_free_first(void **state)
{
	uint16_t did = 0;

	(void)state;
	vtd_dids_init(&d, 256);
	for (uint16_t want = 2; want < 70; want++) {
		assert_int_equal(vtd_dids_alloc(&d, &did), 0);
		assert_int_equal(did, want);
	}
	assert_int_equal(vtd_dids_free(&d, 65), 0);
	assert_int_equal(vtd_dids_free(&d, 3), 0);
	assert_int_equal(vtd_dids_alloc(&d, &did), 0);
	assert_int_equal(did, 3);
	assert_int_equal(vtd_dids_alloc(&d, &did), 0);
	assert_int_equal(did, 65);
	assert_int_equal(d.nr_used, 68);
}

static void test_exhaustion(void **state)
{
	const uint32_t sizes[] = { 16, 64, 256, 65536 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint16_t did = 0;

		vtd_dids_init(&d, sizes[i]);
		for (uint32_t n = 2; n < sizes[i]; n++)
			assert_int_equal(vtd_dids_alloc(&d, &did), 0);
		assert_int_equal(did, sizes[i] - 1);
		did = 0x77;
		assert_int_equal(vtd_dids_alloc(&d, &did), -ENOSPC);
		assert_int_equal(did, 0x77);
		assert_int_equal(d.nr_used, sizes[i] - 2);
	}
}

static const struct { const char *name; uint32_t ndoms; uint16_t did; int err; } reservations[] = {
	{ "did.zero_is_reserved",  256,   0,     -ERANGE },
	{ "did.one_is_reserved",   256,   1,     -ERANGE },
	{ "did.first",             256,   2,     0 },
	{ "did.last",              256,   255,   0 },
	{ "did.one_past_the_end",  256,   256,   -ERANGE },
	{ "did.last_of_16_bits",   65536, 65535, 0 },
};

static void test_reserve(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reservations); i++) {
		const uint16_t did = reservations[i].did;

		print_message("# %s\n", reservations[i].name);
		vtd_dids_init(&d, reservations[i].ndoms);
		assert_int_equal(vtd_dids_free(&d, did), reservations[i].err ? -ERANGE : -ENOENT);
		assert_int_equal(vtd_dids_reserve(&d, did), reservations[i].err);
		assert_int_equal(d.nr_used, reservations[i].err ? 0 : 1);
		if (reservations[i].err)
			continue;
		assert_true(vtd_dids_used(&d, did));
		assert_int_equal(vtd_dids_reserve(&d, did), -EBUSY);
		assert_int_equal(vtd_dids_free(&d, did), 0);
		assert_int_equal(vtd_dids_free(&d, did), -ENOENT);
		assert_false(vtd_dids_used(&d, did));
		assert_int_equal(d.nr_used, 0);
	}
}

static void test_reserved_is_not_allocated(void **state)
{
	uint16_t did = 0;

	(void)state;
	vtd_dids_init(&d, 16);
	assert_int_equal(vtd_dids_reserve(&d, 2), 0);
	assert_int_equal(vtd_dids_reserve(&d, 4), 0);
	assert_int_equal(vtd_dids_alloc(&d, &did), 0);
	assert_int_equal(did, 3);
	assert_int_equal(vtd_dids_alloc(&d, &did), 0);
	assert_int_equal(did, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lowest_free_first),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_reserved_is_not_allocated),
	};

	return cmocka_run_group_tests_name("vtd domain ids", tests, NULL, NULL);
}

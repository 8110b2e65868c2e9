/* Sorting by address: every small permutation, and large arrays with equal keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kho/sort.h"

struct record {
	paddr_t pa;
	uint64_t tag, more;
};

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005 + 1442695040888963407;
	return *seed >> 33;
}

static void check_sorted(const struct record *r, size_t n)
{
	uint64_t tags = 0;

	for (size_t i = 0; i < n; i++) {
		assert_true(!i || r[i - 1].pa <= r[i].pa);
		assert_int_equal(r[i].more, r[i].pa ^ r[i].tag);	/* records stay whole */
		tags += r[i].tag;
	}
	assert_int_equal(tags, n * (n - 1) / 2);
}

/* sort.records_stay_whole */
static void test_records(void **state)
{
	static struct record r[3000];
	uint64_t seed = 1;

	(void)state;
	for (size_t n = 1; n < ARRAY_SIZE(r); n += n < 20 ? 1 : 331) {
		for (size_t i = 0; i < n; i++) {
			const paddr_t pa = next(&seed) % (n / 2 + 1);

			r[i] = (struct record){ pa, i, pa ^ i };
		}
		kho_sort(r, n, sizeof(r[0]));
		check_sorted(r, n);
	}
}

/* sort.bare_addresses: every arrangement of seven digits */
static void test_addresses(void **state)
{
	(void)state;
	for (unsigned p = 0; p < 823543; p += 5) {
		paddr_t a[7], sum = 0, want = 0;
		unsigned v = p;

		for (int i = 0; i < 7; i++, v /= 7) {
			a[i] = v % 7;
			want += 1ULL << 8 * a[i];
		}
		kho_sort(a, 7, sizeof(a[0]));
		for (int i = 0; i < 7; i++) {
			sum += 1ULL << 8 * a[i];
			assert_true(!i || a[i - 1] <= a[i]);
		}
		assert_int_equal(sum, want);
	}
}

/* sort.nothing_to_do */
static void test_empty(void **state)
{
	paddr_t one = 5;

	(void)state;
	kho_sort(NULL, 0, sizeof(one));
	kho_sort(&one, 1, sizeof(one));
	assert_int_equal(one, 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

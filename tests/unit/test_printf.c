#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "kernel/console/printf.h"

/* Formats that the compiler would rightly warn about. */
#pragma clang diagnostic ignored "-Wformat"
#pragma clang diagnostic ignored "-Wformat-security"
#pragma clang diagnostic ignored "-Wformat-extra-args"
#pragma clang diagnostic ignored "-Wformat-invalid-specifier"

/* The host's C library is the witness wherever it knows the same conversions. */
#define SAME(...) do {									\
	char ours[256], theirs[256];							\
	const int n = str_format(ours, sizeof(ours), __VA_ARGS__);			\
	const int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__);			\
	assert_string_equal(ours, theirs);						\
	assert_int_equal(n, m);								\
} while (0)

static void test_conversions(void **state)
{
	(void)state;
	SAME("plain text");
	SAME("%%");
	SAME("%s|%10s|%-10s|%.3s|%10.3s|%-10.3s|", "abcdef", "abc", "abc", "abcdef", "abcdef", "abcdef");
	SAME("%.*s|%*s|%*s|", 2, "abcdef", 7, "abc", -7, "abc");
	SAME("%c%c|%3c|%-3c|", 'o', 'k', 'x', 'y');
	SAME("%d %i %u", -42, 42, 42u);
	SAME("%d %d %lld %lld", INT_MIN, INT_MAX, LLONG_MIN, LLONG_MAX);
	SAME("%u %lu %llu %ju", UINT_MAX, ULONG_MAX, ULLONG_MAX, UINTMAX_MAX);
	SAME("%x %X %lx %llX", 0xbeefu, 0xbeefu, 0xdeadbeefcafeul, 0xdeadbeefcafeull);
	SAME("%#x %#X %#x %#010x|%#10x|%-#10x|", 0xbeefu, 0xbeefu, 0, 0xbeefu, 0xbeefu, 0xbeefu);
	SAME("%016llx|%16llx|%-16llx|", 0x123ull, 0x123ull, 0x123ull);
	SAME("%08d|%8d|%-8d|%-08d|", -42, -42, -42, -42);
	SAME("%.5d|%8.5d|%-8.5d|%08.5d|", -42, -42, -42, -42);
	SAME("%.0d|%.0x|%5.0u|", 0, 0, 0);
	SAME("%hhd %hhu %hd %hu %hhx", 0x1ff, 0x1ff, 0x18000, 0x18000, 0x1ff);
	SAME("%zu %zx %zd", (size_t)SIZE_MAX, (size_t)4096, (ssize_t)-1);
	SAME("%.1d|%1d|%01d", 7, 7, 7);
	SAME("%s", "");
	SAME("%.0s|", "abc");
	SAME("%.*s|", -1, "abc");
}

static void test_own_choices(void **state)
{
	static const struct { const char *name, *fmt, *want; } cases[] = {
		{ "printf.unknown_prints_itself",	"a %k b",	"a %k b" },
		{ "printf.stops_taking_arguments",	"a %f b %s",	"a %f b %s" },
		{ "printf.percent_at_the_end",		"50%",		"50%" },
		{ "printf.cut_conversion",		"x %-08l",	"x %-08l" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		assert_int_equal(str_format(buf, sizeof(buf), cases[i].fmt), strlen(cases[i].want));
		assert_string_equal(buf, cases[i].want);
	}
	str_format(buf, sizeof(buf), "%p", (void *)0x1234abcd);
	assert_string_equal(buf, "0x000000001234abcd");
	str_format(buf, sizeof(buf), "%s", (char *)NULL);
	assert_string_equal(buf, "(null)");
}

static void test_always_terminated_and_bounded(void **state)
{
	char buf[16];

	(void)state;
	for (size_t size = 0; size <= 12; size++) {
		memset(buf, '#', sizeof(buf));
		assert_int_equal(str_format(buf, size, "%s-%d", "hello", 1234), 10);
		for (size_t i = size; i < sizeof(buf); i++)
			assert_int_equal(buf[i], '#');
		if (size)
			assert_int_equal(strlen(buf), MIN(size - 1, 10));
		assert_memory_equal(buf, "hello-1234", size ? MIN(size - 1, 10) : 0);
	}
	assert_int_equal(str_format(NULL, 0, "%d", 12345), 5);
	assert_int_equal(str_format(buf, sizeof(buf), "%*d", 1000, 1), 1000);
	assert_int_equal(strlen(buf), sizeof(buf) - 1);
}

/* Precision bounds what is read: the bytes behind it may not be there. */
static void test_precision_bounds_reading(void **state)
{
	char *three = malloc(3), buf[8];

	(void)state;
	memcpy(three, "abc", 3);
	str_format(buf, sizeof(buf), "%.3s", three);
	assert_string_equal(buf, "abc");
	free(three);
}

static void test_random_numbers(void **state)
{
	static const char flags[][3] = { "", "0", "-", "#", "0#", "-#" };
	static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z", "j" };
	static const char types[] = "diuxX";

	(void)state;
	srand(1);
	for (int i = 0; i < 20000; i++) {
		const unsigned long long v =
			((unsigned long long)rand() << 42 ^ (unsigned long long)rand() << 21 ^
			 (unsigned long long)rand()) >> (rand() % 64);
		const char type = types[rand() % 5];
		const char *flag = flags[rand() % (type == 'x' || type == 'X' ? 6 : 3)];
		char fmt[32];

		if (rand() % 2)
			snprintf(fmt, sizeof(fmt), "%%%s%d%s%c", flag, 1 + rand() % 24,
				 lengths[rand() % 7], type);
		else
			snprintf(fmt, sizeof(fmt), "%%%s%d.%d%s%c", flag, 1 + rand() % 24,
				 rand() % 24, lengths[rand() % 7], type);
		SAME(fmt, v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversions),
		cmocka_unit_test(test_own_choices),
		cmocka_unit_test(test_always_terminated_and_bounded),
		cmocka_unit_test(test_precision_bounds_reading),
		cmocka_unit_test(test_random_numbers),
	};

	return cmocka_run_group_tests_name("printf", tests, NULL, NULL);
}

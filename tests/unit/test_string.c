/* kernel/machine/string.c against the host's C library.  It defines the library's own names, so
 * it is built here under others. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"

void *own_memcpy(void *restrict dst, const void *restrict src, size_t n);
void *own_memmove(void *dst, const void *src, size_t n);
void *own_memset(void *dst, int byte, size_t n);
int own_memcmp(const void *a, const void *b, size_t n);
void *own_memchr(const void *s, int byte, size_t n);
size_t own_strlen(const char *s);
size_t own_strnlen(const char *s, size_t max);
char *own_strchr(const char *s, int c);
char *own_strrchr(const char *s, int c);
int own_strcmp(const char *a, const char *b);
int own_strncmp(const char *a, const char *b, size_t n);
unsigned long own_strtoul(const char *restrict s, char **restrict end, int base);

#define memcpy	own_memcpy
#define memmove	own_memmove
#define memset	own_memset
#define memcmp	own_memcmp
#define memchr	own_memchr
#define strlen	own_strlen
#define strnlen	own_strnlen
#define strchr	own_strchr
#define strrchr	own_strrchr
#define strcmp	own_strcmp
#define strncmp	own_strncmp
#define strtoul	own_strtoul
#include "kernel/machine/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strchr
#undef strrchr
#undef strcmp
#undef strncmp
#undef strtoul

#define N	96

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void fill(unsigned char *p)
{
	for (size_t i = 0; i < N; i++)
		p[i] = (unsigned char)(i * 7 + 1);
}

static void test_memmove_all_overlaps(void **state)
{
	unsigned char ours[N], theirs[N];

	(void)state;
	for (size_t dst = 0; dst <= 32; dst++) {
		for (size_t src = 0; src <= 32; src++) {
			for (size_t len = 0; len <= 40; len++) {
				fill(ours);
				fill(theirs);
				assert_ptr_equal(own_memmove(ours + dst, ours + src, len), ours + dst);
				memmove(theirs + dst, theirs + src, len);
				assert_memory_equal(ours, theirs, N);
			}
		}
	}
}

static void test_memcpy_and_memset_write_exactly(void **state)
{
	unsigned char ours[N], theirs[N], from[N];

	(void)state;
	fill(from);
	for (size_t off = 0; off < 16; off++) {
		for (size_t len = 0; len < 64; len++) {
			fill(ours);
			fill(theirs);
			assert_ptr_equal(own_memcpy(ours + off, from + 3, len), ours + off);
			memcpy(theirs + off, from + 3, len);
			assert_memory_equal(ours, theirs, N);
			assert_ptr_equal(own_memset(ours + off, 0x1a5, len), ours + off);
			memset(theirs + off, 0x1a5, len);
			assert_memory_equal(ours, theirs, N);
		}
	}
}

static void test_compare_and_find(void **state)
{
	static const char *const words[] = { "", "a", "ab", "abc", "abd", "b", "ab\xff", "aba" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *a = words[i];

		assert_int_equal(own_strlen(a), strlen(a));
		for (size_t n = 0; n < 5; n++)
			assert_int_equal(own_strnlen(a, n), strnlen(a, n));
		for (int c = 0; c < 256; c++) {
			assert_ptr_equal(own_strchr(a, c), strchr(a, c));
			assert_ptr_equal(own_strrchr(a, c), strrchr(a, c));
			assert_ptr_equal(own_memchr(a, c, strlen(a)), memchr(a, c, strlen(a)));
		}
		for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
			const char *b = words[j];
			const size_t both = MIN(strlen(a), strlen(b));

			assert_int_equal(sign(own_strcmp(a, b)), sign(strcmp(a, b)));
			for (size_t n = 0; n < 5; n++)
				assert_int_equal(sign(own_strncmp(a, b, n)), sign(strncmp(a, b, n)));
			assert_int_equal(sign(own_memcmp(a, b, both)), sign(memcmp(a, b, both)));
		}
	}
	assert_ptr_equal(own_memchr(words[3], 'c' + 256, 3), words[3] + 2);
}

/* The bytes behind the given length are not there. */
static void test_strnlen_reads_no_further(void **state)
{
	char *three = malloc(3);

	(void)state;
	memcpy(three, "abc", 3);
	assert_int_equal(own_strnlen(three, 3), 3);
	free(three);
}

static void test_strtoul(void **state)
{
	static const char *const texts[] = {
		"", "0", "42", "  42x", "+42", "-1", "0x1f", "0X1F", "0x", "0xg", "017", "08", "z",
		"7fffffff", "18446744073709551614", "18446744073709551615",
		"18446744073709551616", "A", "DEADz", "AZ", "1[", "1@", "1`", "1{", "99999999999999999999999",
		"\t\n12", "- 1", "--1", "dead", "zz", "0b1",
	};
	static const int bases[] = { 0, 2, 8, 10, 16, 36 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(bases); j++) {
			char *ours, *theirs;

			print_message("# string.strtoul \"%s\" base %d\n", texts[i], bases[j]);
			assert_int_equal(own_strtoul(texts[i], &ours, bases[j]),
					 strtoul(texts[i], &theirs, bases[j]));
			assert_ptr_equal(ours, theirs);
		}
	}
	assert_int_equal(own_strtoul("12", NULL, 10), 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memmove_all_overlaps),
		cmocka_unit_test(test_memcpy_and_memset_write_exactly),
		cmocka_unit_test(test_compare_and_find),
		cmocka_unit_test(test_strnlen_reads_no_further),
		cmocka_unit_test(test_strtoul),
	};

	return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}

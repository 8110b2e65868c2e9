/* The files of a Linux target: digested, preserved whole, and told apart when one changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "kernel/handover/payload.h"
#include "kho/crc32c.h"
#include "kho/read.h"
#include "platform/mem.h"

#define KERNEL		MIB(40)
#define KERNEL_LEN	(3 * PAGE_SIZE + 1)
#define CMDLINE		MIB(50)

static struct boot_info bi;
static struct payload p;
static const char *why;

static int setup(void **state)
{
	(void)state;
	arena_reset(MIB(1), MIB(16));
	memset(&bi, 0, sizeof(bi));
	memset(mem_ptr(KERNEL), 0x5a, KERNEL_LEN);
	strcpy(mem_ptr(CMDLINE), "console=ttyS0 quiet\r\n");
	bi.file[BOOT_FILE_KERNEL] = (struct boot_file){ KERNEL, KERNEL_LEN };
	bi.file[BOOT_FILE_CMDLINE] = (struct boot_file){ CMDLINE, strlen(mem_ptr(CMDLINE)) };
	payload_take(&bi, &p);
	return 0;
}

/* payload.digests: one bit of any file, its last one too */
static void test_changed(void **state)
{
	uint8_t *last = mem_ptr(KERNEL + KERNEL_LEN - 1);

	(void)state;
	assert_int_equal(p.file[BOOT_FILE_KERNEL].crc32c, kho_crc32c(0, mem_ptr(KERNEL), KERNEL_LEN));
	assert_null(payload_changed(&p));
	*last ^= 1;
	assert_string_equal(payload_changed(&p), "bzImage");
	*last ^= 1;
	*(char *)mem_ptr(CMDLINE) ^= 1;
	assert_string_equal(payload_changed(&p), "cmdline");
}

/* payload.preserved: every page of every file, and it is noticed when one is not */
static void test_preserved(void **state)
{
	const struct kho_scratch scratch = { .nr = 1, .entry = { { MIB(64), MIB(64) } } };
	struct kho_radix radix;
	struct kho_range range[2] = {
		{ KERNEL, 4 * PAGE_SIZE }, { CMDLINE, PAGE_SIZE },
	};
	struct kho_map map = { .ranges = range, .nr_ranges = 2 };

	(void)state;
	assert_int_equal(kho_radix_init(&radix, &scratch), 0);
	assert_int_equal(payload_preserve(&p, &radix), 0);
	assert_int_equal(radix.pages, 5);
	assert_int_equal(kho_preserve(&radix, KERNEL + 3 * PAGE_SIZE, 0), 0);	/* of order 2, so not seen */
	assert_int_equal(kho_preserve(&radix, CMDLINE, 0), -EEXIST);
	assert_null(payload_unpreserved(&p, &map));
	range[0].len -= PAGE_SIZE;
	assert_ptr_equal(payload_unpreserved(&p, &map), &p.file[BOOT_FILE_KERNEL]);
	range[0].len += PAGE_SIZE;
	map.nr_ranges = 1;
	assert_ptr_equal(payload_unpreserved(&p, &map), &p.file[BOOT_FILE_CMDLINE]);
	kho_radix_free(&radix);
}

static const char *cmdline(const char *text, size_t size, int want)
{
	static char out[64];

	strcpy(mem_ptr(CMDLINE), text);
	bi.file[BOOT_FILE_CMDLINE].len = strlen(text);
	payload_take(&bi, &p);
	why = NULL;
	assert_int_equal(payload_cmdline(&p, out, size, &why), want);
	assert_int_equal(why != NULL, want != 0);
	return out;
}

/* payload.cmdline: one line of text */
static void test_cmdline(void **state)
{
	(void)state;
	assert_string_equal(cmdline("console=ttyS0 quiet\r\n", 64, 0), "console=ttyS0 quiet");
	assert_string_equal(cmdline("a=1\nb=2\tc\n\n", 64, 0), "a=1 b=2 c");
	assert_string_equal(cmdline("\n", 64, 0), "");
	assert_string_equal(cmdline("1234567", 8, 0), "1234567");
	cmdline("12345678", 8, -ENOSPC);
	assert_string_equal(why, "the command line for Linux is longer than it can be");
	cmdline("a\x01" "b", 64, -EINVAL);
	assert_string_equal(why, "the command line for Linux has bytes that are not text");
	cmdline("\xc3\xbc", 64, -EINVAL);
	bi.file[BOOT_FILE_CMDLINE] = (struct boot_file){ 0 };
	payload_take(&bi, &p);
	assert_int_equal(payload_cmdline(&p, (char[1]){ 'x' }, 1, &why), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_changed, setup),
		cmocka_unit_test_setup(test_preserved, setup),
		cmocka_unit_test_setup(test_cmdline, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The files of a Linux target: digested, preserved whole, and told apart when one changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "kernel/handover/payload.h"
#include "kernel/memory/keep.h"
#include "kho/crc32c.h"
#include "kho/read.h"
#include "platform/mem.h"

#define KERNEL		MIB(40)
#define KERNEL_LEN	(3 * PAGE_SIZE + 1)
#define CMDLINE		MIB(50)

static struct boot_file file[BOOT_FILES];
static struct payload p;
static const char *why;

/* The allocator of pages that stay: 1 MiB of it. */
static paddr_t next_keep;

paddr_t keep_alloc_guarded(uint64_t len, uint64_t align)
{
	const paddr_t pa = ALIGN_UP(next_keep + PAGE_SIZE, align);

	if (pa + len > MIB(81))
		return 0;
	next_keep = pa + len + PAGE_SIZE;
	return pa;
}

static int setup(void **state)
{
	(void)state;
	arena_reset(MIB(1), MIB(16));
	next_keep = MIB(80);
	memset(file, 0, sizeof(file));
	memset(mem_ptr(KERNEL), 0x5a, KERNEL_LEN);
	strcpy(mem_ptr(CMDLINE), "console=ttyS0 quiet\r\n");
	file[BOOT_FILE_KERNEL] = (struct boot_file){ KERNEL, KERNEL_LEN };
	file[BOOT_FILE_CMDLINE] = (struct boot_file){ CMDLINE, strlen(mem_ptr(CMDLINE)) };
	payload_take(file, &p);
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

/* One entry, as the kernel's format description has it. */
static size_t put_entry(char *at, size_t off, const char *name, unsigned mode, const char *data,
			size_t len)
{
	char header[111];

	snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1u,
		 mode, 0u, 0u, 1u, 0u, (unsigned)len, 0u, 0u, 0u, 0u, (unsigned)strlen(name) + 1, 0u);
	memcpy(at + off, header, 110);
	strcpy(at + off + 110, name);
	off = ALIGN_UP(off + 110 + strlen(name) + 1, 4);
	memcpy(at + off, data, len);
	return ALIGN_UP(off + len, 4);
}

/* payload.from_cpio: found, moved to pages of their own, and intact there */
static void test_cpio(void **state)
{
	char *archive = mem_ptr(MIB(60));
	size_t len = put_entry(archive, 0, "baton", 040755, "", 0);

	(void)state;
	memset(archive, 0, PAGE_SIZE);
	len = put_entry(archive, len, "./baton/bzImage", 0100644, "not really a kernel", 19);
	assert_int_equal(payload_unpack(span_of(archive, len), &p, &why), -EBADMSG);
	len = put_entry(archive, 0, "baton", 040755, "", 0);
	len = put_entry(archive, len, "baton/cmdline", 0100644, "quiet\n", 6);
	assert_int_equal(payload_unpack(span_of(archive, put_entry(archive, len, "TRAILER!!!", 0, "", 0)), &p,
					&why), -ENOENT);
	assert_string_equal(why, "there is no baton/bzImage in the initrd that we were started with");
	len = put_entry(archive, len, "./baton/bzImage", 0100644, "not really a kernel", 19);
	len = put_entry(archive, len, "TRAILER!!!", 0, "", 0);
	assert_int_equal(payload_unpack(span_of(archive, len), &p, &why), 0);
	assert_int_equal(p.file[BOOT_FILE_KERNEL].len, 19);
	assert_int_equal(p.file[BOOT_FILE_INITRD].len, 0);
	assert_int_equal(p.file[BOOT_FILE_INITRD].pa, 0);
	assert_int_equal(payload_keep(&p), 0);
	memset(archive, 0, len);
	assert_null(payload_changed(&p));
	for (unsigned i = 0; i < BOOT_FILES; i++)
		assert_true(IS_ALIGNED(p.file[i].pa, PAGE_SIZE));
	assert_memory_equal(payload_bytes(&p, BOOT_FILE_KERNEL).p, "not really a kernel", 19);
	p.file[BOOT_FILE_INITRD] = (struct payload_file_ser){ MIB(60), MIB(4), 0, 0 };
	assert_int_equal(payload_keep(&p), -ENOMEM);
}

static const char *cmdline(const char *text, size_t size, int want)
{
	static char out[64];

	strcpy(mem_ptr(CMDLINE), text);
	file[BOOT_FILE_CMDLINE].len = strlen(text);
	payload_take(file, &p);
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
	file[BOOT_FILE_CMDLINE] = (struct boot_file){ 0 };
	payload_take(file, &p);
	assert_int_equal(payload_cmdline(&p, (char[1]){ 'x' }, 1, &why), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_changed, setup),
		cmocka_unit_test_setup(test_preserved, setup),
		cmocka_unit_test_setup(test_cpio, setup),
		cmocka_unit_test_setup(test_cmdline, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

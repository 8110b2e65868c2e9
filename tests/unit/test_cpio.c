/* The newc archive that a Linux passes: whatever its bytes, inside it or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/handover/cpio.h"

static char archive[1024];
static size_t len;
static struct span found;
static const char *why;

/* Linux Documentation/driver-api/early-userspace/buffer-format.rst */
static void put(const char *name, unsigned mode, const char *data)
{
	char header[111];

	snprintf(header, sizeof(header), "070701%08X%08X%08X%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 10u,
		 mode, 0u, 0u, 1u, 0u, (unsigned)strlen(data), 0u, 0u, 0u, 0u,
		 (unsigned)strlen(name) + 1, 0u);
	memcpy(archive + len, header, 110);
	strcpy(archive + len + 110, name);
	len = ALIGN_UP(len + 110 + strlen(name) + 1, 4);
	memcpy(archive + len, data, strlen(data));
	len = ALIGN_UP(len + strlen(data), 4);
}

static int setup(void **state)
{
	(void)state;
	memset(archive, 0, sizeof(archive));
	len = 0;
	put("baton", 040755, "");
	put("/baton/a", 0100644, "first");
	put("./baton/b", 0100600, "second file");
	put("baton/b", 0100600, "too late");
	put("baton/link", 0120777, "a");
	put("baton/empty", 0100600, "");
	put("TRAILER!!!", 0, "");
	return 0;
}

static int find(const char *name)
{
	found = span_of(NULL, 99);
	why = NULL;
	return cpio_find(span_of(archive, len), name, &found, &why);
}

/* cpio.finds: files by their name, the first of that name, and only files */
static void test_finds(void **state)
{
	(void)state;
	assert_int_equal(find("baton/a"), 0);
	assert_int_equal(found.len, 5);
	assert_memory_equal(found.p, "first", 5);
	assert_int_equal(find("baton/b"), 0);
	assert_memory_equal(found.p, "second file", 11);
	assert_int_equal(find("baton/empty"), 0);
	assert_int_equal(found.len, 0);
	assert_int_equal(find("baton/link"), -ENOENT);
	assert_int_equal(find("baton"), -ENOENT);
	assert_int_equal(find("baton/none"), -ENOENT);
	assert_int_equal(find("b"), -ENOENT);
}

/* cpio.refuses: each with its reason */
static void test_refuses(void **state)
{
	(void)state;
	archive[5] = '2';		/* with checksums: another format */
	assert_int_equal(find("baton/a"), -EBADMSG);
	assert_string_equal(why, "it is no uncompressed newc cpio archive");
	setup(NULL);
	memcpy(archive, "\x1f\x8b\x08", 3);	/* gzip */
	assert_int_equal(find("baton/a"), -EBADMSG);
	assert_string_equal(why, "it is no uncompressed newc cpio archive");
	for (unsigned n = 1; n < 12; n += 5) {		/* mode, size, length of the name */
		static const char bad[] = { 'g', '/', ':', '@', 0x16, 0 };

		for (size_t i = 0; i < sizeof(bad); i++) {
			setup(NULL);
			archive[6 + 8 * n + 7] = bad[i];
			assert_int_equal(find("baton/a"), -EBADMSG);
			assert_string_equal(why, "a number in the archive has digits that are none");
		}
	}
	setup(NULL);
	memcpy(archive + 6 + 8 * 11, "00000000", 8);
	assert_int_equal(find("baton/a"), -EBADMSG);
	assert_string_equal(why, "a name in the archive is too long or has no end");
	memcpy(archive + 6 + 8 * 11, "ffffffff", 8);
	assert_int_equal(find("baton/a"), -EBADMSG);
	setup(NULL);
	memcpy(archive + 6 + 8 * 11, "00000005", 8);
	assert_int_equal(find("baton/a"), -EBADMSG);
	assert_string_equal(why, "a name in the archive is too long or has no end");
	setup(NULL);
	memcpy(archive + 6 + 8 * 6, "fffffff0", 8);
	assert_int_equal(find("baton/a"), -EBADMSG);
	assert_string_equal(why, "a file in the archive is cut short");
}

/* cpio.cut_anywhere: found or not, an archive without its trailer is refused */
static void test_cut(void **state)
{
	const size_t whole = len;

	(void)state;
	for (len = 0; len < whole - 1; len++) {		/* the last byte is padding */
		char *copy = malloc(len ? len : 1);

		memcpy(copy, archive, len);
		assert_int_equal(cpio_find(span_of(copy, len), "baton/a", &found, &why), -EBADMSG);
		free(copy);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_finds, setup),
		cmocka_unit_test_setup(test_refuses, setup),
		cmocka_unit_test_setup(test_cut, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The control page: one good page, then each field wrong in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/stream/control.h"

static struct stream_control_ser good_page(void)
{
	const struct stream_ring_ser ring = {
		.ring_iova = 0x100000000, .ring_pa = 0x2000000,
		.buffers_iova = 0x100100000, .buffers_pa = 0x2100000,
		.entries = 1024, .format = STREAM_DESC_LEGACY,
		.stride = 4096, .count = 1024, .buffer_size = 2048, .guard_size = 2048,
		.next_index = 1023, .tail = 1022,
	};
	struct stream_control_ser c = {
		.magic = STREAM_CONTROL_MAGIC, .version = STREAM_CONTROL_VERSION,
		.size = sizeof(c), .segment = 0, .rid = 0x0018, .stream = 1,
		.nic_family = STREAM_NIC_E1000E, .bar_pa = 0xfe000000, .bar_size = 0x20000,
		.rx = ring, .tx = ring, .rdh = 5, .next_sequence = 7,
	};

	account_start(&c.account, 7);
	return c;
}

#define FIELD(f)	offsetof(struct stream_control_ser, f), sizeof(((struct stream_control_ser *)0)->f)

static const struct {
	const char *name;
	size_t off, size;
	uint64_t value;
	int err;
} wrong[] = {
	{ "control.magic",           FIELD(magic),           0,          -EBADMSG },
	{ "control.newer_version",   FIELD(version),         2,          -EOPNOTSUPP },
	{ "control.other_size",      FIELD(size),            367,        -EBADMSG },
	{ "control.no_family",       FIELD(nic_family),      0,          -EBADMSG },
	{ "control.unknown_family",  FIELD(nic_family),      3,          -EBADMSG },
	{ "control.no_bar",          FIELD(bar_size),        0,          -EBADMSG },
	{ "control.bar_wraps",       FIELD(bar_pa),          UINT64_MAX, -EBADMSG },
	{ "control.empty_ring",      FIELD(rx.entries),      0,          -EBADMSG },
	{ "control.odd_ring",        FIELD(rx.entries),      1025,       -EBADMSG },
	{ "control.huge_ring",       FIELD(rx.entries),      65544,      -EBADMSG },
	{ "control.format_0",        FIELD(rx.format),       0,          -EBADMSG },
	{ "control.format_4",        FIELD(tx.format),       4,          -EBADMSG },
	{ "control.ring_unaligned",  FIELD(rx.ring_pa),      0x2000040,  -EBADMSG },
	{ "control.iova_unaligned",  FIELD(tx.ring_iova),    8,          -EBADMSG },
	{ "control.ring_wraps",      FIELD(rx.ring_pa),      ~0x7fULL,   -EBADMSG },
	{ "control.iova_wraps",      FIELD(rx.ring_iova),    ~0x7fULL,   -EBADMSG },
	{ "control.no_buffers",      FIELD(rx.count),        0,          -EBADMSG },
	{ "control.many_buffers",    FIELD(rx.count),        1025,       -EBADMSG },
	{ "control.no_buffer_size",  FIELD(rx.buffer_size),  0,          -EBADMSG },
	{ "control.guard_overlaps",  FIELD(rx.guard_size),   2049,       -EBADMSG },
	{ "control.guard_wraps",     FIELD(rx.guard_size),   UINT32_MAX, -EBADMSG },
	{ "control.buffers_wrap",    FIELD(tx.buffers_pa),   ~0ULL,      -EBADMSG },
	{ "control.buf_iova_wraps",  FIELD(tx.buffers_iova), ~0ULL,      -EBADMSG },
	{ "control.index_beyond",    FIELD(rx.next_index),   1024,       -EBADMSG },
	{ "control.tail_beyond",     FIELD(tx.tail),         1024,       -EBADMSG },
	{ "control.rdh_beyond",      FIELD(rdh),             1024,       -EBADMSG },
	{ "control.other_next",      FIELD(next_sequence),   8,          -EBADMSG },
	{ "control.counts",          FIELD(account.lost),    1,          -EBADMSG },
};

static void test_accepts_good(void **state)
{
	const struct stream_control_ser c = good_page();
	const char *why = NULL;

	(void)state;
	assert_int_equal(stream_control_check(&c, &why), 0);
	assert_null(why);
}

static void test_refuses_each_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct stream_control_ser c = good_page();
		const char *why = NULL;

		print_message("# %s\n", wrong[i].name);
		memcpy((uint8_t *)&c + wrong[i].off, &wrong[i].value, wrong[i].size);
		assert_int_equal(stream_control_check(&c, &why), wrong[i].err);
		assert_non_null(why);
	}
}

static void test_file_tokens(void **state)
{
	(void)state;
	assert_int_equal(STREAM_FILE_TOKEN(1, STREAM_FILE_BUFFERS), 0x101);
	assert_int_equal(STREAM_FILE_TOKEN(0x1234, STREAM_FILE_CONTROL), 0x123403);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts_good),
		cmocka_unit_test(test_refuses_each_field),
		cmocka_unit_test(test_file_tokens),
	};

	return cmocka_run_group_tests_name("stream control", tests, NULL, NULL);
}

/* Frame format: golden bytes, the derived length, and every way a frame can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/stream/frame.h"
#include "kho/crc32c.h"

static const struct frame_info sample = {
	.dst = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 },
	.src = { 0x02, 0x42, 0x41, 0x54, 0x4e, 0x01 },
	.stream = 0x1234,
	.flags = FRAME_F_REFUSED,
	.sequence = 0x0102030405060708,
	.sent_ns = 0x1112131415161718,
};

/* What frame.h says about the bytes before the payload, written out by hand. */
static const uint8_t golden_head[] = {
	0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x02, 0x42, 0x41, 0x54, 0x4e, 0x01, 0x88, 0xb5,
	'B', 'A', 'T', 'N', 0x01, 0x01, 0x12, 0x34,
	0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
	0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
};

static uint32_t crc_field(const uint8_t *buf, size_t len)
{
	const uint8_t *p = buf + len - 4;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Make a changed frame consistent again, so that the check behind the CRC is reached. */
static void seal(uint8_t *buf, size_t len)
{
	const uint32_t crc = kho_crc32c(0, buf + ETH_HLEN, len - ETH_HLEN - 4);

	for (unsigned i = 0; i < 4; i++)
		buf[len - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void test_golden_head(void **state)
{
	uint8_t buf[FRAME_MAX];
	const size_t len = frame_build(buf, &sample);

	(void)state;
	assert_int_equal(len, frame_length(sample.sequence));
	assert_memory_equal(buf, golden_head, sizeof(golden_head));
	assert_int_equal(crc_field(buf, len), kho_crc32c(0, buf + 14, len - 18));
}

/* The payload of a sequence never changes: a stream may cross two versions of the program. */
static void test_golden_payload(void **state)
{
	static const uint8_t want[22] = {
		0x31, 0x65, 0xba, 0x8f, 0x69, 0xb0, 0x23, 0x7d, 0xd0, 0x1b, 0x56,
		0x46, 0xc6, 0xd5, 0xa2, 0x94, 0xe1, 0x5a, 0xea, 0xea, 0xfe, 0x25,
	};
	const uint8_t mac[ETH_ALEN] = { 0 };
	uint8_t buf[FRAME_MAX];

	(void)state;
	assert_int_equal(frame_build_heartbeat(buf, mac, mac, 1, 42, 0), FRAME_MIN);
	assert_memory_equal(buf + 38, want, sizeof(want));
}

static void test_round_trip(void **state)
{
	uint8_t buf[FRAME_MAX];

	(void)state;
	for (uint64_t seq = 0; seq < 20000; seq++) {
		struct frame_info in = sample, out;
		size_t len;

		in.sequence = seq;
		in.flags = seq % 3 == 0 ? FRAME_F_LAST : 0;
		memset(buf, 0xee, sizeof(buf));
		len = frame_build(buf, &in);
		for (size_t i = len; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0xee);
		assert_int_equal(frame_parse(span_of(buf, len), &out), 0);
		assert_memory_equal(out.dst, in.dst, ETH_ALEN);
		assert_memory_equal(out.src, in.src, ETH_ALEN);
		assert_int_equal(out.stream, in.stream);
		assert_int_equal(out.flags, in.flags);
		assert_int_equal(out.sequence, seq);
		assert_int_equal(out.sent_ns, in.sent_ns);
	}
}

static void test_length_covers_its_range(void **state)
{
	size_t least = SIZE_MAX, most = 0, sum = 0;

	(void)state;
	for (uint64_t seq = 0; seq < 20000; seq++) {
		const size_t len = frame_length(seq);

		least = MIN(least, len);
		most = MAX(most, len);
		sum += len;
	}
	assert_int_equal(least, FRAME_MIN);
	assert_int_equal(most, FRAME_MAX);
	/* A middle far from 782 would mean that one size of buffer is hardly tried. */
	assert_in_range(sum / 20000, 770, 795);
}

static void test_payloads_differ(void **state)
{
	uint8_t a[FRAME_MAX], b[FRAME_MAX];
	const uint8_t mac[ETH_ALEN] = { 0 };

	(void)state;
	for (uint64_t seq = 0; seq < 1000; seq++) {
		frame_build_heartbeat(a, mac, mac, 1, seq, 0);
		frame_build_heartbeat(b, mac, mac, 1, seq + 1, 0);
		assert_memory_not_equal(a + 38, b + 38, 8);
	}
}

static void test_heartbeat(void **state)
{
	uint8_t buf[FRAME_MAX];
	struct frame_info out;

	(void)state;
	assert_int_equal(frame_build_heartbeat(buf, sample.src, sample.dst, 7, 4711, 99), FRAME_MIN);
	assert_int_equal(frame_parse(span_of(buf, FRAME_MIN), &out), 0);
	assert_int_equal(out.flags, FRAME_F_HEARTBEAT);
	assert_int_equal(out.sequence, 4711);
	assert_int_equal(out.stream, 7);
	assert_int_equal(out.sent_ns, 99);
	assert_memory_equal(out.dst, sample.src, ETH_ALEN);
	assert_memory_equal(out.src, sample.dst, ETH_ALEN);
}

/* Any bit from the version on, wherever it flips, is noticed; addresses are not ours to prove. */
static void test_rejects_every_flipped_bit(void **state)
{
	uint8_t buf[FRAME_MAX];
	struct frame_info in = sample, out;
	size_t len;

	(void)state;
	in.sequence = 3;
	len = frame_build(buf, &in);
	for (size_t bit = 0; bit < len * 8; bit++) {
		const size_t at = bit / 8;
		const int want = at < 12 ? 0 : at < 18 ? -ENOENT : -EBADMSG;

		buf[at] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(frame_parse(span_of(buf, len), &out), want);
		buf[at] ^= (uint8_t)(1u << bit % 8);
	}
}

/* Every truncation is either not recognisable or corrupt, and is never read beyond. */
static void test_rejects_every_truncation(void **state)
{
	uint8_t buf[FRAME_MAX];
	struct frame_info out;
	const size_t len = frame_build(buf, &sample);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = test_malloc(cut + 1);

		memcpy(exact, buf, cut);
		assert_int_equal(frame_parse(span_of(exact, cut), &out), cut < 18 ? -ENOENT : -EBADMSG);
		test_free(exact);
	}
}

static const struct {
	const char *name;
	size_t at;
	uint8_t value;
} sealed[] = {
	{ "frame.rejects_other_version",     18, 2 },
	{ "frame.rejects_unknown_flag",      19, 0x08 },
	{ "frame.rejects_heartbeat_length",  19, FRAME_F_HEARTBEAT },
	{ "frame.rejects_length_of_another", 29, 9 },
	{ "frame.rejects_first_payload",     38, 0xaa },
	{ "frame.rejects_last_payload",      0,  0x55 },	/* 0: the byte before the CRC */
};

/* The CRC is right, what it covers is not. */
static void test_rejects_sealed_nonsense(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sealed); i++) {
		uint8_t buf[FRAME_MAX];
		struct frame_info out;
		const size_t len = frame_build(buf, &sample);
		const size_t at = sealed[i].at ? sealed[i].at : len - 5;

		print_message("# %s\n", sealed[i].name);
		assert_int_not_equal(buf[at], sealed[i].value);
		buf[at] = sealed[i].value;
		seal(buf, len);
		assert_int_equal(frame_parse(span_of(buf, len), &out), -EBADMSG);
	}
}

/* Two frames of one length whose payloads were exchanged: only the payload check sees it. */
static void test_rejects_payload_of_another_sequence(void **state)
{
	uint8_t a[FRAME_MAX], b[FRAME_MAX];
	struct frame_info in = sample, out;
	uint64_t other = 1;
	size_t len;

	(void)state;
	while (frame_length(other) != frame_length(0))
		other++;
	in.sequence = 0;
	len = frame_build(a, &in);
	in.sequence = other;
	frame_build(b, &in);
	memcpy(a + 38, b + 38, len - 42);
	seal(a, len);
	assert_int_equal(frame_parse(span_of(a, len), &out), -EBADMSG);
}

static void test_rejects_oversize(void **state)
{
	static uint8_t buf[FRAME_MAX + 1];
	struct frame_info out;

	(void)state;
	frame_build(buf, &sample);
	seal(buf, sizeof(buf));
	assert_int_equal(frame_parse(span_of(buf, sizeof(buf)), &out), -EBADMSG);
}

static void test_failure_leaves_out_alone(void **state)
{
	uint8_t buf[FRAME_MAX];
	struct frame_info out, before;
	const size_t len = frame_build(buf, &sample);

	(void)state;
	memset(&out, 0x5a, sizeof(out));
	before = out;
	buf[len - 1] ^= 1;
	assert_int_equal(frame_parse(span_of(buf, len), &out), -EBADMSG);
	assert_memory_equal(&out, &before, sizeof(out));
}

/* frame_parse.rejects_the_last_sequence: the next expected one would wrap to 0 */
static void test_last_sequence(void **state)
{
	struct frame_info f = { .stream = 1, .sequence = UINT64_MAX }, out;
	uint8_t buf[FRAME_MAX];
	size_t len;

	(void)state;
	len = frame_build(buf, &f);
	assert_int_equal(frame_parse(span_of(buf, len), &out), -EBADMSG);
	f.sequence--;
	len = frame_build(buf, &f);
	assert_int_equal(frame_parse(span_of(buf, len), &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_sequence),
		cmocka_unit_test(test_golden_head),
		cmocka_unit_test(test_golden_payload),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_length_covers_its_range),
		cmocka_unit_test(test_payloads_differ),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_rejects_every_flipped_bit),
		cmocka_unit_test(test_rejects_every_truncation),
		cmocka_unit_test(test_rejects_sealed_nonsense),
		cmocka_unit_test(test_rejects_payload_of_another_sequence),
		cmocka_unit_test(test_rejects_oversize),
		cmocka_unit_test(test_failure_leaves_out_alone),
	};

	return cmocka_run_group_tests_name("stream frame", tests, NULL, NULL);
}

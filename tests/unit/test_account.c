/* Accounting: each kind of arrival, and random streams against a slow set of sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "errno.h"
#include "kernel/stream/account.h"

#define NONE	UINT64_MAX

struct counts {
	uint64_t good, lost, duplicate, misplaced, next;
};

static const struct {
	const char *name;
	uint64_t first;
	uint64_t seq[8];	/* up to NONE */
	struct counts want;
} cases[] = {
	{ "account.in_order",          0, { 0, 1, 2, 3, NONE },          { 4, 0, 0, 0, 4 } },
	{ "account.starts_anywhere",   9, { 9, 10, NONE },               { 2, 0, 0, 0, 11 } },
	{ "account.first_missing",     0, { 2, NONE },                   { 1, 2, 0, 0, 3 } },
	{ "account.one_lost",          0, { 0, 2, 3, NONE },             { 3, 1, 0, 0, 4 } },
	{ "account.doubled",           0, { 0, 1, 1, 2, NONE },          { 3, 0, 1, 0, 3 } },
	{ "account.swapped",           0, { 0, 2, 1, 3, NONE },          { 3, 0, 0, 1, 4 } },
	{ "account.late_twice",        0, { 0, 2, 1, 1, NONE },          { 2, 0, 1, 1, 3 } },
	{ "account.late_in_window",    0, { 64, 1, 63, NONE },           { 1, 62, 0, 2, 65 } },
	{ "account.late_beyond",       0, { 65, 2, 1, NONE },            { 1, 64, 1, 1, 66 } },
	{ "account.before_the_start",  5, { 5, 4, NONE },                { 1, 0, 1, 0, 6 } },
	{ "account.window_63_skipped", 0, { 0, 64, 0, 1, NONE },         { 2, 62, 1, 1, 65 } },
	{ "account.window_64_skipped", 0, { 0, 65, 1, 2, NONE },         { 2, 63, 1, 1, 66 } },
	{ "account.stale_ring",        0, { 100, 0, 1, 2, 101, NONE },   { 2, 100, 3, 0, 102 } },
	{ "account.nothing_came",      3, { NONE },                      { 0, 0, 0, 0, 3 } },
};

static void frame(struct stream_account_ser *a, uint64_t seq, uint8_t flags, uint64_t ns)
{
	account_frame(a, &(struct frame_info){ .sequence = seq, .flags = flags, .sent_ns = ns });
	assert_true(account_plausible(a));
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stream_account_ser a;
		const struct counts *want = &cases[i].want;

		print_message("# %s\n", cases[i].name);
		account_start(&a, cases[i].first);
		for (size_t n = 0; cases[i].seq[n] != NONE; n++)
			frame(&a, cases[i].seq[n], 0, 0);
		assert_int_equal(a.good, want->good);
		assert_int_equal(a.lost, want->lost);
		assert_int_equal(a.duplicate, want->duplicate);
		assert_int_equal(a.misplaced, want->misplaced);
		assert_int_equal(a.next, want->next);
		assert_int_equal(account_clean(&a),
				 !want->lost && !want->duplicate && !want->misplaced);
	}
}

/* The model remembers every sequence; only what is further back than the window may differ,
 * and then by the rule of account.h. */
static void test_random_against_set(void **state)
{
	static bool seen[4096];
	uint64_t rnd = 1;

	(void)state;
	for (unsigned run = 0; run < 50; run++) {
		struct stream_account_ser a;
		struct counts want = { 0 };

		memset(seen, 0, sizeof(seen));
		account_start(&a, 0);
		while (a.next + 100 < ARRAY_SIZE(seen)) {
			uint64_t seq, jump;

			rnd = rnd * 6364136223846793005ULL + 1442695040888963407ULL;
			jump = rnd >> 56;
			seq = jump < 200 ? a.next : jump < 228 ? a.next + jump - 200 :
			      a.next - MIN(a.next, (jump - 227) * 4);
			if (seq >= want.next) {
				want.lost += seq - want.next;
				want.next = seq + 1;
				want.good++;
			} else if (seen[seq] || want.next - 1 - seq >= ACCOUNT_WINDOW) {
				want.duplicate++;
			} else {
				want.lost--;
				want.misplaced++;
			}
			seen[seq] = true;
			frame(&a, seq, 0, 0);
		}
		assert_int_equal(a.good, want.good);
		assert_int_equal(a.lost, want.lost);
		assert_int_equal(a.duplicate, want.duplicate);
		assert_int_equal(a.misplaced, want.misplaced);
		assert_true(want.misplaced && want.duplicate && want.lost);
	}
}

static void test_flags(void **state)
{
	struct stream_account_ser a;

	(void)state;
	account_start(&a, 0);
	frame(&a, 0, FRAME_F_REFUSED, 0);
	assert_false(account_ended(&a));
	frame(&a, 1, FRAME_F_REFUSED | FRAME_F_LAST, 0);
	assert_int_equal(a.refused, 2);
	assert_int_equal(a.end, 2);
	assert_true(account_ended(&a));
	assert_true(account_clean(&a));
}

static void test_gap_by_sender_stamps(void **state)
{
	struct stream_account_ser a;

	(void)state;
	account_start(&a, 0);
	frame(&a, 0, 0, 1000000);	/* the first stamp is no gap */
	assert_int_equal(a.gap_ns, 0);
	frame(&a, 1, 0, 1000250);
	frame(&a, 2, 0, 1009250);
	frame(&a, 3, 0, 1009500);
	assert_int_equal(a.gap_ns, 9000);
	assert_int_equal(a.gap_sequence, 2);
	frame(&a, 1, 0, 9000000);	/* a late one says nothing about the stream's pace */
	frame(&a, 4, 0, 1009100);	/* a clock that runs backwards is no gap either */
	assert_int_equal(a.gap_ns, 9000);
}

static void test_blackout(void **state)
{
	struct stream_account_ser a;

	(void)state;
	account_start(&a, 0);
	frame(&a, 0, 0, 100);
	frame(&a, 1, 0, 900);
	account_blackout_begin(&a);
	frame(&a, 2, 0, 1000);
	frame(&a, 3, 0, 1300);
	account_blackout_end(&a);
	frame(&a, 4, 0, 1400);
	assert_int_equal(a.blackout_frames, 2);
	assert_int_equal(a.blackout_total, 2);
	assert_int_equal(a.blackout_gap_ns, 300);
	assert_int_equal(a.gap_ns, 800);
	account_blackout_begin(&a);
	frame(&a, 5, 0, 1500);
	assert_int_equal(a.blackout_frames, 1);
	assert_int_equal(a.blackout_total, 3);
	assert_int_equal(a.blackout_gap_ns, 100);
}

static void test_receive(void **state)
{
	const uint8_t mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 1 };
	struct frame_info in = { .stream = 3, .sequence = 0 }, out = { .sequence = 77 };
	struct stream_account_ser a;
	uint8_t buf[FRAME_MAX];
	size_t len;

	(void)state;
	account_start(&a, 0);
	len = frame_build(buf, &in);
	assert_int_equal(account_receive(&a, 4, span_of(buf, len), &out), -ENOENT);
	assert_int_equal(a.other, 1);
	buf[len - 1] ^= 1;
	assert_int_equal(account_receive(&a, 3, span_of(buf, len), &out), -EBADMSG);
	assert_int_equal(a.corrupt, 1);
	assert_false(account_clean(&a));
	buf[len - 1] ^= 1;
	buf[12] = 0x08;
	assert_int_equal(account_receive(&a, 3, span_of(buf, len), &out), -ENOENT);
	assert_int_equal(a.other, 2);
	len = frame_build_heartbeat(buf, mac, mac, 3, 0, 1);
	assert_int_equal(account_receive(&a, 3, span_of(buf, len), &out), -ENOENT);
	assert_int_equal(a.other, 3);
	assert_int_equal(out.sequence, 77);
	assert_int_equal(a.next, 0);
	len = frame_build(buf, &in);
	assert_int_equal(account_receive(&a, 3, span_of(buf, len), &out), 0);
	assert_int_equal(out.sequence, 0);
	assert_int_equal(a.good, 1);
}

/* A corrupt frame's place in the order is not filled by it. */
static void test_corrupt_is_lost_as_well(void **state)
{
	struct stream_account_ser a;
	struct frame_info out;
	uint8_t buf[FRAME_MAX];

	(void)state;
	account_start(&a, 0);
	for (uint64_t seq = 0; seq < 3; seq++) {
		const size_t len = frame_build(buf, &(struct frame_info){ .stream = 1, .sequence = seq });

		buf[40] ^= seq == 1;
		assert_int_equal(account_receive(&a, 1, span_of(buf, len), &out), seq == 1 ? -EBADMSG : 0);
	}
	assert_int_equal(a.good, 2);
	assert_int_equal(a.corrupt, 1);
	assert_int_equal(a.lost, 1);
}

static void test_plausible_refuses(void **state)
{
	struct stream_account_ser good, a;

	(void)state;
	account_start(&good, 4);
	frame(&good, 4, 0, 1);
	frame(&good, 6, 0, 2);
	a = good; a.next = 3;
	assert_false(account_plausible(&a));
	a = good; a.good++;
	assert_false(account_plausible(&a));
	a = good; a.lost = 0;
	assert_false(account_plausible(&a));
	a = good; a.good = 1ULL << 63; a.misplaced = (1ULL << 63) + 2;	/* sum wraps to 2 */
	assert_false(account_plausible(&a));
	a = good; a.in_blackout = 2;
	assert_false(account_plausible(&a));
	a = good; a.blackout_frames = 1;
	assert_false(account_plausible(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_random_against_set),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_gap_by_sender_stamps),
		cmocka_unit_test(test_blackout),
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_corrupt_is_lost_as_well),
		cmocka_unit_test(test_plausible_refuses),
	};

	return cmocka_run_group_tests_name("stream account", tests, NULL, NULL);
}

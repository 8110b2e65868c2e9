/* Results of checks: what one observation, several or none make of a check, what is printed, and
 * what travels to the next generation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ktap.c keeps its states to itself and a program has one of them: it is built in here, so that
 * every test starts as a generation does, with nothing observed. */
#include "kernel/report/ktap.c"

static char out[65536];
static size_t out_len;

void kprintf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out_len += (size_t)vsnprintf(out + out_len, sizeof(out) - out_len, fmt, ap);
	va_end(ap);
	assert_true(out_len < sizeof(out));
}

static void new_generation(unsigned gen, unsigned phases)
{
	memset(checks, 0, sizeof(checks));
	out_len = 0;
	out[0] = '\0';
	ktap_begin(gen, phases);
}

static int setup(void **state)
{
	(void)state;
	results_init();
	return 0;
}

static bool has(const char *line)
{
	return strstr(out, line) != NULL;
}

static unsigned count(const char *word)
{
	unsigned n = 0;

	for (const char *p = out; (p = strstr(p, word)); p++)
		n++;
	return n;
}

/* The first two checks of a phase. */
#define A	CHECK_STREAM_NO_LOSS
#define B	CHECK_STREAM_NO_DUPLICATE

/* ktap.states: the line, the counts and the answers for each sequence of observations */
enum { GOOD = 'g', BAD = 'b', SKIP = 's' };
static const struct {
	const char *name, *observed, *line;
	uint32_t passed, failed, skipped;
} cases[] = {
	{ "ktap.passes", "g", "\nok 1 stream.no_loss\n", 1, 0, 0 },
	{ "ktap.many_good_ones_are_one_result", "ggg", "\nok 1 stream.no_loss\n", 1, 0, 0 },
	{ "ktap.fails", "b", "\nnot ok 1 stream.no_loss\n", 0, 1, 0 },
	{ "ktap.good_does_not_heal_bad", "gbgg", "\nnot ok 1 stream.no_loss\n", 0, 1, 0 },
	{ "ktap.two_bad_ones_are_one_result", "bb", "\nnot ok 1 stream.no_loss\n", 0, 1, 0 },
	{ "ktap.skipped", "s", "\nok 1 stream.no_loss # SKIP reason 0\n", 0, 0, 1 },
	{ "ktap.first_reason_of_a_skip", "ss", "\nok 1 stream.no_loss # SKIP reason 0\n", 0, 0, 1 },
	{ "ktap.skip_does_not_hide_good", "gs", "\nok 1 stream.no_loss\n", 1, 0, 0 },
	{ "ktap.skip_does_not_hide_bad", "bs", "\nnot ok 1 stream.no_loss\n", 0, 1, 0 },
	{ "ktap.bad_after_skip", "sb", "\nnot ok 1 stream.no_loss\n", 0, 1, 0 },
	{ "ktap.missing_is_not_ok", "", "\nnot ok 1 stream.no_loss\n", 0, 1, 0 },
};

static void test_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char reason[16];

		print_message("# %s\n", cases[i].name);
		results_init();
		new_generation(3, CHECK_PHASE_STREAM);
		for (unsigned j = 0; cases[i].observed[j]; j++) {
			snprintf(reason, sizeof(reason), "reason %u", j);
			if (cases[i].observed[j] == SKIP)
				check_skip(A, reason);
			else
				check_ok(A, cases[i].observed[j] == GOOD, "%s", reason);
		}
		assert_int_equal(check_failed(A), strchr(cases[i].observed, BAD) != NULL);
		ktap_print(CHECK_PHASE_STREAM);
		if (!has(cases[i].line))
			fail_msg("no line \"%s\" in: %s", cases[i].line, out);
		assert_int_equal(results.check[A].passed, cases[i].passed);
		assert_int_equal(results.check[A].failed, cases[i].failed);
		assert_int_equal(results.check[A].skipped, cases[i].skipped);
		assert_int_equal(results.check[A].first_failure,
				 cases[i].failed ? 3 : RESULTS_NO_GENERATION);
	}
}

/* ktap.what_stands_before_not_ok: the first bad observation, the rule and the remedy */
static void test_failure_text(void **state)
{
	char want[1024];

	(void)state;
	new_generation(0, CHECK_PHASE_STREAM);
	check_eq(A, "lost", 5, 5);
	check_eq(A, "lost", 0x12, 0);
	check_eq(A, "lost", 0x34, 0);
	ktap_print(CHECK_PHASE_STREAM);
	snprintf(want, sizeof(want),
		 "# stream.no_loss: lost is 0x12, want 0x0\n# rule: %s\n# remedy: %s\n"
		 "not ok 1 stream.no_loss\n", info[A].ref, info[A].remedy);
	assert_true(has(want));
	assert_false(has("0x34"));
	assert_true(has("# stream.no_duplicate: was not observed\n"));
}

/* ktap.long_text_is_cut, not overrun */
static void test_long_text(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	new_generation(0, CHECK_PHASE_STREAM);
	check_ok(A, false, "%s", text);
	check_skip(B, text);
	ktap_print(CHECK_PHASE_STREAM);
	text[sizeof(checks[A].text) - 1] = '\0';
	assert_string_equal(checks[A].text, text);
	assert_string_equal(checks[B].text, text);
}

/* ktap.plan_and_numbers: the plan is what is printed, numbers run on over phases */
static void test_plan(void **state)
{
	static const unsigned sets[] = {
		CHECK_PHASE_STREAM | CHECK_PHASE_SAVE,
		CHECK_PHASE_ADOPT | CHECK_PHASE_STREAM | CHECK_PHASE_SAVE,
		CHECK_PHASE_ADOPT | CHECK_PHASE_STREAM | CHECK_PHASE_FINAL,
		CHECK_PHASE_STREAM | CHECK_PHASE_FINAL,
	};

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sets); s++) {
		unsigned plan = 0, number = 0, seen = 0;

		new_generation(0, sets[s]);
		for (unsigned i = 0; i < CHECK_COUNT; i++) {
			plan += (info[i].phase & sets[s]) != 0;
			check_ok(i, i % 5 != 0, "bad");
		}
		assert_int_equal(sscanf(out, "KTAP version 1\n1..%u\n", &number), 1);
		assert_int_equal(number, plan);
		for (unsigned phase = CHECK_PHASE_ADOPT; phase <= CHECK_PHASE_FINAL; phase <<= 1)
			if (sets[s] & phase)
				ktap_print(phase);
		for (const char *p = out; (p = strchr(p, '\n')); p++)
			if (sscanf(p, "\nok %u", &number) == 1 || sscanf(p, "\nnot ok %u", &number) == 1)
				assert_int_equal(number, ++seen);
		assert_int_equal(seen, plan);
	}
}

/* ktap.every_check_stands_once in the list, in one phase, with all its texts */
static void test_list(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		assert_int_equal(__builtin_popcount(info[i].phase), 1);
		assert_true(info[i].ref[0] && info[i].remedy[0]);
		assert_string_equal(check_name(i), info[i].id);
		assert_non_null(strchr(info[i].id, '.'));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(info[i].id, info[j].id);
	}
}

/* ktap.failures: of a phase at once, over all generations once printed */
static void test_failures(void **state)
{
	(void)state;
	new_generation(0, CHECK_PHASE_STREAM);
	assert_true(ktap_phase_failed(CHECK_PHASE_STREAM));	/* nothing was observed */
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		check_ok(i, true, " ");
	assert_false(ktap_phase_failed(CHECK_PHASE_STREAM));
	check_ok(A, false, "bad");
	check_ok(B, false, "bad");
	assert_true(ktap_phase_failed(CHECK_PHASE_STREAM));
	assert_false(ktap_phase_failed(CHECK_PHASE_SAVE));
	assert_int_equal(results_failed_checks(), 0);
	ktap_print(CHECK_PHASE_STREAM);
	assert_int_equal(count("\nnot ok "), 2);
	ktap_print(CHECK_PHASE_SAVE);
	assert_int_equal(count("\nnot ok "), 2);
	assert_int_equal(results_failed_checks(), 2);

	new_generation(1, CHECK_PHASE_SAVE);
	check_skip(CHECK_SAVE_EVENTS_MASKED, "a skip is no failure");
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		if (info[i].phase == CHECK_PHASE_SAVE && i != CHECK_SAVE_EVENTS_MASKED)
			check_ok(i, true, " ");
	assert_false(ktap_phase_failed(CHECK_PHASE_SAVE));
	ktap_print(CHECK_PHASE_SAVE);
	assert_int_equal(count("\nnot ok "), 0);
	assert_int_equal(results_failed_checks(), 2);	/* of the generation before */
}

/* ktap.results_travel: counts add up over generations, the first failure stays the first */
static void test_carried(void **state)
{
	struct results_ser page;

	(void)state;
	for (unsigned gen = 0; gen < 4; gen++) {
		new_generation(gen, CHECK_PHASE_STREAM);
		for (unsigned i = 0; i < CHECK_COUNT; i++)
			check_ok(i, i != A || (gen != 1 && gen != 3), "bad");
		ktap_print(CHECK_PHASE_STREAM);
		page = results;			/* what the hand-over carries */
		results_init();
		assert_int_equal(results.check[A].failed, 0);
		assert_int_equal(results_adopt(&page), 0);
	}
	assert_int_equal(results.check[A].passed, 2);
	assert_int_equal(results.check[A].failed, 2);
	assert_int_equal(results.check[A].first_failure, 1);
	assert_int_equal(results_failed_checks(), 1);	/* checks, not failures */
	assert_int_equal(results.check[B].passed, 4);
	assert_int_equal(results.check[B].first_failure, RESULTS_NO_GENERATION);
}

/* ktap.results_of_another_layout are refused and ours are kept */
static void test_adopt_refuses(void **state)
{
	struct results_ser page = results;

	(void)state;
	results.check[A].passed = 77;
	page.magic ^= 1;
	assert_int_equal(results_adopt(&page), -EBADMSG);
	page.magic ^= 1;
	page.nr_checks++;
	assert_int_equal(results_adopt(&page), -EBADMSG);
	page.nr_checks -= 2;
	assert_int_equal(results_adopt(&page), -EBADMSG);
	assert_int_equal(results.check[A].passed, 77);
	page.nr_checks++;
	assert_int_equal(results_adopt(&page), 0);
	assert_int_equal(results.check[A].passed, 0);
}

/* ktap.rows: the last 16 hand-overs; least, greatest and sum over all of them */
static void test_rows(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		const struct handover_row_ser row = {
			.generation = i + 1, .blackout_us = i == 7 ? 5 : i == 9 ? 9000 : 1000 + i,
		};

		results_add_handover(&row);
		if (i == 0) {
			assert_int_equal(results.blackout_min_us, 1000);
			assert_int_equal(results.blackout_max_us, 1000);
		}
	}
	assert_int_equal(results.nr_handovers, 40);
	assert_int_equal(results.blackout_min_us, 5);
	assert_int_equal(results.blackout_max_us, 9000);
	assert_int_equal(results.blackout_sum_us, 40 * 1000 + 39 * 40 / 2 - 1007 + 5 - 1009 + 9000);
	for (uint32_t n = 24; n < 40; n++)
		assert_int_equal(results.row[n % RESULTS_ROWS].generation, n + 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_states, setup),
		cmocka_unit_test_setup(test_failure_text, setup),
		cmocka_unit_test_setup(test_long_text, setup),
		cmocka_unit_test_setup(test_plan, setup),
		cmocka_unit_test_setup(test_list, setup),
		cmocka_unit_test_setup(test_failures, setup),
		cmocka_unit_test_setup(test_carried, setup),
		cmocka_unit_test_setup(test_adopt_refuses, setup),
		cmocka_unit_test_setup(test_rows, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

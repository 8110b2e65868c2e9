/* Results of checks. */
#include "ktap.h"

#include <stdarg.h>
#include <string.h>

#include "errno.h"
#include "kernel/console/console.h"
#include "kernel/console/printf.h"

struct check_info {
	const char *id;
	unsigned phase;
	const char *ref, *remedy;
};

static const struct check_info info[CHECK_COUNT] = {
#define CHECK(name, id, phase, ref, label, remedy) \
	[CHECK_##name] = { id, CHECK_PHASE_##phase, ref, remedy },
#include "checks.def"
#undef CHECK
};

enum state { NOT_OBSERVED, PASSED, FAILED, SKIPPED };

static struct {
	uint8_t state;
	char text[120];		/* of the first bad observation, or the reason of a skip */
} checks[CHECK_COUNT];

static unsigned generation, printed;

struct results_ser results;

static unsigned in_phases(unsigned phases)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CHECK_COUNT; i++)
		n += (info[i].phase & phases) != 0;
	return n;
}

void ktap_begin(unsigned gen, unsigned phases)
{
	generation = gen;
	printed = 0;
	kprintf("KTAP version 1\n1..%u\n", in_phases(phases));
}

void check_ok(enum check_id id, bool ok, const char *fmt, ...)
{
	va_list ap;

	if (checks[id].state == FAILED)
		return;
	checks[id].state = ok ? PASSED : FAILED;
	if (ok)
		return;
	va_start(ap, fmt);
	str_vformat(checks[id].text, sizeof(checks[id].text), fmt, ap);
	va_end(ap);
}

void check_eq(enum check_id id, const char *what, uint64_t got, uint64_t want)
{
	check_ok(id, got == want, "%s is 0x%llx, want 0x%llx", what, (unsigned long long)got,
		 (unsigned long long)want);
}

void check_skip(enum check_id id, const char *reason)
{
	if (checks[id].state != NOT_OBSERVED)
		return;
	checks[id].state = SKIPPED;
	str_format(checks[id].text, sizeof(checks[id].text), "%s", reason);
}

bool check_failed(enum check_id id)
{
	return checks[id].state == FAILED;
}

const char *check_name(enum check_id id)
{
	return info[id].id;
}

static void print_one(unsigned i)
{
	const unsigned n = ++printed;

	switch (checks[i].state) {
	case PASSED:
		kprintf("ok %u %s\n", n, info[i].id);
		results.check[i].passed++;
		return;
	case SKIPPED:
		kprintf("ok %u %s # SKIP %s\n", n, info[i].id, checks[i].text);
		results.check[i].skipped++;
		return;
	case FAILED:
		kprintf("# %s: %s\n", info[i].id, checks[i].text);
		break;
	default:
		kprintf("# %s: was not observed\n", info[i].id);
		break;
	}
	kprintf("# rule: %s\n# remedy: %s\nnot ok %u %s\n", info[i].ref, info[i].remedy, n,
		info[i].id);
	if (results.check[i].first_failure == RESULTS_NO_GENERATION)
		results.check[i].first_failure = generation;
	results.check[i].failed++;
}

void ktap_print(enum check_phase phase)
{
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		if (info[i].phase & phase)
			print_one(i);
}

bool ktap_phase_failed(enum check_phase phase)
{
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		if (info[i].phase & phase &&
		    (checks[i].state == FAILED || checks[i].state == NOT_OBSERVED))
			return true;
	return false;
}

void results_init(void)
{
	memset(&results, 0, sizeof(results));
	results.magic = RESULTS_MAGIC;
	results.nr_checks = CHECK_COUNT;
	for (unsigned i = 0; i < RESULTS_MAX_CHECKS; i++)
		results.check[i].first_failure = RESULTS_NO_GENERATION;
}

int results_adopt(const struct results_ser *from)
{
	if (from->magic != RESULTS_MAGIC || from->nr_checks != CHECK_COUNT)
		return -EBADMSG;
	results = *from;
	return 0;
}

void results_add_handover(const struct handover_row_ser *row)
{
	if (!results.nr_handovers || row->blackout_us < results.blackout_min_us)
		results.blackout_min_us = row->blackout_us;
	if (row->blackout_us > results.blackout_max_us)
		results.blackout_max_us = row->blackout_us;
	results.blackout_sum_us += row->blackout_us;
	results.row[results.nr_handovers++ % RESULTS_ROWS] = *row;
}

unsigned results_failed_checks(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CHECK_COUNT; i++)
		n += results.check[i].failed != 0;
	return n;
}

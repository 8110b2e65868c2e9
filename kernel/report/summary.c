/* The last screen. */
#include "summary.h"

#include "kernel/console/console.h"
#include "kernel/report/ktap.h"

static void print_row(uint32_t n)
{
	const struct handover_row_ser *r = &results.row[n % RESULTS_ROWS];

	kprintf("# %4u -> %-4u %9u %9llu | %7llu %6llu %6llu %8llu %6llu %6llu | %7u %9llu\n",
		r->generation - 1, r->generation, r->preserved_pages,
		(unsigned long long)r->blackout_us, (unsigned long long)r->hold_us,
		(unsigned long long)r->jump_us, (unsigned long long)r->setup_us,
		(unsigned long long)r->validate_us, (unsigned long long)r->adopt_us,
		(unsigned long long)r->verify_us, r->frames_in_blackout,
		(unsigned long long)r->longest_gap_us);
}

void summary_handovers(void)
{
	const uint32_t total = results.nr_handovers;

	if (!total)
		return;
	kprintf("# hand over    preserved  blackout | of it, by phase (us)                        | in blackout\n"
		"#                  pages        us |    hold   jump  setup validate  adopt verify |  frames    gap us\n");
	for (uint32_t n = total > RESULTS_ROWS ? total - RESULTS_ROWS : 0; n < total; n++)
		print_row(n);
	kprintf("# blackout: min %llu us, mean %llu us, max %llu us over %u hand overs\n",
		(unsigned long long)results.blackout_min_us,
		(unsigned long long)(results.blackout_sum_us / total),
		(unsigned long long)results.blackout_max_us, total);
}

void summary_stream(unsigned stream, const struct stream_account_ser *a)
{
	kprintf("# stream %u: good=%llu lost=%llu duplicate=%llu corrupt=%llu misplaced=%llu refused=%llu other=%llu longest_gap_us=%llu\n",
		stream, (unsigned long long)a->good, (unsigned long long)a->lost,
		(unsigned long long)a->duplicate, (unsigned long long)a->corrupt,
		(unsigned long long)a->misplaced, (unsigned long long)a->refused,
		(unsigned long long)a->other, (unsigned long long)(a->gap_ns / 1000));
}

void summary_failures(void)
{
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		if (results.check[i].failed)
			kprintf("# failed: %s, %u times, first in generation %u\n", check_name(i),
				results.check[i].failed, results.check[i].first_failure);
}

/* What only a seeded bug asked for: verification of one unit beside another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arena.h"
#include "platform/mem.h"
#include "vtd/context.h"
#include "vtd/pagetable.h"
#include "vtd/verify.h"

#define RID	0x0018
#define DID	2

static bool any_page(void *ctx, paddr_t page)
{
	(void)ctx;
	return page;
}

/* verify.equal_dids_of_two_units: two tables under one number are no contradiction */
static void test_equal_dids_of_two_units(void **state)
{
	const struct vtd_ss_format fmt = { 3, VTD_PG_4K, 39, 39, true };
	struct vtd_domain_snapshot domain[2];
	struct vtd_device_snapshot device[2];
	struct vtd_verify_result res;

	(void)state;
	arena_reset(MIB(1), MIB(8));
	for (uint32_t i = 0; i < 2; i++) {
		struct vtd_ss ss;

		assert_int_equal(vtd_ss_init(&ss, &fmt), 0);
		assert_int_equal(vtd_ss_map(&ss, GIB(1), MIB(32), PAGE_SIZE, VTD_SS_RW), 0);
		domain[i] = (struct vtd_domain_snapshot){
			.id = i, .levels = ss.levels, .top = ss.top, .addr_bits = ss.addr_bits,
			.page_sizes = ss.page_sizes, .table_pages = ss.table_pages,
		};
		device[i] = (struct vtd_device_snapshot){ i, 0, RID, i, DID };
	}
	for (uint32_t i = 0; i < 2; i++) {
		struct vtd_unit_snapshot unit = {
			.index = i, .ver = 0x10, .cap = 0x00d2008c222f0606, .ecap = 0xf00f4a,
			.rtaddr = vtd_root_alloc(true), .context_tables = { 1 },
		};
		const struct vtd_verify v = {
			.unit = &unit, .domains = domain, .nr_domains = 2, .devices = device,
			.nr_devices = 2, .haw = 39, .max_tables = 64, .page_ok = any_page,
		};

		assert_int_equal(vtd_context_set(unit.rtaddr, RID,
						 vtd_context_entry(domain[i].top, DID, VTD_AW_39BIT),
						 true), 0);
		assert_true(vtd_verify_unit(&v, &res));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_dids_of_two_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

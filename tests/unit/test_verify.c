/* Verification: a good machine passes, and each thing that can be wrong is found and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "errno.h"
#include "platform/mem.h"
#include "tests/unit/tables.h"
#include "vtd/context.h"
#include "vtd/pagetable.h"
#include "vtd/verify.h"

#define NIC	0x0018
#define DISK	0x0310
#define TWIN	0x0311		/* shares the disk's domain */

/* The machine: one unit, two domains, three devices. */
static paddr_t root;
static struct vtd_ss nic_ss, disk_ss;
static struct vtd_unit_snapshot unit;
static struct vtd_domain_snapshot domains[3];
static struct vtd_device_snapshot devices[4];
static size_t nr_devices;
static struct vtd_verify v;
static struct vtd_verify_result res;

/* What was reported. */
static struct vtd_violation seen[8];
static size_t nr_seen;

static paddr_t bad_page;	/* page_ok() refuses this one */
static paddr_t bad_leaf;	/* leaf_ok() refuses this one */

static bool page_ok(void *ctx, paddr_t page)
{
	(void)ctx;
	return page != bad_page && page >= MIB(1) && page < MIB(8);
}

static bool leaf_ok(void *ctx, const struct vtd_domain_snapshot *domain, paddr_t pa, uint64_t size)
{
	(void)ctx;
	assert_non_null(domain);
	return pa >= MIB(8) && (bad_leaf < pa || bad_leaf >= pa + size);
}

static void report(void *ctx, const struct vtd_violation *bad)
{
	(void)ctx;
	if (nr_seen < ARRAY_SIZE(seen))
		seen[nr_seen] = *bad;
	nr_seen++;
}

static struct vtd_domain_snapshot domain_of(uint32_t id, const struct vtd_ss *ss)
{
	return (struct vtd_domain_snapshot){
		.id = id, .levels = ss->levels, .top = ss->top, .addr_bits = ss->addr_bits,
		.page_sizes = ss->page_sizes, .table_pages = ss->table_pages,
	};
}

static void attach(uint16_t rid, const struct vtd_ss *ss, uint32_t domain, uint16_t did)
{
	const struct vtd_context_entry e =
		vtd_context_entry(ss->top, did, vtd_aw_of_levels(ss->levels));

	assert_int_equal(vtd_context_set(LEGACY(root, true), rid, e), 0);
	devices[nr_devices++] = (struct vtd_device_snapshot){ 0, 0, rid, domain, did, 0 };
}

static void build(void)
{
	const struct vtd_ss_format four = { 4, VTD_PG_4K | VTD_PG_2M, 48, 39, true };
	const struct vtd_ss_format three = { 3, VTD_PG_4K | VTD_PG_2M, 39, 39, true };

	arena_reset(MIB(1), MIB(8));
	nr_devices = nr_seen = 0;
	bad_page = bad_leaf = 1;
	root = vtd_root_alloc(true);
	assert_int_equal(vtd_ss_init(&nic_ss, &four), 0);
	assert_int_equal(vtd_ss_map(&nic_ss, GIB(64), 0x2000000, 0x8000, VTD_SS_RW), 0);
	assert_int_equal(vtd_ss_map(&nic_ss, GIB(128), 0x4000000, MIB(2), VTD_SS_R), 0);
	assert_int_equal(vtd_ss_init(&disk_ss, &three), 0);
	assert_int_equal(vtd_ss_map(&disk_ss, 0x7000, 0x3000000, 0x1000, VTD_SS_W), 0);
	attach(NIC, &nic_ss, 100, 2);
	attach(DISK, &disk_ss, 101, 3);
	attach(TWIN, &disk_ss, 101, 3);
	domains[0] = domain_of(100, &nic_ss);
	domains[1] = domain_of(101, &disk_ss);
	domains[2] = (struct vtd_domain_snapshot){ .id = 102 };	/* of no device: not walked */
	devices[3] = (struct vtd_device_snapshot){ .unit = 1, .rid = 0x5000, .domain = 999 };
	unit = (struct vtd_unit_snapshot){
		.ver = 0x10, .cap = 0x00d2008c222f0606, .ecap = 0xf00f4a, .rtaddr = root,
	};
	vtd_context_tables(LEGACY(root, true), unit.context_tables);
	v = (struct vtd_verify){
		.unit = &unit, .domains = domains, .nr_domains = 3, .devices = devices,
		.nr_devices = 4, .haw = 39, .max_tables = 64, .page_ok = page_ok,
		.leaf_ok = leaf_ok, .report = report,
	};
}

static void test_good_machine(void **state)
{
	(void)state;
	build();
	assert_true(vtd_verify_unit(&v, &res));
	assert_int_equal(nr_seen, 0);
	assert_int_equal(res.violations, 0);
	/* Root, two context tables, the tables of both domains once each. */
	assert_int_equal(res.tables, 3 + nic_ss.table_pages + disk_ss.table_pages);
	assert_int_equal(res.leaves, 8 + 1 + 1);
	assert_int_equal(res.bytes, 0x8000 + MIB(2) + 0x1000);
	v.report = NULL;
	v.leaf_ok = NULL;
	assert_true(vtd_verify_unit(&v, &res));
}

/* ---- what can be wrong ---------------------------------------------------------------------- */

static uint64_t *root_word(unsigned bus, unsigned half)
{
	return (uint64_t *)mem_ptr(root) + 2 * bus + half;
}

static uint64_t *context_word(uint16_t rid, unsigned half)
{
	const paddr_t table = *root_word(rid >> 8, 0) & ~0xfffULL;

	return (uint64_t *)mem_ptr(table) + 2 * (rid & 255) + half;
}

/* The entry that maps @iova at @level of the NIC's table. */
static uint64_t *ss_word(iova_t iova, unsigned level)
{
	paddr_t table = nic_ss.top;

	for (unsigned l = 4; l > level; l--)
		table = ((uint64_t *)mem_ptr(table))[vtd_ss_index(iova, l)] & VTD_SS_ADDR;
	return (uint64_t *)mem_ptr(table) + vtd_ss_index(iova, level);
}

static void bad_caps(void) { unit.cap = 0; }
static void bad_haw(void) { v.haw = 12; }
static void scalable_mode(void) { unit.rtaddr |= 1 << 10; }
static void reserved_mode(void) { unit.rtaddr |= 2 << 10; }
static void rtaddr_low_bit(void) { unit.rtaddr |= 1; }
static void odd_bit(void) { unit.context_tables[0] |= 2; }
static void pasid_dir_in_legacy_mode(void) { devices[0].pasid_dir = 0x5000; }
static void unknown_domain(void) { devices[0].domain = 7; }
static void levels_not_in_sagaw(void) { domains[0].levels = 5; }
static void levels_of_record_wrong(void) { domains[0].levels = 3; domains[0].table_pages = 0; }
static void top_unaligned(void) { domains[0].top |= 0x800; }
static void top_zero(void) { domains[0].top = 0; }
static void top_above_haw(void) { domains[0].top |= 1ULL << 40; }
static void did_0(void) { devices[0].did = 0; *context_word(NIC, 1) = 2; }
static void did_1(void) { devices[0].did = 1; *context_word(NIC, 1) = 0x102; }
static void did_beyond_nd(void)
{
	unit.cap &= ~7ULL;	/* 16 ids */
	devices[0].did = 16;
	*context_word(NIC, 1) = 0x1002;
}

static void did_twice(void) { devices[0].did = 3; *context_word(NIC, 1) = 0x302; }
static void two_dids(void) { devices[2].did = 4; *context_word(TWIN, 1) = 0x401; }
static void root_extra(void) { *root_word(9, 0) = *root_word(0, 0); }
static void root_gone(void) { *root_word(0, 0) = 0; }
static void root_low_bit(void) { *root_word(0, 0) |= 2; }
static void root_upper_word(void) { *root_word(0, 1) = 1; }
static void root_above_haw(void) { *root_word(0, 0) |= 1ULL << 40; }
static void context_extra(void) { *context_word(0x0020, 0) = 0x1001; }
static void context_gone(void) { *context_word(NIC, 0) &= ~1ULL; }
static void context_fpd(void) { *context_word(NIC, 0) |= 2; }
static void context_low_bit(void) { *context_word(NIC, 0) |= 0x10; }
static void context_upper_bit(void) { *context_word(NIC, 1) |= 1ULL << 24; }
static void context_bit_71(void) { *context_word(NIC, 1) |= 1 << 7; }
static void context_did_width(void) { unit.cap &= ~7ULL; *context_word(NIC, 1) |= 0x100000; }
static void context_pass_through(void) { *context_word(NIC, 0) |= 2 << 2; }
static void context_other_table(void) { *context_word(NIC, 0) += 0x1000; }
static void context_above_haw(void) { *context_word(NIC, 0) |= 1ULL << 40; }
static void context_aw(void) { *context_word(NIC, 1) ^= 3; }
static void context_did(void) { *context_word(NIC, 1) += 0x300; }
static void root_page_bad(void) { bad_page = root; }
static void context_page_bad(void) { bad_page = *root_word(0, 0) & ~0xfffULL; }
static void context_page_zero(void) { *root_word(0, 0) = 1; }
static void top_page_bad(void) { bad_page = nic_ss.top; }
static void lower_page_bad(void) { bad_page = *ss_word(GIB(64), 2) & VTD_SS_ADDR; }
static void table_outside(void) { *ss_word(GIB(64), 2) = GIB(6) | 3; }
static void ss_above_haw(void) { *ss_word(GIB(64), 1) |= 1ULL << 39; }
static void ss_bit_62(void) { *ss_word(GIB(64), 1) |= 1ULL << 62; }
static void ss_snoop(void) { *ss_word(GIB(64), 1) |= 1 << 11; }
static void ss_snoop_non_leaf(void) { *ss_word(GIB(64), 2) |= 1 << 11; }
static void ss_2m_low_bits(void) { *ss_word(GIB(128), 2) |= 1 << 12; }
static void ss_2m_unsupported(void) { unit.cap &= ~(0xfULL << 34); }
static void ss_ps_at_top(void) { *ss_word(GIB(64), 4) |= 0x80; }
static void ss_interrupt_range(void) { *ss_word(GIB(64), 1) = 0xfee00003; }
static void ss_2m_over_interrupts(void) { *ss_word(GIB(128), 2) = 0xfee00081; }
static void ss_leaf_outside(void) { bad_leaf = 0x2003000; }
static void ss_2m_outside(void) { bad_leaf = 0x41ff000; }
static void ss_table_missing(void) { *ss_word(GIB(64), 2) = 0; }
static void ss_table_added(void) { assert_int_equal(vtd_ss_map(&nic_ss, 0, 0x2000000, 0x1000, 3), 0); }
/* What comes after the loop are leaves that lead into tables. */
static void ss_cycle(void) { *ss_word(GIB(64), 2) = nic_ss.top | 3; }

/* Every entry of every level leads to one table of the next: 512^3 walks if nothing stops them. */
static void ss_fan(void)
{
	for (unsigned level = 4; level >= 2; level--) {
		uint64_t *t = ss_word(GIB(64), level) - vtd_ss_index(GIB(64), level);

		for (unsigned i = 0; i < 512; i++)
			t[i] = *ss_word(GIB(64), level);
	}
	v.max_tables = 4096;
}

static void too_few_allowed(void) { v.max_tables = 2; }

static const struct {
	const char *name;
	void (*damage)(void);
	enum vtd_violation_kind kind;	/* of the first report */
	uint64_t violations;		/* 0: any number */
} cases[] = {
	{ "verify.caps",                 bad_caps,              VTD_BAD_CAPS, 1 },
	{ "verify.haw",                  bad_haw,               VTD_BAD_CAPS, 1 },
	{ "verify.scalable_mode",        scalable_mode,         VTD_BAD_MODE, 1 },
	{ "verify.reserved_mode",        reserved_mode,         VTD_BAD_MODE, 1 },
	{ "verify.odd_bit_in_legacy",    odd_bit,               VTD_ROOT_MISSING, 1 },
	{ "verify.pasid_dir_in_legacy",  pasid_dir_in_legacy_mode, VTD_PASID_TABLE, 1 },
	{ "verify.rtaddr_low_bit",       rtaddr_low_bit,        VTD_BAD_MODE, 1 },
	{ "verify.unknown_domain",       unknown_domain,        VTD_BAD_SNAPSHOT, 1 },
	{ "verify.levels_not_in_sagaw",  levels_not_in_sagaw,   VTD_BAD_SNAPSHOT, 2 },
	{ "verify.levels_of_record",     levels_of_record_wrong, VTD_CONTEXT_AW, 0 },
	{ "verify.top_unaligned",        top_unaligned,         VTD_BAD_SNAPSHOT, 2 },
	{ "verify.top_zero",             top_zero,              VTD_BAD_SNAPSHOT, 2 },
	{ "verify.top_above_haw",        top_above_haw,         VTD_BAD_SNAPSHOT, 2 },
	{ "verify.did_0",                did_0,                 VTD_BAD_DID, 1 },
	{ "verify.did_1",                did_1,                 VTD_BAD_DID, 1 },
	{ "verify.did_beyond_nd",        did_beyond_nd,         VTD_BAD_DID, 2 },
	{ "verify.did_for_two_tables",   did_twice,             VTD_DID_SHARED, 2 },
	{ "verify.two_dids_for_a_table", two_dids,              VTD_DID_SHARED, 1 },
	{ "verify.root_unexpected",      root_extra,            VTD_ROOT_UNEXPECTED, 2 },
	{ "verify.root_missing",         root_gone,             VTD_ROOT_MISSING, 2 },
	{ "verify.root_low_bit",         root_low_bit,          VTD_ROOT_RESERVED, 1 },
	{ "verify.root_upper_word",      root_upper_word,       VTD_ROOT_RESERVED, 1 },
	{ "verify.root_above_haw",       root_above_haw,        VTD_ROOT_RESERVED, 1 },
	{ "verify.context_unexpected",   context_extra,         VTD_CONTEXT_UNEXPECTED, 1 },
	{ "verify.context_missing",      context_gone,          VTD_CONTEXT_MISSING, 1 },
	{ "verify.context_fpd",          context_fpd,           VTD_CONTEXT_RESERVED, 1 },
	{ "verify.context_low_bit",      context_low_bit,       VTD_CONTEXT_RESERVED, 1 },
	{ "verify.context_upper_bit",    context_upper_bit,     VTD_CONTEXT_RESERVED, 1 },
	{ "verify.context_bit_71",       context_bit_71,        VTD_CONTEXT_RESERVED, 1 },
	{ "verify.context_did_width",    context_did_width,     VTD_CONTEXT_RESERVED, 2 },
	{ "verify.context_pass_through", context_pass_through,  VTD_CONTEXT_TT, 1 },
	{ "verify.context_other_table",  context_other_table,   VTD_CONTEXT_TABLE, 1 },
	{ "verify.context_above_haw",    context_above_haw,     VTD_CONTEXT_RESERVED, 2 },
	{ "verify.context_aw",           context_aw,            VTD_CONTEXT_AW, 1 },
	{ "verify.context_did",          context_did,           VTD_CONTEXT_DID, 1 },
	{ "verify.root_page",            root_page_bad,         VTD_TABLE_PAGE, 1 },
	{ "verify.context_page",         context_page_bad,      VTD_TABLE_PAGE, 2 },
	{ "verify.context_page_zero",    context_page_zero,     VTD_TABLE_PAGE, 2 },
	{ "verify.top_page",             top_page_bad,          VTD_TABLE_PAGE, 2 },
	{ "verify.lower_page",           lower_page_bad,        VTD_TABLE_PAGE, 2 },
	{ "verify.table_outside",        table_outside,         VTD_TABLE_PAGE, 2 },
	{ "verify.ss_above_haw",         ss_above_haw,          VTD_SS_RESERVED_BITS, 1 },
	{ "verify.ss_bit_62",            ss_bit_62,             VTD_SS_RESERVED_BITS, 1 },
	{ "verify.ss_snoop",             ss_snoop,              VTD_SS_RESERVED_BITS, 1 },
	{ "verify.ss_snoop_non_leaf",    ss_snoop_non_leaf,     VTD_SS_RESERVED_BITS, 2 },
	{ "verify.ss_2m_low_bits",       ss_2m_low_bits,        VTD_SS_RESERVED_BITS, 1 },
	{ "verify.ss_2m_unsupported",    ss_2m_unsupported,     VTD_SS_RESERVED_BITS, 1 },
	{ "verify.ss_ps_at_top",         ss_ps_at_top,          VTD_SS_RESERVED_BITS, 2 },
	{ "verify.ss_interrupt_range",   ss_interrupt_range,    VTD_SS_INTERRUPT_RANGE, 1 },
	{ "verify.ss_2m_over_interrupts", ss_2m_over_interrupts, VTD_SS_INTERRUPT_RANGE, 1 },
	{ "verify.ss_leaf_outside",      ss_leaf_outside,       VTD_SS_LEAF_PAGE, 1 },
	{ "verify.ss_2m_outside",        ss_2m_outside,         VTD_SS_LEAF_PAGE, 1 },
	{ "verify.ss_table_missing",     ss_table_missing,      VTD_SS_TABLE_COUNT, 1 },
	{ "verify.ss_table_added",       ss_table_added,        VTD_SS_TABLE_COUNT, 1 },
	{ "verify.ss_cycle",             ss_cycle,              VTD_SS_LEAF_PAGE, 1 },
	{ "verify.ss_fan",               ss_fan,                VTD_TOO_MANY_TABLES, 2 },
	{ "verify.too_few_allowed",      too_few_allowed,       VTD_TOO_MANY_TABLES, 0 },
};

static void test_each_violation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %s\n", cases[i].name);
		build();
		cases[i].damage();
		assert_false(vtd_verify_unit(&v, &res));
		assert_int_equal(nr_seen, res.violations);
		assert_string_equal(vtd_violation_name(seen[0].kind), vtd_violation_name(cases[i].kind));
		if (cases[i].violations)
			assert_int_equal(res.violations, cases[i].violations);
	}
}

static void test_every_kind_is_tested(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < VTD_VIOLATION_KINDS; kind++) {
		bool found = kind >= VTD_PASID_TABLE && kind <= VTD_PASID_TYPE;	/* test_verify_scalable.c */

		assert_string_not_equal(vtd_violation_name(kind), "unknown violation");
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
			found |= cases[i].kind == kind;
		assert_true(found);
	}
	assert_string_equal(vtd_violation_name(VTD_VIOLATION_KINDS), "unknown violation");
}

static void test_report_names_the_place(void **state)
{
	(void)state;
	build();
	*context_word(NIC, 1) += 0x300;
	assert_false(vtd_verify_unit(&v, &res));
	assert_int_equal(seen[0].rid, NIC);
	assert_int_equal(seen[0].domain, 100);
	assert_int_equal(seen[0].page, *root_word(0, 0) & ~0xfffULL);
	assert_int_equal(seen[0].found, 5);
	assert_int_equal(seen[0].want, 2);

	build();
	*ss_word(GIB(64) + 0x3000, 1) |= 1ULL << 62;
	assert_false(vtd_verify_unit(&v, &res));
	assert_int_equal(seen[0].iova, GIB(64) + 0x3000);
	assert_int_equal(seen[0].found, 1ULL << 62);
	assert_int_equal(seen[0].domain, 100);
}

static void test_kept_empty_context_table(void **state)
{
	(void)state;
	build();
	/* A device that is blocked on purpose: its table stays, its entry is not present, FPD set. */
	assert_int_equal(vtd_context_set(LEGACY(root, true), 0x0700, vtd_context_entry(0x5000, 9, VTD_AW_48BIT)), 0);
	assert_int_equal(vtd_context_clear_present(LEGACY(root, true), 0x0700), 0);
	assert_int_equal(vtd_context_zero(LEGACY(root, true), 0x0700), 0);
	assert_int_equal(vtd_context_set_fpd(LEGACY(root, true), 0x0700, true), 0);
	vtd_context_tables(LEGACY(root, true), unit.context_tables);
	assert_true(vtd_verify_unit(&v, &res));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_machine),
		cmocka_unit_test(test_each_violation),
		cmocka_unit_test(test_every_kind_is_tested),
		cmocka_unit_test(test_report_names_the_place),
		cmocka_unit_test(test_kept_empty_context_table),
	};

	return cmocka_run_group_tests_name("vtd verification", tests, NULL, NULL);
}

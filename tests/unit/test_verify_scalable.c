/* Walking the tables of a unit in scalable mode: context entries of 32 bytes, two tables per bus, and
 * a PASID directory and table behind each.  What both modes share is in test_verify.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "errno.h"
#include "platform/mem.h"
#include "tests/host/arena.h"
#include "vtd/pagetable.h"
#include "vtd/pasid.h"
#include "vtd/unit.h"
#include "vtd/verify.h"

#define NIC	0x0018		/* lower table of bus 0 */
#define TWIN	0x00a8		/* upper table of bus 0, in the NIC's domain */
#define DISK	0x0390		/* upper table of bus 3 */
#define CAP	0x00d2008c222f0606
#define ECAP	0x480080f00f4a	/* QEMU's, scalable mode with second-stage */
#define SMPWCS	BIT64(48)

static struct vtd_unit u;
static struct vtd_ss nic_ss, disk_ss;
static struct vtd_unit_snapshot unit;
static struct vtd_domain_snapshot domains[2];
static struct vtd_device_snapshot devices[3];
static struct vtd_verify v;
static struct vtd_verify_result res;
static struct vtd_violation first;
static size_t nr_seen;
static paddr_t bad_page;

static bool page_ok(void *ctx, paddr_t page)
{
	(void)ctx;
	return page != bad_page && page >= MIB(1) && page < MIB(9);
}

static void report(void *ctx, const struct vtd_violation *bad)
{
	(void)ctx;
	if (!nr_seen++)
		first = *bad;
}

static void attach(unsigned i, uint16_t rid, const struct vtd_ss *ss, uint32_t domain, uint16_t did)
{
	const struct vtd_tables t = vtd_unit_tables(&u);
	const paddr_t dir = vtd_pasid_alloc(
		vtd_pasid_entry(ss->top, did, vtd_aw_of_levels(ss->levels), u.caps.smpwcs), true);

	assert_int_equal(vtd_context_set(&t, rid, vtd_scalable_context_entry(dir)), 0);
	devices[i] = (struct vtd_device_snapshot){
		.rid = rid, .domain = domain, .did = did, .pasid_dir = dir };
	domains[domain] = (struct vtd_domain_snapshot){
		.id = domain, .levels = ss->levels, .top = ss->top, .table_pages = ss->table_pages };
}

static void build_with(uint64_t ecap)
{
	const struct vtd_ss_format four = { 4, VTD_PG_4K | VTD_PG_2M, 48, 39, true };
	const struct vtd_ss_format three = { 3, VTD_PG_4K | VTD_PG_2M, 39, 39, true };
	struct vtd_tables t;

	arena_reset(MIB(1), MIB(8));
	nr_seen = 0;
	bad_page = 1;
	u = (struct vtd_unit){ .ttm = VTD_TTM_SCALABLE, .root = vtd_root_alloc(true) };
	assert_int_equal(vtd_caps_decode(0x10, CAP, ecap, &u.caps), 0);
	u.caps.coherent = true;
	assert_int_equal(vtd_ss_init(&nic_ss, &four), 0);
	assert_int_equal(vtd_ss_map(&nic_ss, GIB(64), 0x2000000, 0x3000, VTD_SS_RW), 0);
	assert_int_equal(vtd_ss_init(&disk_ss, &three), 0);
	assert_int_equal(vtd_ss_map(&disk_ss, 0x7000, 0x3000000, 0x1000, VTD_SS_W), 0);
	attach(0, NIC, &nic_ss, 0, 2);
	attach(1, TWIN, &nic_ss, 0, 2);
	attach(2, DISK, &disk_ss, 1, 3);
	unit = (struct vtd_unit_snapshot){
		.ver = 0x10, .cap = CAP, .ecap = ecap,
		.rtaddr = u.root | FIELD_PREP(VTD_RTADDR_TTM, VTD_TTM_SCALABLE) };
	t = vtd_unit_tables(&u);
	vtd_context_tables(&t, unit.context_tables);
	v = (struct vtd_verify){
		.unit = &unit, .domains = domains, .nr_domains = 2, .devices = devices, .nr_devices = 3,
		.haw = 39, .max_tables = 64, .page_ok = page_ok, .report = report };
}

static void build(void)
{
	build_with(ECAP);
}

static void test_good_machine(void **state)
{
	(void)state;
	build();
	assert_true(vtd_verify_unit(&v, &res));
	assert_int_equal(nr_seen, 0);
	/* Root, three context tables, directory and table of three devices, two domains once each. */
	assert_int_equal(res.tables, 1 + 3 + 6 + nic_ss.table_pages + disk_ss.table_pages);
	assert_int_equal(res.leaves, 3 + 1);
	assert_int_equal(unit.context_tables[0], 1 | 1 << 1 | 1 << 7);
	build_with(ECAP | SMPWCS);
	assert_true(vtd_verify_unit(&v, &res));
}

/* ---- what can be wrong ---------------------------------------------------------------------- */

static uint64_t *context_words(uint16_t rid)
{
	const uint64_t *root = mem_ptr(u.root);
	uint8_t *table = mem_ptr(root[2 * (rid >> 8) + (rid >> 7 & 1)] & VTD_RE_CTP);

	return (uint64_t *)(table + (rid & 0x7f) * 32);
}

static uint64_t *dir_words(unsigned i)
{
	return mem_ptr(devices[i].pasid_dir);
}

static uint64_t *entry_words(unsigned i)
{
	return mem_ptr(dir_words(i)[0] & VTD_PDE_SMPTBLPTR);
}

static void legacy_mode(void) { unit.rtaddr &= ~VTD_RTADDR_TTM; }
static void no_scalable_unit(void) { unit.ecap = 0xf00f4a; }
static void first_stage_unit(void) { unit.ecap = 0x880000f00f4a; }
static void record_without_dir(void) { devices[0].pasid_dir = 0; }
static void upper_half_extra(void) { ((uint64_t *)mem_ptr(u.root))[3] = ((uint64_t *)mem_ptr(u.root))[0]; }
static void upper_half_gone(void) { ((uint64_t *)mem_ptr(u.root))[1] = 0; }
static void upper_half_low_bit(void) { ((uint64_t *)mem_ptr(u.root))[1] |= 4; }
static void context_extra(void) { context_words(0x0020)[0] = context_words(NIC)[0]; }
static void context_last_of_lower(void) { context_words(0x007f)[0] = context_words(NIC)[0]; }
static void context_last_of_upper(void) { context_words(0x00ff)[0] = context_words(NIC)[0]; }
static void context_gone(void) { context_words(TWIN)[0] &= ~1ULL; }
static void context_fpd(void) { context_words(NIC)[0] |= BIT64(1); }
static void entry_fpd(void) { entry_words(0)[0] |= BIT64(1); }
static void context_hpte(void) { context_words(NIC)[0] |= BIT64(5); }
static void context_bit_8(void) { context_words(NIC)[0] |= BIT64(8); }
static void context_rid_pasid(void) { context_words(NIC)[1] = 1; }
static void context_rid_priv(void) { context_words(NIC)[1] = BIT64(20); }
static void context_third_word(void) { context_words(NIC)[2] = 1; }
static void context_fourth_word(void) { context_words(NIC)[3] = BIT64(63); }
static void context_dte(void) { context_words(NIC)[0] |= BIT64(2); }
static void context_paside(void) { context_words(NIC)[0] |= BIT64(3); }
static void context_pre(void) { context_words(NIC)[0] |= BIT64(4); }
static void context_pdts(void) { context_words(NIC)[0] |= BIT64(9); }
static void context_other_dir(void) { context_words(NIC)[0] = (context_words(TWIN)[0] & ~0xfffULL) | 0x401; }
static void record_other_dir(void) { devices[2].pasid_dir += PAGE_SIZE; }
static void dir_page_bad(void) { bad_page = devices[0].pasid_dir; }
static void dir_empty(void) { dir_words(0)[0] = 0; }
static void dir_second(void) { dir_words(0)[1] = dir_words(0)[0]; }
static void dir_last(void) { dir_words(0)[511] = 1; }
static void dir_low_bit(void) { dir_words(0)[0] |= BIT64(2); }
static void dir_fpd(void) { dir_words(0)[0] |= BIT64(1); }
static void dir_above_haw(void) { dir_words(0)[0] |= BIT64(40); }
static void table_page_bad(void) { bad_page = dir_words(0)[0] & VTD_PDE_SMPTBLPTR; }
static void table_second(void) { entry_words(0)[8] = entry_words(0)[0]; }
static void table_last(void) { entry_words(0)[63 * 8] = 1; }
static void entry_gone(void) { entry_words(0)[0] &= ~1ULL; }
static void entry_bit_5(void) { entry_words(0)[0] |= BIT64(5); }
static void entry_ssade(void) { entry_words(0)[0] |= BIT64(9); }
static void entry_above_haw(void) { entry_words(0)[0] |= BIT64(41); }
static void entry_upper_bit(void) { entry_words(0)[1] |= BIT64(32); }
static void entry_pwsnp_reserved(void) { entry_words(0)[1] |= BIT64(23); }
static void entry_pgsnp_reserved(void) { entry_words(0)[1] |= BIT64(24); }
static void entry_first_stage_word(void) { entry_words(0)[2] = 0x5000; }
static void entry_last_word(void) { entry_words(0)[7] = 1; }
static void entry_first_stage(void) { entry_words(0)[0] ^= 3 << 6; }
static void entry_nested(void) { entry_words(0)[0] |= 1 << 6; }
static void entry_pass_through(void) { entry_words(0)[0] ^= 6 << 6; }
static void entry_did(void) { entry_words(0)[1] += 5; }
static void entry_table(void) { entry_words(2)[0] += PAGE_SIZE; }
static void entry_aw(void) { entry_words(2)[0] ^= 3 << 2; }
static void entry_did_width(void) { unit.cap &= ~7ULL; entry_words(0)[1] |= 0x1000; }
static void no_snoop_though_possible(void)
{
	build_with(ECAP | SMPWCS);
	entry_words(0)[1] &= ~BIT64(23);
}

static const struct {
	const char *name;
	void (*damage)(void);
	enum vtd_violation_kind kind;
	uint64_t violations;		/* 0: any number */
} cases[] = {
	{ "scalable.legacy_mode",          legacy_mode,            VTD_PASID_TABLE, 0 },
	{ "scalable.unit_has_none",        no_scalable_unit,       VTD_BAD_MODE, 1 },
	{ "scalable.first_stage_only",     first_stage_unit,       VTD_BAD_MODE, 1 },
	{ "scalable.record_without_dir",   record_without_dir,     VTD_PASID_TABLE, 2 },
	{ "scalable.upper_half_extra",     upper_half_extra,       VTD_ROOT_UNEXPECTED, 2 },
	{ "scalable.upper_half_gone",      upper_half_gone,        VTD_ROOT_MISSING, 2 },
	{ "scalable.upper_half_low_bit",   upper_half_low_bit,     VTD_ROOT_RESERVED, 1 },
	{ "scalable.context_extra",        context_extra,          VTD_CONTEXT_UNEXPECTED, 1 },
	{ "scalable.context_last_of_lower", context_last_of_lower, VTD_CONTEXT_UNEXPECTED, 1 },
	{ "scalable.context_last_of_upper", context_last_of_upper, VTD_CONTEXT_UNEXPECTED, 1 },
	{ "scalable.context_gone",         context_gone,           VTD_CONTEXT_MISSING, 1 },
	{ "scalable.context_fpd",          context_fpd,            VTD_CONTEXT_RESERVED, 1 },
	{ "scalable.entry_fpd",            entry_fpd,              VTD_PASID_RESERVED, 1 },
	{ "scalable.context_hpte",         context_hpte,           VTD_CONTEXT_RESERVED, 1 },
	{ "scalable.context_bit_8",        context_bit_8,          VTD_CONTEXT_RESERVED, 1 },
	{ "scalable.context_rid_pasid",    context_rid_pasid,      VTD_CONTEXT_RESERVED, 1 },
	{ "scalable.context_rid_priv",     context_rid_priv,       VTD_CONTEXT_RESERVED, 1 },
	{ "scalable.context_third_word",   context_third_word,     VTD_CONTEXT_RESERVED, 1 },
	{ "scalable.context_fourth_word",  context_fourth_word,    VTD_CONTEXT_RESERVED, 1 },
	{ "scalable.context_dte",          context_dte,            VTD_CONTEXT_TT, 1 },
	{ "scalable.context_paside",       context_paside,         VTD_CONTEXT_TT, 1 },
	{ "scalable.context_pre",          context_pre,            VTD_CONTEXT_TT, 1 },
	{ "scalable.context_pdts",         context_pdts,           VTD_PASID_TABLE, 1 },
	{ "scalable.context_other_dir",    context_other_dir,      VTD_PASID_TABLE, 1 },
	{ "scalable.record_other_dir",     record_other_dir,       VTD_PASID_TABLE, 1 },
	{ "scalable.dir_page",             dir_page_bad,           VTD_PASID_PAGE, 1 },
	{ "scalable.dir_empty",            dir_empty,              VTD_PASID_MISSING, 1 },
	{ "scalable.dir_second",           dir_second,             VTD_PASID_UNEXPECTED, 1 },
	{ "scalable.dir_last",             dir_last,               VTD_PASID_UNEXPECTED, 1 },
	{ "scalable.dir_low_bit",          dir_low_bit,            VTD_PASID_RESERVED, 1 },
	{ "scalable.dir_fpd",              dir_fpd,                VTD_PASID_RESERVED, 1 },
	{ "scalable.dir_above_haw",        dir_above_haw,          VTD_PASID_RESERVED, 1 },
	{ "scalable.table_page",           table_page_bad,         VTD_PASID_PAGE, 1 },
	{ "scalable.table_second",         table_second,           VTD_PASID_UNEXPECTED, 1 },
	{ "scalable.table_last",           table_last,             VTD_PASID_UNEXPECTED, 1 },
	{ "scalable.entry_gone",           entry_gone,             VTD_PASID_MISSING, 1 },
	{ "scalable.entry_bit_5",          entry_bit_5,            VTD_PASID_RESERVED, 1 },
	{ "scalable.entry_ssade",          entry_ssade,            VTD_PASID_RESERVED, 1 },
	{ "scalable.entry_above_haw",      entry_above_haw,        VTD_PASID_RESERVED, 2 },
	{ "scalable.entry_upper_bit",      entry_upper_bit,        VTD_PASID_RESERVED, 1 },
	{ "scalable.entry_pwsnp_reserved", entry_pwsnp_reserved,   VTD_PASID_RESERVED, 2 },
	{ "scalable.entry_pgsnp_reserved", entry_pgsnp_reserved,   VTD_PASID_RESERVED, 1 },
	{ "scalable.entry_fs_word",        entry_first_stage_word, VTD_PASID_RESERVED, 1 },
	{ "scalable.entry_last_word",      entry_last_word,        VTD_PASID_RESERVED, 1 },
	{ "scalable.entry_first_stage",    entry_first_stage,      VTD_PASID_TYPE, 1 },
	{ "scalable.entry_nested",         entry_nested,           VTD_PASID_TYPE, 1 },
	{ "scalable.entry_pass_through",   entry_pass_through,     VTD_PASID_TYPE, 1 },
	{ "scalable.no_snoop_if_possible", no_snoop_though_possible, VTD_PASID_TYPE, 1 },
	{ "scalable.entry_did",            entry_did,              VTD_CONTEXT_DID, 1 },
	{ "scalable.entry_table",          entry_table,            VTD_CONTEXT_TABLE, 1 },
	{ "scalable.entry_aw",             entry_aw,               VTD_CONTEXT_AW, 1 },
	{ "scalable.entry_did_width",      entry_did_width,        VTD_CONTEXT_RESERVED, 2 },
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
		assert_string_equal(vtd_violation_name(first.kind), vtd_violation_name(cases[i].kind));
		if (cases[i].violations)
			assert_int_equal(res.violations, cases[i].violations);
	}
}

static void test_every_pasid_kind_is_tested(void **state)
{
	(void)state;
	for (unsigned kind = VTD_PASID_TABLE; kind <= VTD_PASID_TYPE; kind++) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
			found |= cases[i].kind == kind;
		assert_true(found);
	}
}

static void test_report_names_the_device(void **state)
{
	(void)state;
	build();
	entry_did();
	assert_false(vtd_verify_unit(&v, &res));
	assert_int_equal(first.rid, NIC);
	assert_int_equal(first.domain, 0);
	assert_int_equal(first.page, dir_words(0)[0] & VTD_PDE_SMPTBLPTR);
	assert_int_equal(first.found, 7);
	assert_int_equal(first.want, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_machine),
		cmocka_unit_test(test_each_violation),
		cmocka_unit_test(test_every_pasid_kind_is_tested),
		cmocka_unit_test(test_report_names_the_device),
	};

	return cmocka_run_group_tests_name("vtd verification, scalable mode", tests, NULL, NULL);
}

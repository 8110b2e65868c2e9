/* Broken handoffs on the strict model: what is to blame reaches memory no more,
 * whatever the units have cached, and the rest goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/report/verdict.h"
#include "kho/crc32c.h"
#include "kho/iommu_abi.h"
#include "kho/radix.h"
#include "platform/mem.h"
#include "tests/model/spec.h"
#include "tests/unit/model_world.h"

static void begin(const struct world *from, unsigned mode, void (*run)(void))
{
	struct world w = *from;

	w.mode = world_modes[mode];
	world_begin(&w);
	assert_string_equal(world_serve(30), "");
	if (!w.evict)
		model_prefetch(board_unit_of(BOARD_NIC(0)));
	run();
}

/* What becomes of caches depends on the kind of unit. */
static void for_each(void (*run)(void))
{
	for (unsigned m = 0; m < WORLD_MODES; m++)
		for (size_t i = 0; i < WORLD_PAIRS; i++) {
			if (!world_has_mode(&world_pairs[i], world_modes[m]))
				continue;
			print_message("# mode %u, machine %zu\n", world_modes[m], i);
			begin(&world_pairs[i], m, run);
		}
}

/* Who refuses does not. */
static void for_one(void (*run)(void))
{
	for (unsigned m = 0; m < WORLD_MODES; m++)
		begin(&world_pairs[3], m, run);		/* two units, both with a queue */
}

static void save(void)
{
	assert_int_equal(world_save(), 0);
	assert_string_equal(kernel_bad_checks(), "");
}

/* ---- what fenced means ---------------------------------------------------------------------- */

/* Where the NICs can write, as their control pages say, and under which DID. */
static struct stream_control_ser could[BOARD_NICS];
static uint16_t had[BOARD_NICS];

static void remember(void)
{
	for (size_t i = 0; i < BOARD_NICS; i++) {
		could[i] = *world_run()->port[i].control;
		had[i] = world_device(BOARD_NIC(i))->did;
	}
}

static void is_blocked(uint16_t rid, iova_t iova, uint64_t len)
{
	for (uint64_t off = 0; off < len; off += PAGE_SIZE)
		assert_true(board_blocked(board_dma_write(rid, iova + off, "late", 4)));
}

/* Bus master is off; and if it came on again, nothing would get through. */
static void is_fenced(unsigned nic)
{
	const struct stream_control_ser *c = &could[nic];
	const uint16_t rid = BOARD_NIC(nic);

	world_dma(false);
	assert_null(iommu_device_of(world_run()->mmu, 0, rid));
	assert_false(vtd_dids_used(&world_run()->mmu->unit[board_unit_of(rid)].vtd.dids, had[nic]));
	assert_int_equal(board_command(rid) & PCI_COMMAND_MASTER, 0);
	board_set_master(rid, true);
	is_blocked(rid, c->rx.buffers_iova, (uint64_t)c->rx.count * c->rx.stride);
	is_blocked(rid, c->rx.ring_iova, c->rx.entries * NIC_DESC_BYTES);
	is_blocked(rid, c->tx.buffers_iova, PAGE_SIZE);
	board_set_master(rid, false);
	assert_int_equal(vtd_fault_clear(&world_run()->mmu->unit[board_unit_of(rid)].vtd), 0);
	world_dma(true);
}

/* NIC 1 has lost nothing, and is handed over again with all checks good. */
static void the_other_goes_on(void)
{
	const struct run *r = world_run();

	assert_int_equal(r->nr_ports, 1);
	assert_int_equal(r->port[0].nic.rid, BOARD_NIC(1));
	assert_string_equal(world_serve(30), "");
	is_fenced(0);
	world_judge();
	world_hand_over();
	assert_string_equal(world_serve(30), "");
	is_fenced(0);
	world_judge();
	world_finish();
}

static void adopt_and_miss(const char *check)
{
	const char *bad;

	assert_true(world_adopt());
	bad = kernel_bad_checks();
	if (!strstr(bad, check))
		fail_msg("not %s, but: %s", check, bad);
}

/* ---- records -------------------------------------------------------------------------------- */

/* The first device's is that of NIC 0. */
static struct kho_iommu_device_ser *record(void)
{
	struct kho_iommu_device_ser *d = mem_ptr(kernel_place.device_record);

	assert_int_equal(d->devid, BOARD_NIC(0));
	return d;
}

static void other_did_in_record(void)
{
	save();
	remember();
	record()->attachment_id++;
	world_jump();
	adopt_and_miss("restore.records");
	the_other_goes_on();
}

static void other_domain_in_record(void)
{
	save();
	remember();
	record()->domain_pa += 8;
	world_jump();
	adopt_and_miss("restore.records");
	the_other_goes_on();
}

/* NIC 1 also goes by its bridge's id, whose record is broken: as one function it reaches nothing,
 * under either id.  The bridge lets through what others send. */
static void alias_in_record(void)
{
	struct kho_iommu_device_ser *d;

	save();
	remember();
	d = record();
	while (d->devid != BOARD_BRIDGE)
		d++;
	d->attachment_id++;
	world_jump();
	adopt_and_miss("restore.records");
	assert_int_equal(world_run()->nr_ports, 1);
	assert_int_equal(world_run()->port[0].nic.rid, BOARD_NIC(0));
	assert_string_equal(world_serve(30), "");
	is_fenced(1);
	assert_null(iommu_device_of(world_run()->mmu, 0, BOARD_BRIDGE));
	assert_int_not_equal(board_command(BOARD_BRIDGE) & PCI_COMMAND_MASTER, 0);
	is_blocked(BOARD_BRIDGE, could[1].rx.buffers_iova, PAGE_SIZE);
}

static void test_aliases(void **state)
{
	struct world w = world_pairs[0];

	(void)state;
	w.board.pci_bridge = true;
	for (unsigned m = 0; m < WORLD_MODES; m++)
		begin(&w, m, alias_in_record);
}

static void test_records(void **state)
{
	(void)state;
	for_each(other_did_in_record);
	for_one(other_domain_in_record);
}

/* ---- second-stage tables -------------------------------------------------------------------- */

static uint64_t *entry_of_level(unsigned level, iova_t iova)
{
	const struct iommu *mmu = world_run()->mmu;
	const struct vtd_ss *ss = &mmu->domain[world_device(BOARD_NIC(0))->domain].ss;
	uint64_t *e = mem_ptr(ss->top + 8 * (iova >> (12 + 9 * (ss->levels - 1)) & 511));

	for (unsigned l = ss->levels; l > level; l--)
		e = mem_ptr((*e & SPEC_SS_ADDR) + 8 * (iova >> (12 + 9 * (l - 2)) & 511));
	return e;
}

/* As a stray store of the CPU would: it gets behind the caches sooner or later. */
static void break_entry(uint64_t *e, uint64_t v)
{
	*e = v;
	model_publish(ALIGN_DOWN(mem_pa(e), PAGE_SIZE), PAGE_SIZE);
}

/* Hardware does not look at the bit: the digest alone tells. */
static void ignored_bit(void)
{
	uint64_t *e = entry_of_level(3, world_run()->port[0].control->rx.buffers_iova);

	save();
	remember();
	break_entry(e, *e | BIT64(52));
	world_jump();
	adopt_and_miss("memory.tables_unchanged");
	the_other_goes_on();
}

/* An entry of NIC 0's table leads to where nothing is preserved.  The NIC does nothing until it is
 * fenced, since it would reach that; what it did before is still cached. */
static void elsewhere(unsigned level)
{
	uint64_t *e = entry_of_level(level, world_run()->port[0].control->tx.buffers_iova);
	const paddr_t scratch = world_run()->window.own;

	save();
	remember();
	world_jump();
	board_nic(0)->idle = true;
	break_entry(e, scratch | (*e & ~SPEC_SS_ADDR));
	adopt_and_miss("memory.tables_preserved");
	the_other_goes_on();
}

static void leaf_elsewhere(void)
{
	elsewhere(1);
}

static void table_elsewhere(void)
{
	elsewhere(2);
}

/* Each is to blame for its own, whichever is found first: NIC 0 for an ignored bit in a table, NIC 1
 * for one in a PASID entry that is not present. */
static void one_of_each(void)
{
	uint64_t *e = entry_of_level(3, world_run()->port[0].control->rx.buffers_iova);
	const uint64_t *dir;
	uint64_t *pe;

	if (world_run()->cfg.mode == MODE_LEGACY)
		return;
	dir = mem_ptr(world_device(BOARD_NIC(1))->pasid_dir);
	pe = (uint64_t *)mem_ptr(*dir & ~UINT64_C(0xfff)) + 8;
	save();
	remember();
	break_entry(e, *e | BIT64(52));
	break_entry(pe, BIT64(12));
	world_jump();
	adopt_and_miss("memory.tables_unchanged");
	assert_int_equal(world_run()->nr_ports, 0);
	is_fenced(0);
	is_fenced(1);
}

static void test_tables(void **state)
{
	(void)state;
	for_one(one_of_each);
	for_one(ignored_bit);
	for_each(leaf_elsewhere);
	for_each(table_elsewhere);
}

/* ---- context and root tables ---------------------------------------------------------------- */

static uint64_t *root_entry(uint16_t rid)
{
	return mem_ptr((model_unit(board_unit_of(rid))->root & SPEC_RTADDR_RTA) + 16 * PCI_BUS(rid));
}

/* Where all devices are to blame, they lose the tables as well: the one case for another root. */
static void the_root_may_go(void)
{
	for (unsigned i = 0; i < MODEL_MAX_UNITS; i++)
		model_unit(i)->root_must_stay = false;
}

/* Nobody knows what else is wrong with the page, so all devices are to blame. */
static void all_are_fenced(void)
{
	assert_int_equal(world_run()->nr_ports, 0);
	for (unsigned nic = 0; nic < BOARD_NICS; nic++)
		is_fenced(nic);
	assert_int_equal(model_violations(), 0);
}

static uint64_t *context_entry(uint16_t rid)
{
	return mem_ptr((*root_entry(rid) & SPEC_RE_CTP) + 16 * (rid & 0xff));
}

static void alter_entry(unsigned word, uint64_t flip, const char *check)
{
	uint64_t *e = context_entry(BOARD_NIC(0)) + word;

	if (world_run()->cfg.mode != MODE_LEGACY)
		return;		/* other entries */
	save();
	remember();
	break_entry(e, *e ^ flip);
	world_jump();
	the_root_may_go();
	adopt_and_miss(check);
	all_are_fenced();
}

/* Another DID while the NIC goes on: caches hold the one, the other, or both. */
static void other_did_in_entry(void)
{
	alter_entry(1, 0x50 << 8, "restore.entry_matches");
}

/* Not present any more, but perhaps cached. */
static void entry_gone(void)
{
	board_nic(0)->idle = true;
	alter_entry(0, SPEC_CE_P, "restore.context_entries");
}

/* Nothing is read or written through tables that are not ours: empty ones take their place. */
static void root_entry_elsewhere(void)
{
	const paddr_t scratch = world_run()->window.own;
	uint64_t *e = root_entry(BOARD_NIC(0));

	save();
	remember();
	world_jump();
	the_root_may_go();
	board_nic(0)->idle = board_nic(1)->idle = true;
	break_entry(e, scratch | SPEC_RE_P);
	adopt_and_miss("memory.tables_preserved");
	assert_int_equal(world_run()->mmu->nr_devices, 0);
	assert_int_equal(board_masters(), 0);
	all_are_fenced();
}

static void test_contexts(void **state)
{
	(void)state;
	for_each(other_did_in_entry);
	for_each(entry_gone);
	for_each(root_entry_elsewhere);
}

/* ---- refused whole -------------------------------------------------------------------------- */

/* No page is taken, every bus master is off, and nothing has broken a rule until then. */
static void is_refused(const char *why)
{
	uint64_t pages;

	world_jump();
	pages = model_pages_in_use();
	assert_false(world_adopt());
	assert_int_equal(kernel_verdict.code, VERDICT_HANDOFF);
	if (!strstr(kernel_verdict.sentence, why))
		fail_msg("not %s, but: %s", why, kernel_verdict.sentence);
	assert_int_equal(model_pages_in_use(), pages);
	assert_int_equal(board_masters(), 0);
	assert_int_equal(board_nic(0)->refused + board_nic(1)->refused, 0);
	assert_int_equal(model_violations(), 0);
}

static void root_fdt(void)
{
	save();
	*(uint8_t *)mem_ptr(kernel_place.fdt + 4) ^= 1;
	is_refused("root FDT");
}

static void radix_node(void)
{
	save();
	*(uint64_t *)mem_ptr(kernel_place.radix_root + 8) = kernel_place.scratch;
	is_refused("radix");
}

/* One page more, as format allows. */
static void radix_bit(void)
{
	struct kho_radix radix;

	save();
	radix = (struct kho_radix){ .root = kernel_place.radix_root, .scratch = &world_run()->window.areas };
	assert_int_equal(kho_preserve(&radix, mem_alloc_pages(0), 0), 0);
	is_refused("radix tree changed since it was written");
}

static void luo(void)
{
	save();
	*(uint8_t *)mem_ptr(kernel_place.luo + 5) ^= 1;
	is_refused("metadata page");
}

static void test_refused(void **state)
{
	(void)state;
	for_one(root_fdt);
	for_one(radix_node);
	for_one(radix_bit);
	for_one(luo);
}

/* ---- units that are not as they were -------------------------------------------------------- */

/* As if firmware had come in between: by RTADDR, which no hardware looks at without SRTP. */
static void root_pointer_written(void)
{
	save();
	model_unit(1)->rtaddr += PAGE_SIZE;
	is_refused("remapping unit");
}

static void translation_off(void)
{
	save();
	model_unit(1)->gsts &= ~SPEC_GSTS_TES;
	board_nic(0)->idle = board_nic(1)->idle = true;
	is_refused("remapping unit");
}

/* A unit with nothing behind it, of which the kernel before said nothing: its tables are not even
 * preserved. */
static void unit_not_named(void)
{
	world_run()->mmu->unit[1].used = false;
	save();
	world_jump();
	assert_false(world_adopt());
	assert_non_null(strstr(kernel_verdict.sentence, "remapping unit was not handed over"));
	assert_int_equal(board_masters(), 0);
}

static void test_units(void **state)
{
	struct world w = world_pairs[3];

	(void)state;
	for_one(root_pointer_written);
	for_one(translation_off);
	w.board.nr_nics = 1;
	for (unsigned m = 0; m < WORLD_MODES; m++)
		begin(&w, m, unit_not_named);
}

/* ---- dropped before the jump ---------------------------------------------------------------- */

static void break_early(const struct corrupt_place *p)
{
	(void)p;
	break_entry(entry_of_level(3, could[0].rx.buffers_iova),
		    *entry_of_level(3, could[0].rx.buffers_iova) | BIT64(52));
}

/* Nothing of the handoff stays, and both streams go on. */
static void dropped(void)
{
	uint64_t pages = world_pages();

	remember();
	kernel_breaks_early = break_early;
	assert_int_not_equal(world_save(), 0);
	assert_string_equal(kernel_bad_checks(), "save.tables_match");
	assert_int_equal(world_pages(), pages);
	assert_string_equal(world_serve(30), "");
	world_judge();
	world_finish();
}

/* Before anything of the handoff is written: the link is lost, and with it the last heartbeat. */
static void dropped_unwritten(void)
{
	uint64_t pages = world_pages();

	board_nic(0)->mute = true;
	port_heartbeat(&world_run()->port[0], true);
	assert_int_not_equal(world_save(), 0);
	assert_string_equal(kernel_bad_checks(), "");
	assert_int_equal(world_pages(), pages);
	board_nic(0)->mute = false;
	assert_string_equal(world_serve(30), "");
	world_judge();
}

static void test_dropped(void **state)
{
	(void)state;
	for_one(dropped);
	for_one(dropped_unwritten);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* All units of a machine: found, brought up with everything denied, devices attached, moved,
 * detached and fenced, and the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommu_fake.h"
#include "tests/unit/tables.h"
#include "vtd/context.h"
#include "vtd/did.h"

static const char *why;

/* The entry of a source id as hardware would find it; all zero where there is no table. */
static struct vtd_context_entry entry_of(uint16_t rid)
{
	struct vtd_context_entry e = { 0 };

	vtd_context_get(LEGACY(fake.latched_root, true), rid, &e);
	return e;
}

static bool present(uint16_t rid)
{
	return entry_of(rid).lo & 1;
}

static unsigned did_of(uint16_t rid)
{
	return (unsigned)(entry_of(rid).hi >> 8 & 0xffff);
}

/* Whether the queue executed a descriptor of @type that names @did (VT-d 6.5.2: bits 31:16). */
static bool invalidated(unsigned type, unsigned did)
{
	for (size_t i = 0; i < fake.nr_done; i++)
		if ((fake.done[i][0] & 15) == type && (fake.done[i][0] >> 16 & 0xffff) == did)
			return true;
	return false;
}

/* ---- discovery ------------------------------------------------------------------------------- */

/* iommu.discover_only_masks_events, and keeps the evidence */
static void test_discover(void **state)
{
	(void)state;
	fake.gsts = FAKE_TE;
	fake.rtaddr = 0x123000;
	fake.frcd[1][0] = 0x5000;
	fake.frcd[1][1] = 1ULL << 63 | 5ULL << 32 | NIC_RID;
	fake_update_ppf();
	fake.fsts |= 1 << 8;		/* FRI: the first record is number 1 */
	assert_int_equal(discover(&why), 0);
	assert_int_equal(mmu.nr_units, 1);
	assert_true(mmu.unit[0].used);
	assert_int_equal(mmu.dmar.haw, 48);
	assert_int_equal(mmu.nr_fns, NR_FNS);
	assert_int_equal(mmu.unit[0].found.gsts, FAKE_TE);
	assert_int_equal(mmu.unit[0].found.rtaddr, 0x123000);
	assert_int_equal(mmu.unit[0].nr_faults, 1);
	assert_int_equal(mmu.unit[0].fault[0].rid, NIC_RID);
	assert_true(fake.frcd[1][1] >> 63);
	for (size_t i = 0; i < fake.nr_log; i++)
		assert_true(fake.log[i].reg == 0x38 || fake.log[i].reg == 0xa0);
	assert_true(fake.fectl >> 31 && fake.iectl >> 31);
	assert_int_equal(bus_master_switches, 0);
}

/* iommu.units_left_alone: one that serves only a GPU, and one listed twice */
static void test_left_alone(void **state)
{
	(void)state;
	dmar_begin();
	dmar_drhd(OTHER_REGS, false, GPU_RID);
	dmar_drhd(FAKE_REGS, true, 0);
	dmar_drhd(FAKE_REGS, false, NIC_RID);
	dmar_end();
	assert_int_equal(discover(&why), 0);
	assert_int_equal(mmu.nr_units, 3);
	assert_false(mmu.unit[0].used);
	assert_true(mmu.unit[1].used);
	assert_false(mmu.unit[2].used);
	assert_int_equal(iommu_unit_of(&mmu, GPU), -ENOENT);
	assert_int_equal(iommu_unit_of(&mmu, NIC), 1);
	assert_int_equal(iommu_unit_of(&mmu, FAR), 1);
}

/* iommu.behind_units_left_alone: whatever a GPU's unit translates by, its GPU does no more DMA */
static void test_left_behind(void **state)
{
	(void)state;
	dmar_begin();
	dmar_drhd(OTHER_REGS, false, GPU_RID);
	dmar_drhd(FAKE_REGS, true, 0);
	dmar_end();
	assert_int_equal(discover(&why), 0);
	bus_master[GPU] = bus_master[NIC] = bus_master[PORT] = true;
	assert_int_equal(iommu_stop_left(&mmu), 0);
	assert_false(bus_master[GPU]);
	assert_true(bus_master[NIC] && bus_master[PORT]);
}

/* iommu.nothing_to_use: each with a sentence */
static void test_nothing(void **state)
{
	(void)state;
	no_mcfg = true;
	assert_int_equal(discover(&why), -ENODEV);
	assert_non_null(strstr(why, "MCFG"));
	no_mcfg = false;
	no_dmar = true;
	assert_int_equal(discover(&why), -ENODEV);
	assert_non_null(strstr(why, "DMAR"));
	no_dmar = false;
	dmar_table[9]++;
	assert_int_equal(discover(&why), -EBADMSG);
	dmar_table[9]--;
	fake.ver = UINT32_MAX;		/* nothing decodes the address */
	fake.cap = fake.ecap = UINT64_MAX;
	assert_int_equal(discover(&why), -ENODEV);
	assert_non_null(strstr(why, "no unit that answers"));
	scratch_init(MIB(32), PAGE_SIZE);
	assert_int_equal(discover(&why), -ENOMEM);
}

/* ---- from firmware's state to "everything denied" -------------------------------------------- */

/* iommu.silence: endpoints without an RMRR lose bus master, bridges and RMRR devices keep it */
static void test_silence(void **state)
{
	(void)state;
	assert_int_equal(discover(&why), 0);
	assert_true(iommu_has_rmrr(&mmu, USB));
	assert_false(iommu_has_rmrr(&mmu, NIC));
	iommu_silence_devices(&mmu);
	assert_int_equal(usb_handoffs, NR_FNS);
	assert_false(bus_master[GPU] || bus_master[NIC] || bus_master[FAR]);
	assert_true(bus_master[USB] && bus_master[PORT]);
	assert_int_equal(bus_master_switches, 3);
}

/* iommu.default_is_deny: only the RMRR's device has an entry, and it reaches its region alone */
static void test_bring_up(void **state)
{
	const struct vtd_ss *ss;
	uint64_t tables[8], perm, size;
	paddr_t pa;

	(void)state;
	bring_up();
	assert_true(fake.gsts & FAKE_TE);
	assert_true(fake.gsts & FAKE_QIE);
	assert_int_equal(fake.latched_root, mmu.unit[0].vtd.root);
	vtd_context_tables(LEGACY(fake.latched_root, true), tables);
	assert_int_equal(tables[0], 1);
	for (unsigned rid = 0; rid < 0x200; rid++)
		assert_int_equal(present((uint16_t)rid), rid == USB_RID);
	assert_int_equal(mmu.nr_domains, 1);
	assert_true(mmu.domain[0].is_rmrr);
	ss = &mmu.domain[0].ss;
	assert_int_equal(entry_of(USB_RID).lo >> 12, ss->top >> 12);
	for (pa = RMRR_BASE - PAGE_SIZE; pa <= RMRR_LIMIT + 1; pa += PAGE_SIZE) {
		paddr_t to = 0;
		const int err = vtd_ss_lookup(ss, pa, &to, &perm, &size);

		assert_int_equal(err == 0, pa >= RMRR_BASE && pa <= RMRR_LIMIT);
		assert_true(err || (to == pa && perm == VTD_SS_RW));
	}
}

/* iommu.takes_over_from_firmware: translation left on is never off in between */
static void test_firmware_on(void **state)
{
	(void)state;
	fake.gsts = FAKE_TE;
	fake.rtaddr = fake.latched_root = MIB(2);
	bring_up();
	assert_true(fake.gsts & FAKE_TE);
	assert_int_equal(fake.latched_root, mmu.unit[0].vtd.root);
	for (size_t i = 0; i < fake.nr_log; i++)
		assert_true(fake.log[i].reg != 0x18 || fake.log[i].v & FAKE_TE);
}

/* iommu.bounded: a unit that does not answer is a time-out, not a hang */
static void test_stuck(void **state)
{
	(void)state;
	assert_int_equal(discover(&why), 0);
	fake.stuck = FAKE_TE;
	assert_int_equal(iommu_bring_up(&mmu), -ETIMEDOUT);
	assert_non_null(mmu.unit[0].vtd.failed_wait);
	machine_reset(NULL);
	assert_int_equal(discover(&why), 0);
	fake.queue_stuck = true;
	assert_int_equal(iommu_bring_up(&mmu), -ETIMEDOUT);
}

/* ---- devices --------------------------------------------------------------------------------- */

/* iommu.attach_and_detach */
static void test_attach(void **state)
{
	struct vtd_dids *dids = &mmu.unit[0].vtd.dids;
	struct iommu_device *dev;
	unsigned did;
	size_t d;

	(void)state;
	bring_up();
	d = domain_with(GIB(4), MIB(8));
	assert_int_equal(iommu_attach(&mmu, NIC, d), 0);
	dev = iommu_device_of(&mmu, 0, NIC_RID);
	assert_non_null(dev);
	did = dev->did;
	assert_true(did >= 2 && did != did_of(USB_RID));
	assert_true(present(NIC_RID));
	assert_int_equal(did_of(NIC_RID), did);
	assert_int_equal(entry_of(NIC_RID).lo >> 12, mmu.domain[d].ss.top >> 12);
	assert_int_equal(entry_of(NIC_RID).hi & 7, mmu.domain[d].ss.levels - 2);
	assert_int_equal(entry_of(NIC_RID).lo >> 2 & 3, 0);	/* untranslated requests, second-stage */

	/* A second time: nothing changes; into another domain: refused; no id is lost. */
	const uint32_t used = dids->nr_used;
	assert_int_equal(iommu_attach(&mmu, NIC, d), 0);
	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), MIB(8))), -EEXIST);
	assert_int_equal(dids->nr_used, used);
	assert_int_equal(did_of(NIC_RID), did);

	fake.nr_done = 0;
	assert_int_equal(iommu_detach(&mmu, 0, NIC_RID), 0);
	assert_int_equal(entry_of(NIC_RID).lo | entry_of(NIC_RID).hi, 0);
	assert_true(invalidated(1, did));
	assert_true(invalidated(2, did));
	assert_false(vtd_dids_used(dids, (uint16_t)did));
	assert_null(iommu_device_of(&mmu, 0, NIC_RID));
	assert_int_equal(iommu_detach(&mmu, 0, NIC_RID), -ENOENT);
	assert_true(present(USB_RID));
}

/* iommu.id_of_a_failed_invalidation_stays_taken: its translations may still be cached */
static void test_detach_stuck(void **state)
{
	uint16_t did;

	(void)state;
	bring_up();
	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), MIB(8))), 0);
	did = iommu_device_of(&mmu, 0, NIC_RID)->did;
	fake.queue_stuck = true;
	assert_int_equal(iommu_detach(&mmu, 0, NIC_RID), -ETIMEDOUT);
	assert_false(present(NIC_RID));
	assert_true(vtd_dids_used(&mmu.unit[0].vtd.dids, did));
}

/* iommu.aliases_share_one_did, given back with the last of them */
static void test_aliases(void **state)
{
	struct vtd_dids *dids = &mmu.unit[0].vtd.dids;
	uint32_t used;
	size_t d;

	(void)state;
	bring_up();
	used = dids->nr_used;
	bus_alias[FAR] = PCI_RID(1, 0, 1);
	d = domain_with(GIB(4), MIB(8));
	assert_int_equal(iommu_attach(&mmu, FAR, d), 0);
	assert_true(present(FAR_RID) && present(PCI_RID(1, 0, 1)));
	assert_int_equal(did_of(FAR_RID), did_of(PCI_RID(1, 0, 1)));
	assert_int_equal(dids->nr_used, used + 1);
	assert_int_equal(iommu_detach(&mmu, 0, FAR_RID), 0);
	assert_int_equal(dids->nr_used, used + 1);	/* the alias still uses it */

	assert_int_equal(iommu_attach(&mmu, FAR, domain_with(GIB(4), MIB(8))), -EEXIST);
	assert_false(present(FAR_RID));
	assert_int_equal(iommu_attach(&mmu, FAR, d), 0);
	assert_true(present(FAR_RID));
	assert_int_equal(did_of(FAR_RID), did_of(PCI_RID(1, 0, 1)));
	assert_int_equal(dids->nr_used, used + 1);
	assert_int_equal(iommu_detach(&mmu, 0, FAR_RID), 0);
	assert_int_equal(iommu_detach(&mmu, 0, PCI_RID(1, 0, 1)), 0);
	assert_int_equal(dids->nr_used, used);
}

/* iommu.sharers_have_one_did on a unit, given back with the last of them */
static void test_sharers(void **state)
{
	struct vtd_dids *dids = &mmu.unit[0].vtd.dids;
	uint32_t used;
	uint16_t did;
	size_t d;

	(void)state;
	bring_up();
	used = dids->nr_used;
	d = domain_with(GIB(4), MIB(8));
	assert_int_equal(iommu_attach(&mmu, NIC, d), 0);
	assert_int_equal(iommu_attach(&mmu, FAR, d), 0);
	did = iommu_device_of(&mmu, 0, NIC_RID)->did;
	assert_int_equal(iommu_device_of(&mmu, 0, FAR_RID)->did, did);
	assert_int_equal(did_of(FAR_RID), did);
	assert_int_equal(dids->nr_used, used + 1);

	/* One leaves for a domain of its own, and comes back. */
	assert_int_equal(iommu_replace(&mmu, 0, FAR_RID, domain_with(GIB(4), MIB(8))), 0);
	assert_int_not_equal(did_of(FAR_RID), did);
	assert_true(vtd_dids_used(dids, did));
	assert_int_equal(iommu_replace(&mmu, 0, FAR_RID, d), 0);
	assert_int_equal(did_of(FAR_RID), did);
	assert_int_equal(dids->nr_used, used + 1);

	assert_int_equal(iommu_detach(&mmu, 0, NIC_RID), 0);
	assert_true(vtd_dids_used(dids, did));
	assert_int_equal(iommu_detach(&mmu, 0, FAR_RID), 0);
	assert_false(vtd_dids_used(dids, did));
}

/* The NIC's entry stays, but nobody knows the device any more. */
static uint16_t forget_nic(void)
{
	const struct iommu_device *dev;
	uint16_t did;

	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), MIB(8))), 0);
	dev = iommu_device_of(&mmu, 0, NIC_RID);
	did = dev->did;
	assert_ptr_equal(dev, &mmu.device[mmu.nr_devices - 1]);
	mmu.nr_devices--;
	return did;
}

/* iommu.live_entry_is_not_overlooked: attaching fails, and keeps no id */
static void test_live_entry(void **state)
{
	struct vtd_dids *dids = &mmu.unit[0].vtd.dids;
	struct vtd_context_entry before;
	uint32_t used;
	uint16_t did;

	(void)state;
	bring_up();
	did = forget_nic();
	before = entry_of(NIC_RID);
	used = dids->nr_used;
	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), MIB(9))), -EEXIST);
	assert_int_equal(dids->nr_used, used);
	assert_true(vtd_dids_used(dids, did));
	assert_null(iommu_device_of(&mmu, 0, NIC_RID));
	assert_int_equal(entry_of(NIC_RID).lo, before.lo);
	assert_int_equal(entry_of(NIC_RID).hi, before.hi);
}

/* iommu.block: a source id that no list has; everything is invalidated, then the entry zeroed */
static void test_block(void **state)
{
	static const unsigned global = 1;

	(void)state;
	bring_up();
	forget_nic();
	fake.nr_done = 0;
	assert_int_equal(iommu_block(&mmu, 1, NIC_RID), 0);	/* another segment's */
	assert_true(present(NIC_RID));
	assert_int_equal(iommu_block(&mmu, 0, NIC_RID), 0);
	assert_int_equal(entry_of(NIC_RID).lo | entry_of(NIC_RID).hi, 0);
	assert_int_equal(fake.done[0][0] & 15, 1);		/* context cache first */
	assert_int_equal(fake.done[0][0] >> 4 & 3, global);
	assert_int_equal(fake.done[1][0] & 15, 2);
	assert_int_equal(fake.done[1][0] >> 4 & 3, global);
	assert_true(present(USB_RID));
	fake.nr_done = 0;
	assert_int_equal(iommu_block(&mmu, 0, NIC_RID), 0);	/* not there any more, but perhaps cached */
	assert_int_equal(fake.done[0][0] & 15, 1);
	assert_int_equal(fake.done[0][0] >> 4 & 3, global);
	assert_int_equal(fake.done[1][0] & 15, 2);
	assert_int_equal(fake.done[1][0] >> 4 & 3, global);
	assert_int_equal(iommu_block(&mmu, 0, 0xff00), 0);
}

/* iommu.block_stuck: not present all the same, but not zeroed while caches may hold it */
static void test_block_stuck(void **state)
{
	(void)state;
	bring_up();
	forget_nic();
	fake.queue_stuck = true;
	assert_int_equal(iommu_block(&mmu, 0, NIC_RID), -ETIMEDOUT);
	assert_false(present(NIC_RID));
	assert_int_not_equal(entry_of(NIC_RID).lo, 0);
}

/* iommu.replace: another table under another id, the old id invalidated and free */
static void test_replace(void **state)
{
	uint16_t old;
	size_t from, to;

	(void)state;
	bring_up();
	from = domain_with(GIB(4), MIB(8));
	to = domain_with(GIB(4), MIB(8));
	assert_int_equal(iommu_replace(&mmu, 0, NIC_RID, to), -ENOENT);
	assert_int_equal(iommu_attach(&mmu, NIC, from), 0);
	old = iommu_device_of(&mmu, 0, NIC_RID)->did;
	fake.nr_done = 0;
	assert_int_equal(iommu_replace(&mmu, 0, NIC_RID, to), 0);
	assert_true(present(NIC_RID));
	assert_int_not_equal(did_of(NIC_RID), old);
	assert_int_equal(did_of(NIC_RID), iommu_device_of(&mmu, 0, NIC_RID)->did);
	assert_int_equal(entry_of(NIC_RID).lo >> 12, mmu.domain[to].ss.top >> 12);
	assert_true(invalidated(1, old));
	assert_true(invalidated(2, old));
	assert_false(vtd_dids_used(&mmu.unit[0].vtd.dids, old));

	/* The old domain goes; the last one takes its index, and its device knows. */
	const uint64_t pages = arena_pages_in_use, tables = mmu.domain[from].ss.table_pages;
	const uint32_t id = mmu.domain[to].id;
	iommu_domain_destroy(&mmu, from);
	assert_int_equal(arena_pages_in_use, pages - tables);
	assert_true(iommu_device_of(&mmu, 0, NIC_RID)->domain < mmu.nr_domains);
	assert_int_equal(mmu.domain[iommu_device_of(&mmu, 0, NIC_RID)->domain].id, id);
	assert_int_equal(mmu.domain[iommu_device_of(&mmu, 0, NIC_RID)->domain].ss.top >> 12,
			 entry_of(NIC_RID).lo >> 12);
}

static bool was_present;

static void look(uint16_t rid)
{
	was_present = present(rid);
}

/* iommu.fence: bus master goes first, then the entry */
static void test_fence(void **state)
{
	(void)state;
	bring_up();
	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), MIB(8))), 0);
	on_master_off = look;
	assert_int_equal(iommu_fence(&mmu, 0, NIC_RID), 0);
	assert_true(was_present);
	assert_false(bus_master[NIC]);
	assert_false(present(NIC_RID));
	assert_null(iommu_device_of(&mmu, 0, NIC_RID));

	/* One that is not in the list is blocked all the same. */
	forget_nic();
	was_present = false;
	bus_master[NIC] = true;
	assert_int_equal(iommu_fence(&mmu, 0, NIC_RID), 0);
	assert_true(was_present);
	assert_false(bus_master[NIC]);
	assert_false(present(NIC_RID));

	/* An alias may be a bridge's own id, and others are behind it. */
	on_master_off = NULL;
	assert_int_equal(iommu_fence(&mmu, 0, PORT_RID), 0);
	assert_true(bus_master[PORT]);
}

/* iommu.limits: domains and devices end with an error, not beyond their tables */
static void test_limits(void **state)
{
	size_t last = 0;

	(void)state;
	bring_up();
	while (mmu.nr_domains < IOMMU_MAX_DOMAINS)
		last = domain_with(GIB(4), MIB(8));
	assert_int_equal(iommu_domain_create(&mmu, 0, VTD_PG_4K, IOMMU_IOVA_BITS), -ENOSPC);
	mmu.nr_devices = IOMMU_MAX_DEVICES;
	assert_int_equal(iommu_attach(&mmu, NIC, last), -ENOSPC);
	assert_false(present(NIC_RID));
}

/* iommu.shut_down: everything is off */
static void test_shut_down(void **state)
{
	(void)state;
	bring_up();
	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), MIB(8))), 0);
	fake.frcd[0][1] = 1ULL << 63;
	assert_int_equal(iommu_shut_down(&mmu), 0);
	assert_false(fake.gsts & (FAKE_TE | FAKE_QIE));
	assert_false(fake.frcd[0][1] >> 63);
	for (size_t i = 0; i < NR_FNS; i++)
		assert_int_equal(bus_master[i], i == PORT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_discover, machine_reset),
		cmocka_unit_test_setup(test_left_alone, machine_reset),
		cmocka_unit_test_setup(test_left_behind, machine_reset),
		cmocka_unit_test_setup(test_nothing, machine_reset),
		cmocka_unit_test_setup(test_silence, machine_reset),
		cmocka_unit_test_setup(test_bring_up, machine_reset),
		cmocka_unit_test_setup(test_firmware_on, machine_reset),
		cmocka_unit_test_setup(test_stuck, machine_reset),
		cmocka_unit_test_setup(test_attach, machine_reset),
		cmocka_unit_test_setup(test_detach_stuck, machine_reset),
		cmocka_unit_test_setup(test_aliases, machine_reset),
		cmocka_unit_test_setup(test_sharers, machine_reset),
		cmocka_unit_test_setup(test_live_entry, machine_reset),
		cmocka_unit_test_setup(test_block, machine_reset),
		cmocka_unit_test_setup(test_block_stuck, machine_reset),
		cmocka_unit_test_setup(test_replace, machine_reset),
		cmocka_unit_test_setup(test_fence, machine_reset),
		cmocka_unit_test_setup(test_limits, machine_reset),
		cmocka_unit_test_setup(test_shut_down, machine_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

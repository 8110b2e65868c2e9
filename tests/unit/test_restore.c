/* Records and node joined: which record is a device's, what it may not say, who is blamed, and what
 * the picture is without it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommu_fake.h"
#include "kho/iommu_abi.h"
#include "restore_fake.h"
#include "tests/unit/tables.h"
#include "vtd/context.h"
#include "vtd/did.h"
#include "vtd/formats.h"

static size_t nic_domain, far_domain;

/* The RMRR's device, the NIC and the far device, each in a domain of its own. */
static int setup(void **state)
{
	machine_reset(state);
	bring_up();
	set_ports();
	nic_domain = domain_with(GIB(4), MIB(8));
	far_domain = domain_with(GIB(4), MIB(9));
	assert_int_equal(iommu_attach(&mmu, NIC, nic_domain), 0);
	assert_int_equal(iommu_attach(&mmu, FAR, far_domain), 0);
	return 0;
}

static uint64_t *word(paddr_t record, size_t offset)
{
	return mem_ptr(record + offset);
}

#define FIELD(rid, field)	word(record_pa(rid), offsetof(struct kho_iommu_device_ser, field))

/* All but @rid are restored, and it alone is blamed. */
static void assert_only_lost(uint16_t rid)
{
	struct blame b = { 0 };

	restore_blame(&restore, &b);
	restore_devices(&restore, &b);
	assert_false(b.all);
	for (uint32_t i = 0; i < node.nr_devices; i++) {
		const bool lost = node.device[i].rid == rid;

		assert_int_equal(b.device[i], lost);
		assert_int_equal(restore.device[i].restored, !lost);
		assert_int_equal(iommu_device_of(&next, 0, node.device[i].rid) == NULL, lost);
	}
}

/* restore.whole: everything is restored as it was */
static void test_whole(void **state)
{
	struct blame b = { 0 };

	(void)state;
	hand_over();
	assert_int_equal(restore.bad, 0);
	restore_blame(&restore, &b);
	restore_devices(&restore, &b);
	assert_int_equal(next.nr_devices, mmu.nr_devices);
	assert_int_equal(next.nr_domains, mmu.nr_domains);
	assert_int_equal(next.next_domain_id, mmu.next_domain_id);
	assert_int_equal(next.unit[0].vtd.root, mmu.unit[0].vtd.root);
	for (size_t i = 0; i < mmu.nr_devices; i++) {
		const struct iommu_device *was = &mmu.device[i];
		const struct iommu_device *is = iommu_device_of(&next, 0, was->rid);
		const struct iommu_domain *a = &mmu.domain[was->domain], *d = &next.domain[is->domain];

		assert_int_equal(is->did, was->did);
		assert_int_equal(is->unit, was->unit);
		assert_int_equal(is->pasid_dir, 0);
		assert_int_equal(d->id, a->id);
		assert_int_equal(d->is_rmrr, a->is_rmrr);
		assert_memory_equal(&d->ss, &a->ss, sizeof(a->ss));
		assert_true(vtd_dids_used(next_dids(), was->did));
		assert_false(b.device[named(was->rid)]);
	}
	assert_int_equal(next_dids()->nr_used, mmu.unit[0].vtd.dids.nr_used);
	assert_true(seen[CHECK_RESTORE_DID_UNIQUE] && seen[CHECK_RESTORE_ENTRY_MATCHES]);
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		assert_false(bad[i]);
}

/* restore.all_pages: the last slot of the second and of the third page */
static void test_all_pages(void **state)
{
	const size_t per_page = KHO_IOMMU_DEVICES_PER_BLOCK, last = 3 * per_page;
	const uint16_t did = iommu_device_of(&mmu, 0, NIC_RID)->did;
	const struct vtd_ss *ss = &mmu.domain[nic_domain].ss;

	(void)state;
	for (uint16_t rid = 0x200; mmu.nr_devices < last; rid++) {
		assert_int_equal(vtd_context_set(LEGACY(mmu.unit[0].vtd.root, true), rid, vtd_context_entry(ss->top, did,
								   vtd_aw_of_levels(ss->levels))), 0);
		mmu.device[mmu.nr_devices++] = (struct iommu_device){
			.rid = rid, .domain = (uint32_t)nic_domain, .did = did };
	}
	hand_over();
	assert_int_equal(restore.bad, 0);
	for (size_t slot = per_page - 1; slot < last; slot += per_page) {
		const uint16_t rid = plain.device[slot].devid;

		assert_int_equal(record_pa(rid) % PAGE_SIZE, PAGE_SIZE - 48 - sizeof(struct kho_iommu_device_ser));
		assert_int_equal(restore_find(&got, 0, rid), slot);
		assert_int_equal(restore_rid(rid), 0);
	}
	for (uint32_t i = 0; i < node.nr_devices; i++)
		assert_int_equal(restore_device(&restore, i, &why_not), 0);
	assert_int_equal(next.nr_devices, last);
	assert_int_equal(next.nr_domains, mmu.nr_domains);
}

/* restore.pci_domains: one BDF on two of them, one beyond 16 bits */
static void test_pci_domains(void **state)
{
	(void)state;
	memset(&got, 0, sizeof(got));
	got.iommu.nr_devices = 3;
	got.device[0] = (struct kho_iommu_device){ .pci_domain = 0x10000, .devid = NIC_RID };
	got.device[1] = (struct kho_iommu_device){ .devid = NIC_RID, .deleted = true };
	got.device[2] = (struct kho_iommu_device){ .devid = NIC_RID };
	assert_int_equal(restore_find(&got, 0, NIC_RID), 2);
	assert_int_equal(restore_find(&got, 0x10000, NIC_RID), 0);
	assert_int_equal(restore_find(&got, 1, NIC_RID), RESTORE_NONE);
	assert_int_equal(restore_find(&got, 0, FAR_RID), RESTORE_NONE);
	/* One whose bytes cannot be believed does not stand in the way of a good one. */
	got.device[0].pci_domain = 0;
	got.device_verdict[0].fault = "broken";
	assert_int_equal(restore_find(&got, 0, NIC_RID), 2);
	got.device_verdict[2].fault = "broken";
	assert_int_equal(restore_find(&got, 0, NIC_RID), 0);
}

/* restore.two_records: of one device; neither is used, and the other device has none */
static void test_two_records(void **state)
{
	struct blame b = { 0 };

	(void)state;
	write_handoff(&mmu);
	*(uint32_t *)FIELD(FAR_RID, devid) = NIC_RID;
	receive(&mmu);
	restore_blame(&restore, &b);
	restore_devices(&restore, &b);
	assert_true(b.device[named(NIC_RID)] && b.device[named(FAR_RID)]);
	assert_false(b.device[named(USB_RID)]);
	assert_int_equal(next.nr_devices, 1);
	assert_int_equal(restore_rid(NIC_RID), -EBADMSG);
	assert_string_equal(why_not, "has the address of another");
	assert_int_equal(restore_rid(FAR_RID), -EBADMSG);
	assert_string_equal(why_not, "is missing");
}

/* restore.field_of_a_record: each costs its device, and no other */
static const struct { const char *name; size_t offset; uint64_t v; const char *says; } fields[] = {
	{ "incoming", offsetof(struct kho_iommu_device_ser, header), 1 | UINT64_C(2) << 32, "INCOMING" },
	{ "restored", offsetof(struct kho_iommu_device_ser, ats_enabled), 1 << 16, "scratch" },
	{ "no_owner", offsetof(struct kho_iommu_device_ser, owner_token), 0, "no owner" },
	{ "did_0", offsetof(struct kho_iommu_device_ser, attachment_id), 0, "reserved" },
	{ "did_1", offsetof(struct kho_iommu_device_ser, attachment_id), 1, "reserved" },
	{ "did_64k_5", offsetof(struct kho_iommu_device_ser, attachment_id), BIT64(16) + 5, "16 bits" },
	{ "did_4g_5", offsetof(struct kho_iommu_device_ser, attachment_id), BIT64(32) + 5, "16 bits" },
	{ "did_top", offsetof(struct kho_iommu_device_ser, attachment_id), BIT64(63), "16 bits" },
	{ "ats", offsetof(struct kho_iommu_device_ser, ats_enabled), 1 | 1 << 8, "ATS enabled" },
	{ "pasid_dir", offsetof(struct kho_iommu_device_ser, pasid_dir_pa), MIB(3), "PASIDs" },
	{ "max_pasid", offsetof(struct kho_iommu_device_ser, max_pasid), BIT64(15), "PASIDs" },
};

static void test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		print_message("# %s\n", fields[i].name);
		setup(NULL);
		write_handoff(&mmu);
		*word(record_pa(FAR_RID), fields[i].offset) = fields[i].v;
		receive(&mmu);
		assert_int_not_equal(restore_rid(FAR_RID), 0);
		if (!strstr(why_not, fields[i].says))
			fail_msg("says %s", why_not);
		assert_only_lost(FAR_RID);
		assert_false(vtd_dids_used(next_dids(), 5));
	}
}

/* restore.pasids_in_legacy_mode: a directory that is whole has no place there */
static void test_pasids(void **state)
{
	(void)state;
	write_handoff(&mmu);
	*FIELD(FAR_RID, pasid_dir_pa) = MIB(3);
	*FIELD(FAR_RID, max_pasid) = BIT64(15);
	receive(&mmu);
	assert_int_equal(restore_rid(FAR_RID), -EOPNOTSUPP);
	assert_string_equal(why_not, "has PASIDs, but its unit is in legacy mode");
	assert_only_lost(FAR_RID);
}

/* restore.restored_domain: the receiver's scratch in a domain record is nobody's pointer */
static void test_restored_domain(void **state)
{
	(void)state;
	write_handoff(&mmu);
	*word(kho_iommu_domain_pa(&pages, &placed, far_domain),
	      offsetof(struct kho_iommu_domain_ser, restored_domain)) = 0xdead;
	receive(&mmu);
	assert_only_lost(FAR_RID);
	assert_int_equal(next.nr_domains, 2);
}

/* restore.identity: the BDF alone does not make a device the same */
static void test_identity(void **state)
{
	(void)state;
	hand_over();
	assert_int_equal(restore.bad, 0);
	for (unsigned i = 0; i < 3; i++) {
		struct pci_fn *fns = scratch_new(sizeof(bus_fns));

		write_handoff(&mmu);
		read_records(&got);
		begin_next(&mmu);
		next.fns = memcpy(fns, bus_fns, sizeof(bus_fns));
		if (i == 0)
			fns[NIC].device++;
		else if (i == 1)
			fns[NIC].vendor++;
		else
			fns[NIC].rid = 0xfff8;		/* it is gone */
		restore_match(&restore, &next, &all_preserved, &node, &got);
		restore_units(&restore);
		assert_int_equal(restore.bad, 1);
		assert_only_lost(NIC_RID);
	}
	/* And an alias that no function had is no function's now. */
	node.device[named(FAR_RID)].vendor = 0x8086;
	restore_match(&restore, &mmu, &all_preserved, &node, &got);
	assert_non_null(restore.device[named(FAR_RID)].fault);
}

/* restore.stranger: a record of a device that the node does not name is reason to stop all */
static void test_stranger(void **state)
{
	struct blame b = { 0 };

	(void)state;
	write_handoff(&mmu);
	node.device[named(FAR_RID)].rid++;
	receive(&mmu);
	restore_blame(&restore, &b);
	assert_true(b.all);
	assert_int_equal(restore.bad, 2);		/* the one that is missing, and the stranger */
	assert_int_equal(restore_device(&restore, named(FAR_RID + 1), &why_not), -EBADMSG);
	/* Nor is the same address on a PCI domain beyond 16 bits a name. */
	memset(&b, 0, sizeof(b));
	write_handoff(&mmu);
	*(uint32_t *)FIELD(FAR_RID, pci_domain) = 0x10000;
	receive(&mmu);
	restore_blame(&restore, &b);
	assert_true(b.all);
}

/* restore.broken_stranger: it is counted, but says nothing that could stop anybody else */
static void test_broken_stranger(void **state)
{
	struct blame b = { 0 };

	(void)state;
	write_handoff(&mmu);
	*FIELD(FAR_RID, owner_token) = 0;
	node.device[named(FAR_RID)].rid++;
	receive(&mmu);
	assert_int_equal(restore.bad, 2);
	restore_blame(&restore, &b);
	assert_false(b.all);
}

/* restore.bad_unit: it costs all devices behind it; all its context tables are looked into */
static void test_bad_unit(void **state)
{
	static struct picture p;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct blame b = { 0 };
		paddr_t record;

		write_handoff(&mmu);
		record = kho_iommu_unit_pa(&pages, &placed, 0);
		if (i == 0)
			*word(record, offsetof(struct kho_iommu_unit_ser, restored)) = 1;
		else if (i == 1)
			*word(record, offsetof(struct kho_iommu_unit_ser, root_table_pa)) += PAGE_SIZE;
		else
			node.unit[0].regs_pa += PAGE_SIZE;
		receive(&mmu);
		restore_blame(&restore, &b);
		for (uint32_t k = 0; k < node.nr_devices; k++)
			assert_true(b.device[k]);
		assert_false(b.all);
		restore_devices(&restore, &b);
		assert_int_equal(next.nr_devices, 0);
		restore_picture(&restore, &p);
		assert_int_equal(p.nr_units, 1);
		assert_int_equal(p.nr_devices, 0);
		assert_int_equal(p.unit[0].context_tables[0], 5);	/* buses 0 and 1 */
	}
}

/* restore.bad_domain: it costs its devices */
static void test_bad_domain(void **state)
{
	(void)state;
	write_handoff(&mmu);
	*word(kho_iommu_domain_pa(&pages, &placed, nic_domain),
	      offsetof(struct kho_iommu_domain_ser, top_level)) = 5;
	receive(&mmu);
	assert_only_lost(NIC_RID);
	/* A table that the node has no count for. */
	setup(NULL);
	write_handoff(&mmu);
	node.domain[far_domain].top_pa += PAGE_SIZE;
	receive(&mmu);
	assert_only_lost(FAR_RID);
}

/* restore.segments: a unit serves its own segment only */
static void test_segments(void **state)
{
	(void)state;
	write_handoff(&mmu);
	node.unit[0].segment = 1;
	receive(&mmu);
	assert_int_equal(restore.bad, node.nr_devices);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_whole, setup),
		cmocka_unit_test_setup(test_all_pages, setup),
		cmocka_unit_test_setup(test_pci_domains, setup),
		cmocka_unit_test_setup(test_two_records, setup),
		cmocka_unit_test_setup(test_fields, setup),
		cmocka_unit_test_setup(test_pasids, setup),
		cmocka_unit_test_setup(test_restored_domain, setup),
		cmocka_unit_test_setup(test_identity, setup),
		cmocka_unit_test_setup(test_stranger, setup),
		cmocka_unit_test_setup(test_broken_stranger, setup),
		cmocka_unit_test_setup(test_bad_unit, setup),
		cmocka_unit_test_setup(test_bad_domain, setup),
		cmocka_unit_test_setup(test_segments, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

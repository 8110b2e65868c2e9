/* What only a seeded bug asked for: who shares a DID or a domain, and what a failure leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommu_fake.h"
#include "restore_fake.h"
#include "tests/unit/tables.h"
#include "vtd/context.h"
#include "vtd/did.h"

#define ALIAS_RID	PCI_RID(1, 0, 1)

static bool present(uint16_t rid)
{
	struct vtd_context_entry e = { 0 };

	vtd_context_get(LEGACY(mmu.unit[0].vtd.root, true), rid, &e);
	return e.lo & 1;
}

static struct vtd_dids *dids(void)
{
	return &mmu.unit[0].vtd.dids;
}

/* iommu.firmware_dids: none of the predecessor's is given out while caches may hold it */
static void test_firmware_dids_are_kept_clear_of(void **state)
{
	const paddr_t root = MIB(2), context = MIB(2) + PAGE_SIZE;
	uint64_t *entry = mem_ptr(context + NIC_RID % 256 * 16);

	(void)state;
	*(uint64_t *)mem_ptr(root) = context | 1;
	entry[0] = MIB(3) | 1;
	entry[1] = 2 << 8 | 2;
	fake.gsts = FAKE_TE;
	fake.rtaddr = fake.latched_root = root;
	bring_up();
	assert_true(present(USB_RID));
	assert_int_not_equal(iommu_device_of(&mmu, 0, USB_RID)->did, 2);
}

/* iommu.equal_dids_of_two_units: the one is free although the other is not */
static void test_equal_dids_of_two_units(void **state)
{
	uint16_t did;

	(void)state;
	bring_up();
	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), MIB(8))), 0);
	did = iommu_device_of(&mmu, 0, NIC_RID)->did;
	mmu.device[mmu.nr_devices++] = (struct iommu_device){
		.unit = 1, .segment = 1, .rid = NIC_RID, .did = did,
	};
	assert_int_equal(iommu_detach(&mmu, 0, NIC_RID), 0);
	assert_false(vtd_dids_used(dids(), did));
}

/* iommu.one_domain_on_two_units: a DID is a unit's own */
static void test_one_domain_on_two_units(void **state)
{
	const uint16_t elsewhere = 77;
	size_t d;

	(void)state;
	bring_up();
	d = domain_with(GIB(4), MIB(8));
	mmu.device[mmu.nr_devices++] = (struct iommu_device){
		.unit = 1, .segment = 1, .rid = NIC_RID, .domain = (uint32_t)d, .did = elsewhere,
	};
	assert_int_equal(iommu_attach(&mmu, NIC, d), 0);
	assert_int_not_equal(iommu_device_of(&mmu, 0, NIC_RID)->did, elsewhere);
	assert_true(vtd_dids_used(dids(), iommu_device_of(&mmu, 0, NIC_RID)->did));
	assert_false(vtd_dids_used(dids(), elsewhere));
}

/* iommu.failed_attach: the device whose alias finds no place has no entry and no DID */
static void test_failed_attach_leaves_nothing(void **state)
{
	const size_t before = IOMMU_MAX_DEVICES - 1;
	uint32_t used;
	size_t d;

	(void)state;
	bring_up();
	bus_alias[FAR] = ALIAS_RID;
	d = domain_with(GIB(4), MIB(8));
	used = dids()->nr_used;
	while (mmu.nr_devices < before)
		mmu.device[mmu.nr_devices++] = (struct iommu_device){ .unit = 1, .segment = 1 };
	assert_int_equal(iommu_attach(&mmu, FAR, d), -ENOSPC);
	assert_int_equal(mmu.nr_devices, before);
	assert_false(present(FAR_RID) || present(ALIAS_RID));
	assert_int_equal(dids()->nr_used, used);
	/* And with no place at all, where there is nothing to be undone. */
	mmu.device[mmu.nr_devices++] = (struct iommu_device){ .unit = 1, .segment = 1 };
	assert_int_equal(iommu_attach(&mmu, FAR, d), -ENOSPC);
	assert_int_equal(dids()->nr_used, used);
}

/* iommu.replace_beside_an_alias: the old DID is taken until the alias has left it too */
static void test_replace_beside_an_alias(void **state)
{
	uint16_t old;

	(void)state;
	bring_up();
	bus_alias[FAR] = ALIAS_RID;
	assert_int_equal(iommu_attach(&mmu, FAR, domain_with(GIB(4), MIB(8))), 0);
	old = iommu_device_of(&mmu, 0, FAR_RID)->did;
	assert_int_equal(iommu_replace(&mmu, 0, FAR_RID, domain_with(GIB(4), MIB(8))), 0);
	assert_int_not_equal(iommu_device_of(&mmu, 0, FAR_RID)->did, old);
	assert_true(vtd_dids_used(dids(), old));
	assert_int_equal(iommu_detach(&mmu, 0, ALIAS_RID), 0);
	assert_false(vtd_dids_used(dids(), old));
}

/* iommu.leaving_a_shared_domain: it stays with the one that stays */
static void test_leaving_a_shared_domain(void **state)
{
	size_t d;
	uint32_t id;

	(void)state;
	bring_up();
	bus_alias[FAR] = ALIAS_RID;
	d = domain_with(GIB(4), MIB(8));
	id = mmu.domain[d].id;
	assert_int_equal(iommu_attach(&mmu, FAR, d), 0);
	assert_int_equal(iommu_leave(&mmu, 0, FAR_RID), 0);
	assert_int_equal(mmu.nr_domains, d + 1);
	assert_int_equal(mmu.domain[iommu_device_of(&mmu, 0, ALIAS_RID)->domain].id, id);
	assert_int_equal(iommu_leave(&mmu, 0, ALIAS_RID), 0);
	assert_int_equal(mmu.nr_domains, d);
}

/* iommu.domain_ids: a destroyed domain's is not given to the next */
static void test_domain_ids_are_unique(void **state)
{
	size_t d;
	uint32_t id;

	(void)state;
	bring_up();
	d = domain_with(GIB(4), MIB(8));
	id = mmu.domain[d].id;
	iommu_domain_destroy(&mmu, d);
	assert_int_not_equal(mmu.domain[domain_with(GIB(4), MIB(8))].id, id);
}

/* picture.names_ids: a device names its domain by an id, which is no place in a list */
static void test_picture_names_ids(void **state)
{
	static struct picture p;
	static struct node n;
	size_t d;

	(void)state;
	memset(&n, 0, sizeof(n));
	bring_up();
	iommu_domain_destroy(&mmu, domain_with(GIB(4), MIB(8)));
	d = domain_with(GIB(4), MIB(8));
	assert_int_not_equal(mmu.domain[d].id, d);
	assert_int_equal(iommu_attach(&mmu, NIC, d), 0);
	assert_int_equal(picture_record(&mmu, &n), 0);
	take_picture(&n, &p);
	assert_int_equal(p.device[p.nr_devices - 1].rid, NIC_RID);
	assert_int_equal(p.device[p.nr_devices - 1].domain, mmu.domain[d].id);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_firmware_dids_are_kept_clear_of, machine_reset),
		cmocka_unit_test_setup(test_equal_dids_of_two_units, machine_reset),
		cmocka_unit_test_setup(test_one_domain_on_two_units, machine_reset),
		cmocka_unit_test_setup(test_failed_attach_leaves_nothing, machine_reset),
		cmocka_unit_test_setup(test_replace_beside_an_alias, machine_reset),
		cmocka_unit_test_setup(test_leaving_a_shared_domain, machine_reset),
		cmocka_unit_test_setup(test_domain_ids_are_unique, machine_reset),
		cmocka_unit_test_setup(test_picture_names_ids, machine_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

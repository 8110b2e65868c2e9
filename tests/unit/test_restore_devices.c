/* Domains and devices restored: shared once, with their own DIDs, or not at all; no failure leaves
 * half of one; what was restored can be used, given back, and handed over again. */
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

#define OTHER_RID	PCI_RID(2, 0, 0)	/* behind a second unit, of no function */
#define FEW_DIDS	32

static size_t shared;

/* The NIC and the far device share a domain; the RMRR's device has its own. */
static int setup(void **state)
{
	machine_reset(state);
	bring_up();
	set_ports();
	shared = domain_with(GIB(4), MIB(8));
	assert_int_equal(iommu_attach(&mmu, NIC, shared), 0);
	assert_int_equal(iommu_attach(&mmu, FAR, shared), 0);
	return 0;
}

static uint16_t did_of(uint16_t rid)
{
	return iommu_device_of(&mmu, 0, rid)->did;
}

static struct vtd_context_entry *entry_of(uint16_t rid)
{
	const struct vtd_root_entry *root = mem_ptr(mmu.unit[0].vtd.root);

	return (struct vtd_context_entry *)mem_ptr(root[rid >> 8].lo & VTD_RE_CTP) + (rid & 0xff);
}

static struct kho_iommu_device *got_of(uint16_t rid)
{
	const size_t j = restore_find(&got, 0, rid);

	assert_int_not_equal(j, RESTORE_NONE);
	return &got.device[j];
}

/* As receive(), from a plain form that the test has changed. */
static void receive_plain(void)
{
	begin_next(&mmu);
	restore_match(&restore, &next, &all_preserved, &node, &got);
	restore_units(&restore);
}

/* ---- sharing ---------------------------------------------------------------------------------- */

/* restore.shared_domain: one domain, one DID, and each device's own owner */
static void test_shared(void **state)
{
	const struct iommu_device *nic, *far;

	(void)state;
	hand_over();
	assert_int_equal(restore.bad, 0);
	assert_int_equal(got.iommu.nr_domains, 2);
	assert_int_equal(restore_rid(NIC_RID), 0);
	assert_int_equal(next.nr_domains, 1);
	assert_int_equal(restore_rid(FAR_RID), 0);
	assert_int_equal(next.nr_domains, 1);
	nic = iommu_device_of(&next, 0, NIC_RID);
	far = iommu_device_of(&next, 0, FAR_RID);
	assert_int_equal(nic->domain, far->domain);
	assert_int_equal(nic->did, far->did);
	assert_int_equal(nic->did, did_of(NIC_RID));
	assert_int_equal(nic->owner_token, kho_iommu_owner_token(1));
	assert_int_equal(far->owner_token, kho_iommu_owner_token(2));
}

/* restore.one_domain_on_a_unit: two DIDs for one table, and one DID for two, are refused */
static void test_one_did_one_domain(void **state)
{
	(void)state;
	write_handoff(&mmu);
	*(uint64_t *)mem_ptr(record_pa(FAR_RID) + offsetof(struct kho_iommu_device_ser, attachment_id)) += 1;
	receive(&mmu);
	assert_int_equal(restore_rid(NIC_RID), -EBADMSG);
	assert_int_equal(restore_rid(FAR_RID), -EBADMSG);

	hand_over();
	got_of(USB_RID)->did = did_of(NIC_RID);
	receive_plain();	/* the reader would have refused both; whoever reserves second is refused here */
	for (uint32_t i = 0; i < node.nr_devices; i++)
		assert_int_equal(restore.device[i].did_fault != NULL, i > 0);
	assert_int_equal(restore_rid(FAR_RID), -EBADMSG);
	assert_string_equal(why_not, "has the DID of another domain");
}

/* restore.owner_of_a_shared_domain_freed: what was given back is not restored for the next sharer */
static void test_given_back(void **state)
{
	(void)state;
	hand_over();
	assert_int_equal(restore_rid(NIC_RID), 0);
	assert_int_equal(iommu_leave(&next, 0, NIC_RID), 0);
	assert_int_equal(next.nr_domains, 0);
	assert_int_equal(restore_rid(FAR_RID), -EBADMSG);
	assert_string_equal(why_not, "is in a domain that was given back since it was restored");
	assert_int_equal(next.nr_domains, 0);
	assert_int_equal(next.nr_devices, 0);
}

/* restore.twice is once */
static void test_twice(void **state)
{
	uint32_t used;

	(void)state;
	hand_over();
	for (uint32_t i = 0; i < node.nr_devices; i++)
		assert_int_equal(restore_device(&restore, i, &why_not), 0);
	used = next_dids()->nr_used;
	assert_int_equal(used, 2);
	assert_int_equal(vtd_dids_reserve(next_dids(), 99), 0);
	restore_units(&restore);
	assert_true(vtd_dids_used(next_dids(), 99));
	for (uint32_t i = 0; i < node.nr_devices; i++)
		assert_int_equal(restore_device(&restore, i, &why_not), 0);
	assert_int_equal(next.nr_devices, node.nr_devices);
	assert_int_equal(next.nr_domains, 2);
}

/* restore.one_winner: a record that is claimed is nobody else's */
static void test_one_winner(void **state)
{
	(void)state;
	write_handoff(&mmu);
	node.device[node.nr_devices++] = node.device[named(NIC_RID)];	/* node_read() refuses that */
	receive(&mmu);
	assert_int_equal(restore_rid(NIC_RID), 0);
	assert_int_equal(restore_device(&restore, node.nr_devices - 1, &why_not), -EBUSY);
	assert_int_equal(next.nr_devices, 1);
}

/* ---- DIDs ------------------------------------------------------------------------------------- */

/* restore.fresh_dids: none that is given out is a preserved one, to the last */
static void test_fresh_dids(void **state)
{
	uint16_t did;
	unsigned n = 0;

	(void)state;
	mmu.unit[0].vtd.caps.ndoms = FEW_DIDS;
	hand_over();
	while (!vtd_dids_alloc(next_dids(), &did)) {
		assert_int_not_equal(did, did_of(NIC_RID));
		assert_int_not_equal(did, did_of(USB_RID));
		n++;
	}
	assert_int_equal(n, FEW_DIDS - 2 - 2);
}

/* restore.did_of_the_unit: the last one is good, one more is not, whatever 16 bits hold */
static void test_did_range(void **state)
{
	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		struct blame b = { 0 };

		setup(NULL);
		mmu.unit[0].vtd.caps.ndoms = FEW_DIDS;
		hand_over();
		got_of(USB_RID)->did = (uint16_t)(FEW_DIDS - 1 + over);
		entry_of(USB_RID)->hi = (entry_of(USB_RID)->hi & ~VTD_CE_HI_DID) |
					FIELD_PREP(VTD_CE_HI_DID, FEW_DIDS - 1 + over);
		receive_plain();
		restore_devices(&restore, &b);
		assert_int_equal(b.device[named(USB_RID)], over);
		assert_int_equal(bad[CHECK_RESTORE_DID_UNIQUE], over);
		assert_int_equal(iommu_device_of(&next, 0, USB_RID) != NULL, !over);
		assert_non_null(iommu_device_of(&next, 0, NIC_RID));
		assert_false(vtd_dids_used(next_dids(), 0x101));
	}
}

/* restore.dids_of_sharers: free with the last of them */
static void test_did_of_sharers(void **state)
{
	const uint16_t did = did_of(NIC_RID);
	struct blame b = { 0 };

	(void)state;
	hand_over();
	restore_devices(&restore, &b);
	assert_int_equal(iommu_detach(&next, 0, NIC_RID), 0);
	assert_true(vtd_dids_used(next_dids(), did));
	assert_int_equal(iommu_detach(&next, 0, FAR_RID), 0);
	assert_false(vtd_dids_used(next_dids(), did));
}

/* restore.did_of_a_live_entry: held until its device is fenced, whoever else goes before */
static void test_live_did(void **state)
{
	const uint16_t did = did_of(NIC_RID);
	struct blame b = { 0 };

	(void)state;
	for (unsigned order = 0; order < 2; order++) {
		const uint16_t first = order ? FAR_RID : NIC_RID, second = order ? NIC_RID : FAR_RID;

		setup(NULL);
		hand_over();
		got.device_verdict[restore_find(&got, 0, FAR_RID)].fault = "broken";
		receive_plain();
		restore_devices(&restore, &b);
		assert_null(iommu_device_of(&next, 0, FAR_RID));
		assert_true(entry_of(FAR_RID)->lo & VTD_CE_P);
		assert_int_equal(restore_fence(&restore, named(first)), 0);
		assert_true(vtd_dids_used(next_dids(), did));
		assert_int_equal(restore_fence(&restore, named(second)), 0);
		assert_false(vtd_dids_used(next_dids(), did));
		assert_int_equal(entry_of(FAR_RID)->lo | entry_of(NIC_RID)->lo, 0);
		assert_false(bus_master[NIC] || bus_master[FAR]);
		assert_int_equal(restore_rid(NIC_RID), -EBADMSG);
		assert_string_equal(why_not, "was fenced");
	}
}

/* restore.did_that_only_an_entry_has: no record says it, and it is not given out */
static void test_unrecorded_did(void **state)
{
	const uint16_t did = 20;
	uint16_t fresh;

	(void)state;
	mmu.unit[0].vtd.caps.ndoms = FEW_DIDS;
	hand_over();
	entry_of(FAR_RID)->hi = (entry_of(FAR_RID)->hi & ~VTD_CE_HI_DID) | FIELD_PREP(VTD_CE_HI_DID, did);
	entry_of(USB_RID)->lo &= ~VTD_CE_P;
	receive_plain();
	assert_int_equal(restore_rid(FAR_RID), -EBADMSG);
	/* The other way round: no entry says it any more, but its device can still be restored. */
	assert_true(vtd_dids_used(next_dids(), did_of(USB_RID)));
	while (!vtd_dids_alloc(next_dids(), &fresh))
		assert_int_not_equal(fresh, did);
	/* What cannot be invalidated stays taken. */
	fake.queue_stuck = true;
	assert_int_not_equal(restore_fence(&restore, named(FAR_RID)), 0);
	assert_true(vtd_dids_used(next_dids(), did));
	assert_false(entry_of(FAR_RID)->lo & VTD_CE_P);
	assert_false(bus_master[FAR]);
}

/* restore.unpreserved_tables are not read: neither the root table nor a context table */
static void test_unpreserved_tables(void **state)
{
	struct kho_range root = { .len = PAGE_SIZE }, rest[2];
	const struct kho_map only_root = { .ranges = &root, .nr_ranges = 1 };
	const struct kho_map all_but_root = { .ranges = rest, .nr_ranges = 2 };

	(void)state;
	root.base = mmu.unit[0].vtd.root;
	rest[0] = (struct kho_range){ 0, root.base };
	rest[1] = (struct kho_range){ root.base + PAGE_SIZE, ARENA_BYTES - root.base - PAGE_SIZE };
	hand_over();
	for (unsigned i = 0; i < 2; i++) {
		begin_next(&mmu);
		restore_match(&restore, &next, i ? &all_but_root : &only_root, &node, &got);
		restore_units(&restore);
		assert_false(restore.device[named(NIC_RID)].live);
		assert_int_equal(restore_rid(NIC_RID), -EBADMSG);
	}
}

/* ---- compatibility ---------------------------------------------------------------------------- */

static void three_levels_only(void) { next.unit[0].vtd.caps.sagaw = 1 << 2; }
static void narrow(void) { next.unit[0].vtd.caps.mgaw = 38; }
static void small_pages(void) { next.unit[0].vtd.caps.page_sizes = VTD_PG_2M; }
static void first_stage(void) { got.domain[got_of(NIC_RID)->domain].first_stage = true; }
static void too_wide(void) { got.domain[got_of(NIC_RID)->domain].vasz = 48; }
static void no_tables(void) { node.domain[shared].table_pages = 0; }
static void not_present(void) { entry_of(NIC_RID)->lo &= ~VTD_CE_P; }
static void passes_through(void) { entry_of(NIC_RID)->lo |= FIELD_PREP(VTD_CE_TT, VTD_TT_PASS_THROUGH); }
static void other_table(void) { entry_of(NIC_RID)->lo += PAGE_SIZE; }
static void other_width(void) { entry_of(NIC_RID)->hi ^= VTD_AW_39BIT ^ VTD_AW_48BIT; }
static void other_did(void) { entry_of(NIC_RID)->hi += 1 << 8; }
static void behind_another(void) { next.dmar.drhd[0].include_all = false; }	/* it serves what it names: nothing */

static const struct { const char *name; void (*change)(void); const char *says; } misfits[] = {
	{ "levels", three_levels_only, "levels" }, { "mgaw", narrow, "wider" },
	{ "page_sizes", small_pages, "pages of a size" }, { "first_stage", first_stage, "first-stage" },
	{ "vasz", too_wide, "wider" }, { "no_tables", no_tables, "shape" },
	{ "entry_gone", not_present, "no context entry" },
	{ "pass_through", passes_through, "translation type" },
	{ "entry_table", other_table, "another table" }, { "entry_width", other_width, "another width" },
	{ "entry_did", other_did, "another DID" }, { "unit", behind_another, "behind another unit" },
};

/* restore.misfit: refused, and the entry stays what it is until the fence */
static void test_misfits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(misfits); i++) {
		struct vtd_context_entry before;

		print_message("# %s\n", misfits[i].name);
		setup(NULL);
		hand_over();
		receive_plain();
		misfits[i].change();
		before = *entry_of(NIC_RID);
		assert_int_not_equal(restore_rid(NIC_RID), 0);
		if (!strstr(why_not, misfits[i].says))
			fail_msg("says %s", why_not);
		assert_int_equal(next.nr_devices, 0);
		assert_int_equal(next.nr_domains, 0);
		assert_memory_equal(entry_of(NIC_RID), &before, sizeof(before));
		restore_fence(&restore, named(NIC_RID));
		assert_int_equal(entry_of(NIC_RID)->lo & VTD_CE_P, 0);
		assert_false(bus_master[NIC]);
	}
}

/* A second unit, whose registers nobody touches, with a device of that domain or of another. */
static void add_unit(bool coherent, size_t domain, uint16_t did)
{
	struct iommu_unit *u = &mmu.unit[1];
	const struct vtd_ss *ss = &mmu.domain[domain].ss;

	u->used = true;
	u->vtd.regs = OTHER_REGS;
	u->vtd.caps = mmu.unit[0].vtd.caps;
	u->vtd.caps.coherent = coherent;
	u->vtd.root = vtd_root_alloc(true);
	mmu.nr_units = 2;
	assert_int_equal(vtd_context_set(LEGACY(u->vtd.root, true), OTHER_RID, vtd_context_entry(ss->top, did, vtd_aw_of_levels(ss->levels))), 0);
	mmu.device[mmu.nr_devices++] = (struct iommu_device){
		.unit = 1, .rid = OTHER_RID, .domain = (uint32_t)domain, .did = did };
	mmu.nr_units = 1;		/* the node is made from registers, which only the first one has */
	memset(&node, 0, sizeof(node));
	assert_int_equal(picture_record(&mmu, &node), 0);
	node.unit[node.nr_units++] = (struct node_unit_ser){
		.regs_pa = OTHER_REGS, .index = 1, .rtaddr = u->vtd.root };
	mmu.nr_units = 2;
	records_describe(&mmu, ports, ARRAY_SIZE(ports), &got);
	receive_plain();
}

/* restore.coherency: two units share a table only if both walk it alike */
static void test_coherency(void **state)
{
	const bool coherent = mmu.unit[0].vtd.caps.coherent;

	(void)state;
	add_unit(coherent, shared, did_of(NIC_RID));
	assert_int_equal(restore_rid(NIC_RID), 0);
	assert_int_equal(restore_rid(OTHER_RID), 0);
	assert_int_equal(next.nr_domains, 1);
	setup(NULL);
	add_unit(!coherent, shared, did_of(NIC_RID));
	assert_int_equal(restore_rid(NIC_RID), 0);
	assert_int_equal(restore_rid(OTHER_RID), -EOPNOTSUPP);
	assert_int_equal(next.nr_devices, 1);
}

/* restore.dids_are_the_units_own: the same number elsewhere is neither taken nor a clash */
static void test_dids_per_unit(void **state)
{
	struct blame b = { 0 };

	(void)state;
	add_unit(mmu.unit[0].vtd.caps.coherent, iommu_device_of(&mmu, 0, USB_RID)->domain, did_of(NIC_RID));
	restore_devices(&restore, &b);
	assert_int_equal(next.nr_devices, 4);
	assert_int_equal(next.unit[1].vtd.dids.nr_used, 1);
	assert_true(vtd_dids_used(&next.unit[1].vtd.dids, did_of(NIC_RID)));
	assert_int_equal(next_dids()->nr_used, 2);
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		assert_false(bad[i]);
}

/* restore.incoherent_walks: what is changed in a restored table is flushed */
static void test_incoherent(void **state)
{
	struct vtd_ss *ss;

	(void)state;
	hand_over();
	next.unit[0].vtd.caps.coherent = false;
	assert_int_equal(restore_rid(NIC_RID), 0);
	ss = &next.domain[0].ss;
	arena_flushed_bytes = 0;
	assert_int_equal(vtd_ss_map(ss, GIB(5), MIB(9), PAGE_SIZE, VTD_SS_RW), 0);
	assert_true(arena_flushed_bytes > 0);
}

/* ---- no half state ---------------------------------------------------------------------------- */

/* restore.failure_at_each_step: nothing is left of it, no DID is lost, and the next try succeeds */
static void test_retry(void **state)
{
	uint32_t used;

	(void)state;
	hand_over();
	used = next_dids()->nr_used;

	next.nr_devices = IOMMU_MAX_DEVICES;
	assert_int_equal(restore_rid(NIC_RID), -ENOSPC);
	assert_int_equal(next.nr_devices, IOMMU_MAX_DEVICES);
	assert_int_equal(next.nr_domains, 0);
	next.nr_devices = 0;
	next.nr_domains = IOMMU_MAX_DOMAINS;
	assert_int_equal(restore_rid(NIC_RID), -ENOSPC);
	assert_int_equal(next.nr_domains, IOMMU_MAX_DOMAINS);
	assert_int_equal(next.nr_devices, 0);
	next.nr_domains = 0;
	next.unit[0].used = false;
	assert_int_equal(restore_rid(NIC_RID), -EBADMSG);
	next.unit[0].used = true;
	node.domain[shared].table_pages = 0;
	assert_int_equal(restore_rid(NIC_RID), -EBADMSG);
	assert_int_equal(next.nr_domains, 0);
	node.domain[shared].table_pages = mmu.domain[shared].ss.table_pages;

	assert_int_equal(next_dids()->nr_used, used);
	assert_int_equal(restore_rid(NIC_RID), 0);
	assert_int_equal(restore_rid(FAR_RID), 0);
	assert_int_equal(next.nr_domains, 1);
	assert_int_equal(next_dids()->nr_used, used);
}

/* ---- what was restored ------------------------------------------------------------------------ */

static int count_leaf(void *ctx, const struct vtd_ss_leaf_info *leaf)
{
	assert_int_equal(leaf->iova, GIB(4));
	assert_int_equal(leaf->pa, MIB(8));
	++*(unsigned *)ctx;
	return 0;
}

/* restore.restored_domain_is_a_domain: walked, replaced, given back */
static void test_used(void **state)
{
	const uint16_t did = did_of(NIC_RID);
	struct blame b = { 0 };
	uint64_t in_use, tables;
	unsigned leaves = 0;
	int other;

	(void)state;
	hand_over();
	restore_devices(&restore, &b);
	const size_t domain = iommu_device_of(&next, 0, NIC_RID)->domain;

	assert_int_equal(vtd_ss_for_each_leaf(&next.domain[domain].ss, count_leaf, &leaves), 0);
	assert_int_equal(leaves, 1);
	other = iommu_domain_create(&next, 0, VTD_PG_4K, IOMMU_IOVA_BITS);
	assert_true(other >= 0);
	assert_int_not_equal(next.domain[other].id, next.domain[domain].id);
	assert_int_equal(iommu_replace(&next, 0, NIC_RID, (size_t)other), 0);
	assert_int_not_equal(iommu_device_of(&next, 0, NIC_RID)->did, did);
	assert_true(vtd_dids_used(next_dids(), did));
	assert_int_equal(iommu_replace(&next, 0, FAR_RID, (size_t)other), 0);
	assert_int_equal(iommu_device_of(&next, 0, FAR_RID)->did, iommu_device_of(&next, 0, NIC_RID)->did);
	assert_false(vtd_dids_used(next_dids(), did));

	in_use = arena_pages_in_use;
	tables = next.domain[domain].ss.table_pages;
	assert_false(iommu_domain_has_devices(&next, domain));
	iommu_domain_destroy(&next, domain);
	assert_int_equal(arena_pages_in_use, in_use - tables);
}

/* restore.attach_over_a_restored_device: into its own domain nothing happens, into another it fails */
static void test_attach(void **state)
{
	struct vtd_context_entry before;
	struct blame b = { 0 };
	int other;

	(void)state;
	hand_over();
	restore_devices(&restore, &b);
	before = *entry_of(NIC_RID);
	other = iommu_domain_create(&next, 0, VTD_PG_4K, IOMMU_IOVA_BITS);
	assert_int_equal(iommu_attach(&next, NIC, (size_t)other), -EEXIST);
	assert_int_equal(iommu_attach(&next, NIC, iommu_device_of(&next, 0, NIC_RID)->domain), 0);
	assert_memory_equal(entry_of(NIC_RID), &before, sizeof(before));
}

static void assert_same_records(const struct records_plain *a, const struct records_plain *b)
{
	assert_int_equal(a->iommu.nr_units, b->iommu.nr_units);
	assert_int_equal(a->iommu.nr_domains, b->iommu.nr_domains);
	assert_int_equal(a->iommu.nr_devices, b->iommu.nr_devices);
	assert_memory_equal(a->unit, b->unit, sizeof(a->unit));
	for (size_t i = 0; i < a->iommu.nr_devices; i++) {
		const struct kho_iommu_device *d = &a->device[i], *e = &b->device[restore_find(b, 0, d->devid)];

		assert_int_equal(d->did, e->did);
		assert_int_equal(d->owner_token, e->owner_token);
		assert_int_equal(d->unit, e->unit);
		assert_memory_equal(&a->domain[d->domain], &b->domain[e->domain], sizeof(a->domain[0]));
		assert_memory_equal(&d->vtd, &e->vtd, sizeof(d->vtd));
	}
}

/* restore.generations: handed over again and again, the same is said, and nothing of the handoff
 * before: its owners are the streams of now */
static void test_generations(void **state)
{
	static struct records_plain first;
	static struct iommu from;
	struct blame b = { 0 };

	(void)state;
	write_handoff(&mmu);
	first = plain;
	receive(&mmu);
	for (unsigned generation = 0; generation < 3; generation++) {
		memset(&b, 0, sizeof(b));
		restore_devices(&restore, &b);
		from = next;
		/* What the old records say by now is no matter. */
		for (size_t i = 0; i < pages.nr; i++)
			memset(mem_ptr(page_list[i]), 0x5a, PAGE_SIZE);
		memset(&got, 0x5a, sizeof(got));
		write_handoff(&from);
		receive(&from);
		assert_int_equal(restore.bad, 0);
		assert_same_records(&first, &got);
	}
	control[0].stream = 7;
	write_handoff(&from);
	read_records(&got);
	assert_int_equal(got_of(NIC_RID)->owner_token, kho_iommu_owner_token(7));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_shared, setup),
		cmocka_unit_test_setup(test_one_did_one_domain, setup),
		cmocka_unit_test_setup(test_given_back, setup),
		cmocka_unit_test_setup(test_twice, setup),
		cmocka_unit_test_setup(test_one_winner, setup),
		cmocka_unit_test_setup(test_fresh_dids, setup),
		cmocka_unit_test_setup(test_did_range, setup),
		cmocka_unit_test_setup(test_did_of_sharers, setup),
		cmocka_unit_test_setup(test_live_did, setup),
		cmocka_unit_test_setup(test_unrecorded_did, setup),
		cmocka_unit_test_setup(test_unpreserved_tables, setup),
		cmocka_unit_test_setup(test_misfits, setup),
		cmocka_unit_test_setup(test_coherency, setup),
		cmocka_unit_test_setup(test_dids_per_unit, setup),
		cmocka_unit_test_setup(test_incoherent, setup),
		cmocka_unit_test_setup(test_retry, setup),
		cmocka_unit_test_setup(test_used, setup),
		cmocka_unit_test_setup(test_attach, setup),
		cmocka_unit_test_setup(test_generations, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

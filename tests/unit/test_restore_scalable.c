/* Devices restored in scalable mode: each with the directory that its record names and its context entry
 * leads to, or not at all.  What both modes share is in test_restore_devices.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommu_fake.h"
#include "restore_fake.h"
#include "vtd/context.h"
#include "vtd/pasid.h"

/* The NIC and the far device share a domain; the RMRR's device has its own. */
static int setup(void **state)
{
	size_t shared;

	machine_reset(state);
	fake.ecap = FAKE_ECAP_SCALABLE;
	mmu.ttm = VTD_TTM_SCALABLE;
	bring_up();
	set_ports();
	shared = domain_with(GIB(4), MIB(8));
	assert_int_equal(iommu_attach(&mmu, NIC, shared), 0);
	assert_int_equal(iommu_attach(&mmu, FAR, shared), 0);
	return 0;
}

static const struct iommu_device *was(uint16_t rid)
{
	return iommu_device_of(&mmu, 0, rid);
}

static struct kho_iommu_device *got_of(uint16_t rid)
{
	const size_t j = restore_find(&got, 0, rid);

	assert_int_not_equal(j, RESTORE_NONE);
	return &got.device[j];
}

static uint64_t *dir_of(uint16_t rid)
{
	return mem_ptr(was(rid)->pasid_dir);
}

static uint64_t *entry_of(uint16_t rid)
{
	return mem_ptr(dir_of(rid)[0] & ~0xfffULL);
}

static uint64_t *context_of(uint16_t rid)
{
	const struct vtd_tables t = vtd_unit_tables(&mmu.unit[0].vtd);

	return mem_ptr(vtd_context_table_of(&t, rid) + vtd_context_offset(t.ttm, rid));
}

/* As receive(), from a plain form that the test has changed. */
static void receive_plain(const struct kho_map *map)
{
	begin_next(&mmu);
	restore_match(&restore, &next, map, &node, &got);
	restore_units(&restore);
}

/* restore.scalable_devices: with DIDs, directories and one domain for the two that share it */
static void test_restored(void **state)
{
	static const uint16_t rids[] = { NIC_RID, FAR_RID, USB_RID };

	(void)state;
	hand_over();
	assert_int_equal(restore.bad, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rids); i++) {
		const struct iommu_device *is;

		assert_int_equal(restore_rid(rids[i]), 0);
		is = iommu_device_of(&next, 0, rids[i]);
		assert_int_equal(is->pasid_dir, was(rids[i])->pasid_dir);
		assert_int_equal(is->did, was(rids[i])->did);
		assert_int_equal(got_of(rids[i])->vtd.max_pasid, 32768);
		assert_true(vtd_dids_used(next_dids(), is->did));
	}
	assert_int_equal(next.nr_domains, 2);
	assert_int_not_equal(was(NIC_RID)->pasid_dir, was(FAR_RID)->pasid_dir);
}

/* restore.scalable_devices_can_be_used: moved to another table, detached, their pages given back */
static void test_used(void **state)
{
	struct vtd_pasid_entry e;
	struct vtd_ss_format fmt;
	uint64_t in_use;
	paddr_t dir;

	(void)state;
	hand_over();
	assert_int_equal(restore_rid(NIC_RID), 0);
	dir = was(NIC_RID)->pasid_dir;
	fmt = (struct vtd_ss_format){ .levels = 4, .page_sizes = VTD_PG_4K, .addr_bits = 48, .haw = 48 };
	assert_int_equal(vtd_ss_init(&next.domain[1].ss, &fmt), 0);
	next.domain[1].id = next.next_domain_id++;
	next.nr_domains = 2;
	assert_int_equal(iommu_replace(&next, 0, NIC_RID, 1), 0);
	assert_int_equal(iommu_device_of(&next, 0, NIC_RID)->pasid_dir, dir);
	assert_int_equal(vtd_pasid_get(dir, &e), 0);
	assert_int_equal(e.qw[0] & ~0xfffULL, next.domain[1].ss.top);
	in_use = arena_pages_in_use;
	assert_int_equal(iommu_detach(&next, 0, NIC_RID), 0);
	assert_int_equal(arena_pages_in_use, in_use - 2);
	assert_int_equal(context_of(NIC_RID)[0], 0);
}

static void no_directory(void) { got_of(NIC_RID)->vtd.pasid_dir = got_of(NIC_RID)->vtd.max_pasid = 0; }
static void smaller_directory(void) { got_of(NIC_RID)->vtd.max_pasid = 8192; }
static void larger_directory(void) { got_of(NIC_RID)->vtd.max_pasid = 1 << 20; }
static void directory_of_another(void) { got_of(NIC_RID)->vtd.pasid_dir = was(FAR_RID)->pasid_dir; }
static void context_elsewhere(void) { context_of(NIC_RID)[0] = was(USB_RID)->pasid_dir | 0x401; }
static void context_absent(void) { context_of(NIC_RID)[0] &= ~1ULL; }
static void directory_empty(void) { dir_of(NIC_RID)[0] = 0; }
static void entry_absent(void) { entry_of(NIC_RID)[0] &= ~1ULL; }
static void first_stage(void) { entry_of(NIC_RID)[0] ^= 3 << 6; }
static void pass_through(void) { entry_of(NIC_RID)[0] ^= 6 << 6; }
static void other_table(void) { entry_of(NIC_RID)[0] += PAGE_SIZE; }
static void other_width(void) { entry_of(NIC_RID)[0] ^= 3 << 2; }
static void other_did(void) { entry_of(NIC_RID)[1] += 16; }

static const struct {
	const char *name;
	void (*damage)(void);
	const char *fault;
} misfits[] = {
	{ "no_directory",	  no_directory,	       "has no PASID directory" },
	{ "smaller_directory",	  smaller_directory,   "has a PASID directory of another size" },
	{ "larger_directory",	  larger_directory,    "has a PASID directory of another size" },
	{ "directory_of_another", directory_of_another, "has a context entry with another PASID directory" },
	{ "context_elsewhere",	  context_elsewhere,   "has a context entry with another PASID directory" },
	{ "context_absent",	  context_absent,      "has no context entry" },
	{ "directory_empty",	  directory_empty,     "has an entry of another translation type" },
	{ "entry_absent",	  entry_absent,	       "has an entry of another translation type" },
	{ "first_stage",	  first_stage,	       "has an entry of another translation type" },
	{ "pass_through",	  pass_through,	       "has an entry of another translation type" },
	{ "other_table",	  other_table,	       "has an entry with another table" },
	{ "other_width",	  other_width,	       "has an entry with another width" },
	{ "other_did",		  other_did,	       "has an entry with another DID" },
};

/* restore.misfits: one device is refused, with a sentence, and the one that shares its domain goes on */
static void test_misfits(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(misfits); i++) {
		print_message("# %s\n", misfits[i].name);
		setup(state);
		hand_over();
		misfits[i].damage();
		receive_plain(&all_preserved);
		assert_int_not_equal(restore_rid(NIC_RID), 0);
		assert_non_null(strstr(why_not, misfits[i].fault));
		assert_null(iommu_device_of(&next, 0, NIC_RID));
		assert_int_equal(next.nr_domains, 0);
		assert_int_equal(restore_rid(FAR_RID), 0);
		assert_int_equal(next.nr_domains, 1);
	}
}

/* restore.unpreserved_structures: not read, so there is no entry that could be the record's */
static void test_unpreserved(void **state)
{
	(void)state;
	for (unsigned table = 0; table < 2; table++) {
		struct kho_range but[2];
		struct kho_map map = { .ranges = but, .nr_ranges = 2 };
		paddr_t hole;

		setup(state);
		hand_over();
		hole = table ? dir_of(NIC_RID)[0] & ~0xfffULL : was(NIC_RID)->pasid_dir;
		but[0] = (struct kho_range){ 0, hole };
		but[1] = (struct kho_range){ hole + PAGE_SIZE, ARENA_BYTES - hole - PAGE_SIZE };
		receive_plain(&map);
		assert_int_equal(restore_rid(NIC_RID), -EBADMSG);
		assert_string_equal(why_not, "has no context entry, or one behind tables that may not be read");
		assert_int_equal(restore_rid(USB_RID), 0);
	}
}

/* restore.live_did: what an entry of another type says may be cached, and is not given out */
static void test_did_of_another_type(void **state)
{
	(void)state;
	hand_over();
	entry_of(NIC_RID)[0] ^= 3 << 6;
	entry_of(NIC_RID)[1] = 9;
	receive_plain(&all_preserved);
	assert_true(vtd_dids_used(next_dids(), 9));
	assert_true(vtd_dids_used(next_dids(), was(NIC_RID)->did));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_restored, setup),
		cmocka_unit_test_setup(test_used, setup),
		cmocka_unit_test_setup(test_misfits, setup),
		cmocka_unit_test_setup(test_unpreserved, setup),
		cmocka_unit_test_setup(test_did_of_another_type, setup),
	};

	return cmocka_run_group_tests_name("restored in scalable mode", tests, NULL, NULL);
}

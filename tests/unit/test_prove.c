/* Proofs over tables, pages and digests: what is whole proves itself, and each way of not being
 * whole fails the check it belongs to and no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iommu_fake.h"
#include "kernel/handover/prove.h"
#include "kho/crc32c.h"
#include "restore_fake.h"
#include "tests/unit/tables.h"
#include "vtd/context.h"

#define BUFFER		MIB(8)
#define ROOM		64

static struct node n;
static struct picture p;
static struct kho_range ranges[ROOM];
static struct kho_map map;
static struct vtd_verify_result walked;

static const struct prove_ids ids = {
	.mode = CHECK_HANDOFF_MODE_UNCHANGED, .preserved = CHECK_MEMORY_TABLES_PRESERVED,
	.tables = CHECK_MEMORY_TABLES_UNCHANGED, .root = CHECK_RESTORE_ROOT_ENTRIES,
	.context = CHECK_RESTORE_CONTEXT_ENTRIES, .entry = CHECK_RESTORE_ENTRY_MATCHES,
	.did = CHECK_RESTORE_DID_UNIQUE,
};

static int by_base(const void *a, const void *b)
{
	const struct kho_range *x = a, *y = b;

	return x->base < y->base ? -1 : x->base > y->base;
}

static void preserve(paddr_t pa)
{
	assert_true(map.nr_ranges < ROOM);
	ranges[map.nr_ranges++] = (struct kho_range){ .base = pa, .len = PAGE_SIZE };
	qsort(ranges, map.nr_ranges, sizeof(ranges[0]), by_base);
}

static void unpreserve(paddr_t pa)
{
	for (size_t i = 0; i < map.nr_ranges; i++)
		if (ranges[i].base == pa) {
			memmove(&ranges[i], &ranges[i + 1],
				(--map.nr_ranges - i) * sizeof(ranges[0]));
			return;
		}
	fail_msg("page %llx was not preserved", (unsigned long long)pa);
}

/* The NIC with one page, the RMRR's device; every table recorded and preserved. */
static void record(void)
{
	memset(&n, 0, sizeof(n));
	memset(ranges, 0, sizeof(ranges));
	map = (struct kho_map){ .ranges = ranges };
	assert_int_equal(picture_record(&mmu, &n), 0);
	assert_int_equal(prove_record_tables(&mmu, &n), 0);
	for (uint32_t i = 0; i < n.nr_digests; i++)
		preserve(n.digest[i].pa);
	preserve(BUFFER);
	take_picture(&n, &p);
}

static int setup(void **state)
{
	machine_reset(state);
	bring_up();
	assert_int_equal(iommu_attach(&mmu, NIC, domain_with(GIB(4), BUFFER)), 0);
	record();
	return 0;
}

static void prove_and_blame(struct blame *b)
{
	const struct proof proof = {
		.mmu = &mmu, .map = &map, .picture = &p, .node = &n, .ids = ids, .blame = b,
		.walked = &walked,
	};

	memset(seen, 0, sizeof(seen));
	memset(bad, 0, sizeof(bad));
	memset(&walked, 0, sizeof(walked));
	prove_tables(&proof);
}

static void prove(void)
{
	prove_and_blame(NULL);
}

static bool only_bad(enum check_id id)
{
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		if (bad[i] != (i == id)) {
			print_message("# check %u is %s\n", i, bad[i] ? "bad" : "good");
			return false;
		}
	return true;
}

static uint64_t *entry_of(uint16_t rid)
{
	const uint64_t *root = mem_ptr(mmu.unit[0].vtd.root);

	return (uint64_t *)mem_ptr(root[2 * (rid >> 8)] & ~0xfffULL) + 2 * (rid & 0xff);
}

/* prove.whole: all seven checks are observed and good */
static void test_whole(void **state)
{
	unsigned observed = 0;

	(void)state;
	prove();
	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		assert_false(bad[i]);
		observed += seen[i];
	}
	assert_int_equal(observed, 7);
	assert_int_equal(walked.tables, n.nr_digests);
	assert_int_equal(walked.bytes, PAGE_SIZE + RMRR_LIMIT + 1 - RMRR_BASE);
}

/* prove.each_damage_has_its_check */
static void test_damage(void **state)
{
	uint64_t *e, *root = mem_ptr(mmu.unit[0].vtd.root);
	const uint32_t nic = iommu_device_of(&mmu, 0, NIC_RID)->domain;
	const paddr_t extra = mem_alloc_pages(0);

	(void)state;
	e = entry_of(NIC_RID);
	e[1] ^= 1 << 8 | 1 << 12;			/* another DID */
	prove();
	assert_true(only_bad(ids.entry));
	e[1] ^= 1 << 8 | 1 << 12;

	e[0] &= ~1ULL;				/* not present */
	prove();
	assert_true(only_bad(ids.context));
	e[0] |= 1;

	entry_of(GPU_RID)[0] = 1;		/* a device that no record explains */
	prove();
	assert_true(bad[ids.context] && !bad[ids.root]);
	entry_of(GPU_RID)[0] = 0;

	root[2 * 7] = extra | 1;		/* a bus that no record explains */
	preserve(extra);
	prove();
	assert_true(bad[ids.root] && !bad[ids.context] && !bad[ids.preserved]);
	assert_true(bad[ids.tables]);		/* a table without a digest */
	root[2 * 7] = 0;

	p.unit[0].rtaddr |= 1 << 10;		/* scalable mode */
	prove();
	assert_true(bad[ids.mode]);
	p.unit[0].rtaddr &= ~(1ULL << 10);

	p.domain[nic].table_pages++;
	prove();
	assert_true(only_bad(ids.tables));
	p.domain[nic].table_pages--;

	n.digest[--n.nr_digests].kind = 0;	/* a table that nobody digested */
	prove();
	assert_true(only_bad(ids.tables));
	n.digest[n.nr_digests++].kind = NODE_DIGEST_TABLE;

	mmu.unit[0].vtd.regs += PAGE_SIZE;	/* a unit that no record names */
	prove();
	assert_true(only_bad(ids.root));
	mmu.unit[0].vtd.regs -= PAGE_SIZE;

	p.device[0].did = p.device[1].did;	/* one id for two tables */
	prove();
	assert_true(bad[ids.did]);
	take_picture(&n, &p);

	prove();
	assert_true(only_bad(CHECK_COUNT));
}

/* prove.entry_without_a_record: of a device that is named it is known, and that device is fenced;
 * of any other it is reason to stop all */
static void test_entry_without_record(void **state)
{
	struct blame b = { 0 };

	(void)state;
	records_describe(&mmu, NULL, 0, &plain);
	plain.device_verdict[restore_find(&plain, 0, NIC_RID)].fault = "broken";
	restore_match(&restore, &mmu, &all_preserved, &n, &plain);
	restore_picture(&restore, &p);
	assert_int_equal(p.nr_devices, n.nr_devices - 1);
	restore_blame(&restore, &b);
	prove_and_blame(&b);
	assert_true(only_bad(CHECK_COUNT));		/* nor do its tables count */
	for (uint32_t i = 0; i < n.nr_devices; i++)
		assert_int_equal(b.device[i], n.device[i].rid == NIC_RID);
	assert_false(b.all);
	prove();
	assert_true(only_bad(ids.context));		/* whoever blames nobody must not overlook it */

	memset(&b, 0, sizeof(b));
	prove_and_blame(&b);				/* not blamed before */
	assert_true(only_bad(ids.context));
	assert_true(b.device[restore_find(&plain, 0, NIC_RID)]);
	assert_false(b.all);

	take_picture(&n, &p);
	memset(&b, 0, sizeof(b));
	entry_of(GPU_RID)[0] = 1;
	prove_and_blame(&b);
	assert_true(bad[ids.context] && b.all);
}

/* prove.shared_domain: walked and digested once; whoever is in it is to blame for it */
static void test_shared(void **state)
{
	const size_t shared = iommu_device_of(&mmu, 0, NIC_RID)->domain;
	struct blame b = { 0 };

	(void)state;
	assert_int_equal(iommu_attach(&mmu, FAR, shared), 0);
	memset(&n, 0, sizeof(n));
	map.nr_ranges = 0;
	assert_int_equal(picture_record(&mmu, &n), 0);
	assert_int_equal(prove_record_tables(&mmu, &n), 0);
	for (uint32_t i = 0; i < n.nr_digests; i++)
		preserve(n.digest[i].pa);
	preserve(BUFFER);
	take_picture(&n, &p);
	prove();
	assert_true(only_bad(CHECK_COUNT));
	*(uint64_t *)mem_ptr(mmu.domain[shared].ss.top) ^= BIT64(52);
	assert_non_null(prove_digests(&n, NODE_DIGEST_TABLE, &p, &b));
	for (uint32_t i = 0; i < n.nr_devices; i++)
		assert_int_equal(b.device[i], n.device[i].rid == NIC_RID || n.device[i].rid == FAR_RID);
	assert_false(b.all);
}

/* prove.tables_of_two_units: walked by both, digested once */
static void test_two_units(void **state)
{
	const struct iommu_device *nic = iommu_device_of(&mmu, 0, NIC_RID);
	const struct vtd_ss *ss = &mmu.domain[nic->domain].ss;
	const paddr_t root = vtd_root_alloc(true);

	(void)state;
	assert_int_equal(vtd_context_set(LEGACY(root, true), NIC_RID, vtd_context_entry(ss->top, 5, vtd_aw_of_levels(ss->levels))), 0);
	p.unit[1] = p.unit[0];
	p.unit[1].index = 1;
	p.unit[1].rtaddr = root;
	p.nr_units = 2;
	p.device[p.nr_devices++] = (struct vtd_device_snapshot){
		.unit = 1, .rid = NIC_RID, .domain = mmu.domain[nic->domain].id, .did = 5 };
	for (unsigned i = 0; i < 2; i++) {
		const paddr_t page = i ? root : *(uint64_t *)mem_ptr(root) & ~0xfffULL;

		preserve(page);
		assert_int_equal(prove_record_page(&n, page, NODE_DIGEST_TABLE, NODE_NO_OWNER), 0);
	}
	prove();
	assert_true(only_bad(CHECK_COUNT));
}

/* prove.nothing_looked_at: the checks stay unobserved, and so fail */
static void test_nothing(void **state)
{
	(void)state;
	p.nr_units = 0;
	prove();
	for (unsigned i = 0; i < CHECK_COUNT; i++)
		assert_false(seen[i]);
}

/* prove.every_page_must_be_preserved: each table and the buffer in turn */
static void test_preserved(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < n.nr_digests; i++) {
		unpreserve(n.digest[i].pa);
		prove();
		assert_true(bad[ids.preserved]);
		preserve(n.digest[i].pa);
	}
	unpreserve(BUFFER);
	prove();
	assert_true(only_bad(ids.preserved));
	preserve(BUFFER);
	prove();
	assert_true(only_bad(CHECK_COUNT));
}

/* prove.no_device_reaches_a_table: preserved or not, nor a record inside a page, nor anywhere in a
 * larger page; the pages beside it matter to nobody */
static void test_table_as_buffer(void **state)
{
	const paddr_t large = MIB(32), bytes = MIB(2);
	const int d = iommu_domain_create(&mmu, 0, VTD_PG_4K | VTD_PG_2M, IOMMU_IOVA_BITS);
	static const struct { paddr_t pa; bool bad; } cases[] = {
		{ BUFFER, true }, { BUFFER + 40, true }, { BUFFER + PAGE_SIZE - 8, true },
		{ BUFFER - PAGE_SIZE, false }, { BUFFER + PAGE_SIZE, false },
		{ large, true }, { large + MIB(1) + 72, true }, { large + bytes - PAGE_SIZE, true },
		{ large - PAGE_SIZE, false }, { large + bytes, false }, { 0, false },
	};

	(void)state;
	assert_true(d >= 0);
	assert_int_equal(vtd_ss_map(&mmu.domain[d].ss, GIB(5), large, bytes, VTD_SS_RW), 0);
	assert_int_equal(iommu_attach(&mmu, GPU, (size_t)d), 0);
	record();
	ranges[map.nr_ranges++] = (struct kho_range){ .base = large, .len = bytes };
	qsort(ranges, map.nr_ranges, sizeof(ranges[0]), by_base);
	prove();
	assert_true(only_bad(CHECK_COUNT));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		print_message("# %llx\n", (unsigned long long)cases[i].pa);
		n.digest[n.nr_digests++] = (struct node_digest_ser){
			.pa = cases[i].pa, .kind = NODE_DIGEST_METADATA };
		for (unsigned k = 0; k < 40; k++)	/* in no order */
			n.digest[n.nr_digests++] = (struct node_digest_ser){
				.pa = PAGE_SIZE * (40 - k), .kind = NODE_DIGEST_METADATA };
		prove();
		assert_true(only_bad(cases[i].bad ? ids.preserved : CHECK_COUNT));
		n.nr_digests -= 41;
	}
}

static struct node_domain_ser *domain_of(uint16_t rid)
{
	return &n.domain[iommu_device_of(&mmu, 0, rid)->domain];
}

/* prove.rmrr: what firmware named is not preserved, for that domain alone and no page more */
static void test_rmrr(void **state)
{
	(void)state;
	assert_true(domain_of(USB_RID)->is_rmrr && !domain_of(NIC_RID)->is_rmrr);
	domain_of(USB_RID)->is_rmrr = 0;
	prove();
	assert_true(only_bad(ids.preserved));
	domain_of(USB_RID)->is_rmrr = 1;
	domain_of(NIC_RID)->is_rmrr = 1;	/* its buffer is inside no RMRR */
	prove();
	assert_true(only_bad(ids.preserved));
	domain_of(NIC_RID)->is_rmrr = 0;
	preserve(RMRR_LIMIT + 1 - PAGE_SIZE);	/* no RAM, so never in the map */
	prove();
	assert_true(only_bad(ids.preserved));
	unpreserve(RMRR_LIMIT + 1 - PAGE_SIZE);
	prove();
	assert_true(only_bad(CHECK_COUNT));
	mmu.dmar.rmrr[0].limit -= PAGE_SIZE;	/* the last page is mapped, but no longer named */
	prove();
	assert_true(only_bad(ids.preserved));
	/* A region of one byte is none, so that nobody mapped it. */
	mmu.dmar.rmrr[0].limit += PAGE_SIZE;
	domain_of(NIC_RID)->is_rmrr = 1;
	unpreserve(BUFFER);
	mmu.dmar.rmrr[1] = (struct vtd_dmar_rmrr){ .base = BUFFER, .limit = BUFFER };
	mmu.dmar.nr_rmrr = 2;
	prove();
	assert_true(only_bad(ids.preserved));
	mmu.dmar.rmrr[1].limit++;
	prove();
	assert_true(only_bad(CHECK_COUNT));
}

/* prove.table_in_two_places: nobody knows whose it is */
static void test_table_twice(void **state)
{
	static const enum node_digest_kind kinds[] = { NODE_DIGEST_TABLE, NODE_DIGEST_PASID };
	struct blame b = { 0 };

	(void)state;
	prove_and_blame(&b);
	assert_false(b.all);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		memset(&b, 0, sizeof(b));
		n.digest[n.nr_digests] = n.digest[i];
		n.digest[n.nr_digests].owner = 0;
		n.digest[n.nr_digests++].kind = kinds[i];
		prove_and_blame(&b);
		assert_true(only_bad(ids.tables));
		assert_true(b.all);
		n.nr_digests--;
	}
}

/* prove.records_every_table_once: root, context, second-stage, with their digests */
static void test_record_tables(void **state)
{
	uint64_t tables = 2;			/* root, one bus */

	(void)state;
	for (size_t i = 0; i < mmu.nr_domains; i++)
		tables += mmu.domain[i].ss.table_pages;
	assert_int_equal(n.nr_digests, tables);
	for (uint32_t i = 0; i < n.nr_digests; i++) {
		assert_int_equal(n.digest[i].kind, NODE_DIGEST_TABLE);
		assert_int_equal(n.digest[i].crc32c,
				 kho_crc32c(0, mem_ptr(n.digest[i].pa), PAGE_SIZE));
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(n.digest[i].pa, n.digest[j].pa);
	}
	mmu.unit[0].used = false;
	n.nr_digests = 0;
	assert_int_equal(prove_record_tables(&mmu, &n), 0);
	assert_int_equal(n.nr_digests, tables - 2);	/* the domains' own, each with its owner */
	for (uint32_t i = 0; i < n.nr_digests; i++)
		assert_int_not_equal(n.digest[i].owner, NODE_NO_OWNER);
	mmu.unit[0].used = true;
	n.nr_digests = NODE_MAX_DIGESTS - 1;
	assert_int_equal(prove_record_tables(&mmu, &n), -ENOSPC);
	assert_int_equal(n.nr_digests, NODE_MAX_DIGESTS);
}

/* prove.blame: a changed table page stops the devices of its domain, a root or context table all */
static void test_blame(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < n.nr_digests; i++) {
		uint8_t *last = (uint8_t *)mem_ptr(n.digest[i].pa) + PAGE_SIZE - 1;
		struct blame b = { 0 };

		*last ^= 0x80;
		assert_ptr_equal(prove_digests(&n, NODE_DIGEST_TABLE, &p, &b), &n.digest[i]);
		*last ^= 0x80;
		assert_int_equal(b.all, n.digest[i].owner == NODE_NO_OWNER);
		for (uint32_t d = 0; d < n.nr_devices; d++) {
			assert_int_equal(p.device[d].rid, n.device[d].rid);
			assert_int_equal(b.device[d], p.device[d].domain == n.digest[i].owner);
		}
	}
}

/* prove.blame_rid: a device with a record alone, one without is reason to stop all */
static void test_blame_rid(void **state)
{
	struct blame b = { 0 };

	(void)state;
	blame_rid(&b, &n, n.device[0].segment, n.device[0].rid);
	assert_true(b.device[0]);
	assert_false(b.all);
	blame_rid(&b, &n, n.device[0].segment, 0xfff8);
	assert_true(b.all);
}

/* prove.digests: the first page that changed, of the kind that was asked for */
static void test_digests(void **state)
{
	(void)state;
	assert_int_equal(prove_record_page(&n, BUFFER, NODE_DIGEST_METADATA, NODE_NO_OWNER), 0);
	assert_null(prove_digests(&n, NODE_DIGEST_TABLE, NULL, NULL));
	assert_null(prove_digests(&n, NODE_DIGEST_METADATA, NULL, NULL));
	for (uint32_t i = 0; i < n.nr_digests; i++) {
		const enum node_digest_kind kind = n.digest[i].kind;
		uint8_t *last = (uint8_t *)mem_ptr(n.digest[i].pa) + PAGE_SIZE - 1;

		*last ^= 0x80;
		assert_ptr_equal(prove_digests(&n, kind, NULL, NULL), &n.digest[i]);
		assert_null(prove_digests(&n, NODE_DIGEST_TABLE + NODE_DIGEST_METADATA - kind, NULL,
					  NULL));
		*last ^= 0x80;
	}
	n.nr_digests = NODE_MAX_DIGESTS;
	assert_int_equal(prove_record_page(&n, BUFFER, NODE_DIGEST_METADATA, NODE_NO_OWNER), -ENOSPC);
}

/* prove.limits: work memory from scratch, the image excluded, RAM as the map says */
static void test_limits(void **state)
{
	static struct boot_info bi;
	struct kho_limits lim;

	(void)state;
	bi.map[0] = (struct mem_range){ MIB(1), MIB(63), MEM_CONVENTIONAL };
	bi.map[1] = (struct mem_range){ MIB(64), MIB(1), MEM_RESERVED };
	bi.nr_map = 2;
	bi.image = MIB(20);
	bi.image_size = MIB(1) + 5;
	assert_true(prove_limits(&lim, &bi));
	assert_int_equal(lim.nr_exclude, 1);
	assert_int_equal(lim.exclude[0].base, MIB(20));
	assert_int_equal(lim.exclude[0].len, MIB(1) + 5);
	assert_true(lim.ram.is_ram(lim.ram.ctx, MIB(63), MIB(1)));
	assert_false(lim.ram.is_ram(lim.ram.ctx, MIB(63), MIB(1) + 1));
	/* All that the limits promise can be written. */
	memset(lim.extents, 0x5a, lim.max_extents * sizeof(*lim.extents));
	memset(lim.ranges, 0x5a, lim.max_extents * sizeof(*lim.ranges));
	memset(lim.nodes, 0x5a, lim.max_nodes * sizeof(*lim.nodes));
	assert_true((uint8_t *)(lim.extents + lim.max_extents) <= (uint8_t *)lim.ranges);
	assert_true((uint8_t *)(lim.ranges + lim.max_extents) <= (uint8_t *)lim.nodes);
	assert_true((uint64_t)((uint8_t *)(lim.nodes + lim.max_nodes) - (uint8_t *)lim.extents) <=
		    scratch_used());
	scratch_init(MIB(32), KIB(64));
	assert_false(prove_limits(&lim, &bi));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_whole, setup),
		cmocka_unit_test_setup(test_damage, setup),
		cmocka_unit_test_setup(test_entry_without_record, setup),
		cmocka_unit_test_setup(test_shared, setup),
		cmocka_unit_test_setup(test_two_units, setup),
		cmocka_unit_test_setup(test_nothing, setup),
		cmocka_unit_test_setup(test_preserved, setup),
		cmocka_unit_test_setup(test_table_as_buffer, setup),
		cmocka_unit_test_setup(test_rmrr, setup),
		cmocka_unit_test_setup(test_table_twice, setup),
		cmocka_unit_test_setup(test_record_tables, setup),
		cmocka_unit_test_setup(test_blame, setup),
		cmocka_unit_test_setup(test_blame_rid, setup),
		cmocka_unit_test_setup(test_digests, setup),
		cmocka_unit_test_setup(test_limits, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

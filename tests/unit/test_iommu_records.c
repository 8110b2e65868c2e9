/* IOMMU records: the golden images read field by field and written byte for byte; every check
 * seen to fail, with exactly the devices refused that depend on what is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "kho/iommu_files.h"
#include "kho/iommu_records.h"
#include "kho/sort.h"
#include "tests/fixtures/segments.h"

struct expected_unit {
	paddr_t pa;
	uint64_t ref_count, flags, token, type, register_base, root_table, context_tables[8];
};
struct expected_domain {
	paddr_t pa;
	uint64_t ref_count, flags, top_table, top_level, vasz, sign_extend, restored_domain;
};
struct expected_device {
	paddr_t pa;
	uint64_t ref_count, flags, devid, pci_domain, owner_token, attachment_id;
	size_t domain, unit;
	uint64_t ats_enabled, ats_supported, restored, pasid_table, max_pasid;
};

#include "tests/fixtures/iommu-records/tables.h"

#define FOLDER		"tests/fixtures/iommu-records/"
#define MAX_RECORDS	4096
#define MAX_BLOCKS	512

/* --- Memory: the images lie up to 250 GiB, beyond the arena's usual size --- */

#define WIDE_BYTES	GIB(512)

static void wide_arena(paddr_t base, paddr_t end)
{
	static uint8_t *wide;

	if (wide)
		munmap(wide, WIDE_BYTES);
	host_arena = NULL;
	arena_reset(base, end);
	munmap(host_arena, ARENA_BYTES);
	wide = mmap(NULL, WIDE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(wide != MAP_FAILED);
	host_arena = wide;
}

static bool is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	return len <= WIDE_BYTES && pa <= WIDE_BYTES - len;
}

/* What is preserved, as a reader of the tree would have found it. */
static struct kho_extent extents[2 * MAX_RECORDS];
static struct kho_range ranges[2 * MAX_RECORDS];
static struct kho_map map;
static const struct kho_scratch scratch = { { { GIB(300), GIB(1) } }, 1 };
static const struct kho_limits lim = { .ram = { .is_ram = is_ram } };

static void preserve(paddr_t pa, uint64_t nr_pages)
{
	extents[map.nr_extents++] = (struct kho_extent){ pa, nr_pages, 0 };
}

static void preserve_done(void)
{
	kho_sort(extents, map.nr_extents, sizeof(extents[0]));
	map.extents = extents;
	map.ranges = ranges;
	map.nr_ranges = kho_map_merge(extents, map.nr_extents, ranges);
}

/* --- Reading --- */

static struct kho_iommu_unit units[64];
static struct kho_iommu_domain domains[MAX_RECORDS];
static struct kho_iommu_device devices[MAX_RECORDS];
static struct kho_key keys[MAX_RECORDS];
static struct kho_iommu_verdict unit_verdicts[64], domain_verdicts[MAX_RECORDS],
	device_verdicts[MAX_RECORDS];
static struct kho_range work[MAX_BLOCKS];
static struct kho_refusal why;
static struct kho_iommu got;
static struct kho_iommu_verdicts v = { unit_verdicts, domain_verdicts, device_verdicts, 0 };

static struct kho_iommu arrays(void)
{
	return (struct kho_iommu){
		.unit = units, .max_units = ARRAY_SIZE(units),
		.domain = domains, .max_domains = ARRAY_SIZE(domains),
		.device = devices, .max_devices = ARRAY_SIZE(devices),
		.keys = keys, .max_keys = ARRAY_SIZE(keys),
	};
}

static struct kho_reader reader(void)
{
	return (struct kho_reader){
		.lim = &lim, .scratch = &scratch, .map = &map,
		.claims = { .range = work, .max = ARRAY_SIZE(work) },
	};
}

static struct kho_iommu_place at_top(paddr_t top)
{
	return (struct kho_iommu_place){ .family = KHO_IOMMU_L4_L5, .top_pa = top };
}

static int read_at(paddr_t top, const struct kho_iommu_digests *d)
{
	const struct kho_iommu_place at = at_top(top);
	struct kho_reader r = reader();

	got = arrays();
	why = (struct kho_refusal){ .what = "", .fault = "" };
	return kho_iommu_records_read(&r, &at, d, &got, &v, &why);
}

/* --- Golden images --- */

struct golden {
	const char *path;
	const struct fixture_segment *segments;
	size_t nr_segments;
	paddr_t top;
	const paddr_t *blocks;
	size_t nr_blocks;
	const struct expected_unit *units;
	size_t nr_units;
	const struct expected_domain *domains;
	size_t nr_domains;
	const struct expected_device *devices;
	size_t nr_devices;
	enum kho_iommu_family family;
};

#define GOLDEN(folder, name, top, of) { \
	FOLDER folder "/mem.bin", name##_segments, ARRAY_SIZE(name##_segments), top, \
	name##_blocks, ARRAY_SIZE(name##_blocks), name##_units, ARRAY_SIZE(name##_units), \
	name##_domains, ARRAY_SIZE(name##_domains), name##_devices, ARRAY_SIZE(name##_devices), of }
static const struct golden small = GOLDEN("l5-small", l5_small, L5_SMALL_TOP, KHO_IOMMU_L4_L5);
static const struct golden chained = GOLDEN("l5-chained", l5_chained, L5_CHAINED_TOP,
					     KHO_IOMMU_L4_L5);
static const struct golden l3_small = GOLDEN("l3-small", l3_small, L3_SMALL_TOP, KHO_IOMMU_L2_L3);

/* Every page of the image, and every table its live records name. */
static void preserve_golden(const struct golden *g)
{
	map = (struct kho_map){ 0 };
	for (size_t i = 0; i < g->nr_segments; i++)
		preserve(g->segments[i].pa, 1);
	for (size_t i = 0; i < g->nr_units; i++)
		preserve(g->units[i].root_table, 1);
	for (size_t i = 0; i < g->nr_domains; i++)
		if (!g->domains[i].flags)
			preserve(g->domains[i].top_table, 1);
	for (size_t i = 0; i < g->nr_devices; i++)
		if (!g->devices[i].flags && g->devices[i].pasid_table)
			preserve(g->devices[i].pasid_table, g->devices[i].max_pasid >> 15);
	preserve_done();
}

static void lay(const struct golden *g)
{
	wide_arena(0, 0);
	load_segments(g->path, g->segments, g->nr_segments);
	preserve_golden(g);
}

static void check_units(const struct golden *g)
{
	assert_int_equal(got.nr_units, g->nr_units);
	for (size_t i = 0; i < g->nr_units; i++) {
		const struct expected_unit *e = &g->units[i];

		assert_int_equal(unit_verdicts[i].pa, e->pa);
		assert_null(unit_verdicts[i].fault);
		assert_int_equal(units[i].register_base, e->register_base);
		assert_int_equal(units[i].register_base, e->token);
		assert_int_equal(units[i].root_table, e->root_table);
		assert_memory_equal(units[i].context_tables, e->context_tables, 64);
		assert_int_equal(units[i].deleted, e->flags);
	}
}

static void check_domains(const struct golden *g)
{
	assert_int_equal(got.nr_domains, g->nr_domains);
	for (size_t i = 0; i < g->nr_domains; i++) {
		const struct expected_domain *e = &g->domains[i];

		assert_int_equal(domain_verdicts[i].pa, e->pa);
		assert_null(domain_verdicts[i].fault);
		assert_int_equal(domains[i].top_table, e->top_table);
		assert_int_equal(domains[i].top_level, e->top_level);
		assert_int_equal(domains[i].vasz, e->vasz);
		assert_int_equal(domains[i].first_stage, e->sign_extend);
		assert_int_equal(domains[i].deleted, e->flags);
	}
}

static void check_devices(const struct golden *g)
{
	assert_int_equal(got.nr_devices, g->nr_devices);
	for (size_t i = 0; i < g->nr_devices; i++) {
		const struct expected_device *e = &g->devices[i];
		const struct kho_iommu_device *d = &devices[i];

		assert_int_equal(device_verdicts[i].pa, e->pa);
		assert_null(device_verdicts[i].fault);
		assert_int_equal(d->devid, e->devid);
		assert_int_equal(d->pci_domain, e->pci_domain);
		assert_int_equal(d->owner_token, g->family == KHO_IOMMU_L2_L3 ? e->pa : e->owner_token);
		assert_int_equal(d->did, e->attachment_id);
		assert_int_equal(d->domain, e->domain);
		assert_int_equal(d->unit, e->unit);
		assert_int_equal(d->vtd.ats_enabled, e->ats_enabled);
		assert_int_equal(d->vtd.ats_supported, e->ats_supported);
		assert_int_equal(d->vtd.pasid_dir, e->pasid_table);
		assert_int_equal(d->vtd.max_pasid, e->max_pasid);
		assert_int_equal(d->deleted, e->flags);
	}
	assert_int_equal(v.bad_devices, 0);
}

static int read_place(const struct kho_iommu_place *at)
{
	struct kho_reader r = reader();

	got = arrays();
	why = (struct kho_refusal){ .what = "", .fault = "" };
	return kho_iommu_records_read(&r, at, NULL, &got, &v, &why);
}

static void check_golden(const struct golden *g)
{
	lay(g);
	assert_int_equal(read_place(&(struct kho_iommu_place){ g->family, g->top, &kho_iommu_l3 }), 0);
	check_units(g);
	check_domains(g);
	check_devices(g);
}

/* iommu.reads_l5_small, iommu.reads_l5_chained: every slot, dead ones included */
static void test_reads_small(void **state)
{
	(void)state;
	check_golden(&small);
}

static void test_reads_chained(void **state)
{
	(void)state;
	check_golden(&chained);
}

/* iommu.reads_l3_small: into the same plain form, if it was asked for; nothing else is read so */
static void test_reads_l3(void **state)
{
	struct kho_iommu_place at = { .family = KHO_IOMMU_L2_L3, .top_pa = L3_SMALL_TOP };

	(void)state;
	check_golden(&l3_small);
	assert_int_equal(read_place(&at), -EOPNOTSUPP);
	assert_string_equal(why.what, "IOMMU records");
	assert_string_equal(why.fault, "are in layout L3");
	/* As L4 or L5, an address is where the version should be. */
	at = (struct kho_iommu_place){ KHO_IOMMU_L4_L5, L3_SMALL_TOP, &kho_iommu_l3 };
	assert_int_equal(read_place(&at), -EOPNOTSUPP);
	assert_string_equal(why.fault, "has an unknown version");
}

/* iommu.l4: the records of L3 behind the name and the version of L5 */
static void test_l4(void **state)
{
	const struct kho_iommu_place at = { KHO_IOMMU_L4_L5, L3_SMALL_TOP, &kho_iommu_l3 };
	uint64_t *top;

	(void)state;
	lay(&l3_small);
	top = mem_ptr(L3_SMALL_TOP);
	memmove(top + 1, top, 24);
	top[0] = 1;
	assert_int_equal(read_place(&at), -EOPNOTSUPP);
	assert_string_equal(why.fault, "are in layout L4");
}

static paddr_t page_list[MAX_BLOCKS];
static struct kho_pages pages;
static struct kho_radix radix;
static struct kho_iommu_placed placed;
static const struct kho_scratch no_scratch;

static int write_records(const struct kho_iommu *in)
{
	pages = (struct kho_pages){ .pa = page_list, .max = ARRAY_SIZE(page_list) };
	assert_int_equal(kho_radix_init(&radix, &no_scratch), 0);
	return kho_iommu_records_write(in, &radix, &pages, &placed, &why);
}

/* What was read, written to the same addresses, makes the same bytes. */
static void check_written(const struct golden *g)
{
	static uint8_t image[16 * PAGE_SIZE];
	struct kho_iommu in;

	lay(g);
	assert_int_equal(read_at(g->top, NULL), 0);
	in = got;
	for (size_t i = 0; i < g->nr_segments; i++)
		memcpy(image + i * PAGE_SIZE, mem_ptr(g->segments[i].pa), PAGE_SIZE);
	wide_arena(MIB(2), MIB(4));
	for (size_t i = g->nr_blocks; i-- > 0;)
		mem_free_pages(g->blocks[i], 0);
	mem_free_pages(g->top, 0);
	mem_free_pages(MIB(8), 0);		/* root of the tree */
	assert_int_equal(write_records(&in), 0);
	assert_int_equal(pages.nr, g->nr_segments);
	assert_int_equal(page_list[placed.top], g->top);
	for (size_t i = 0; i < g->nr_segments; i++)
		assert_memory_equal(mem_ptr(g->segments[i].pa), image + i * PAGE_SIZE, PAGE_SIZE);
	assert_int_equal(radix.entries, pages.nr);
	for (size_t i = 0; i < g->nr_units; i++)
		assert_int_equal(kho_iommu_unit_pa(&pages, &placed, i), g->units[i].pa);
	for (size_t i = 0; i < g->nr_domains; i++)
		assert_int_equal(kho_iommu_domain_pa(&pages, &placed, i), g->domains[i].pa);
	for (size_t i = 0; i < g->nr_devices; i++)
		assert_int_equal(kho_iommu_device_pa(&pages, &placed, i), g->devices[i].pa);
}

/* iommu.writes_l5_small, iommu.writes_l5_chained: byte for byte */
static void test_writes_small(void **state)
{
	(void)state;
	check_written(&small);
}

static void test_writes_chained(void **state)
{
	(void)state;
	check_written(&chained);
}

/* --- The FLB --- */

/* iommu.flb: which layouts are meant, by name, before a byte of the records is read */
static void test_flb_names(void **state)
{
	static const struct {
		const char *names[2];
		int err;
		enum kho_iommu_family family;
	} cases[] = {
		{ { "iommu-liveupdate", "other" }, 0, KHO_IOMMU_L4_L5 },
		{ { "other", L5_SMALL_FLB }, 0, KHO_IOMMU_L4_L5 },
		{ { "iommu-v1", "other" }, 0, KHO_IOMMU_L0_L1 },
		{ { L3_SMALL_FLB, "other" }, 0, KHO_IOMMU_L2_L3 },
		{ { "other", "another" }, -ENOENT, 0 },
		{ { "iommu-liveupdate", "iommu-liveupdate-v1" }, -EOPNOTSUPP, 0 },
		{ { "iommu-liveupdate", "iommu-v1" }, -EOPNOTSUPP, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kho_flb flbs[2] = { { .data = 0x1000 }, { .data = 0x1000 } };
		const struct kho_luo l = { .flbs = flbs, .nr_flbs = 2 };
		struct kho_iommu_place at = { .top_pa = 0 };

		strcpy(flbs[0].name, cases[i].names[0]);
		strcpy(flbs[1].name, cases[i].names[1]);
		why.fault = "";
		assert_int_equal(kho_iommu_find(&l, &at, &why), cases[i].err);
		assert_string_equal(why.fault, cases[i].err == -EOPNOTSUPP ?
				    "are there under two names" : "");
		assert_int_equal(at.top_pa, cases[i].err ? 0 : 0x1000);
		assert_int_equal(at.family, cases[i].err ? 0 : cases[i].family);
		assert_null(at.l3);
	}
}

/* --- Chains: what is broken refuses the records whole --- */

#define TOP		L5_CHAINED_TOP
#define UNITS		l5_chained_blocks[0]
#define DOMAINS_0	l5_chained_blocks[1]
#define DOMAINS_1	l5_chained_blocks[2]
#define DEVICES_0	l5_chained_blocks[3]
#define DEVICES_1	l5_chained_blocks[4]
#define DEVICES_2	l5_chained_blocks[5]

enum where { AT_TOP, AT_UNITS, AT_DOMAINS_0, AT_DOMAINS_1, AT_DEVICES_0, AT_DEVICES_1, AT_DEVICES_2 };

static paddr_t place(enum where w)
{
	return w == AT_TOP ? TOP : l5_chained_blocks[w - AT_UNITS];
}

static const struct {
	const char *name;
	enum where at;
	unsigned off;
	bool address;		/* @v is a place, not a number */
	uint64_t v;
	int err;
	const char *what, *fault;
} chains[] = {
	{ "iommu.version_0", AT_TOP, 0, false, 0, -EOPNOTSUPP, "IOMMU top structure",
	  "has an unknown version" },
	{ "iommu.version_2", AT_TOP, 0, false, 2, -EOPNOTSUPP, "IOMMU top structure",
	  "has an unknown version" },
	{ "iommu.version_high_half", AT_TOP, 0, false, BIT64(32) | 1, -EOPNOTSUPP,
	  "IOMMU top structure", "has an unknown version" },
	{ "iommu.units_missing", AT_TOP, 8, false, 0, -EBADMSG, "block of unit records",
	  "is missing" },
	{ "iommu.domains_missing", AT_TOP, 16, false, 0, -EBADMSG, "block of domain records",
	  "is missing" },
	{ "iommu.devices_missing", AT_TOP, 24, false, 0, -EBADMSG, "block of device records",
	  "is missing" },
	{ "iommu.units_are_the_top", AT_TOP, 8, true, AT_TOP, -ELOOP, "block of unit records",
	  "is named twice" },
	{ "iommu.devices_are_domains", AT_TOP, 24, true, AT_DOMAINS_0, -ELOOP,
	  "block of device records", "is named twice" },
	{ "iommu.units_not_preserved", AT_TOP, 8, false, MIB(64), -EBADMSG, "block of unit records",
	  "does not begin a preserved chunk" },
	{ "iommu.units_not_aligned", AT_TOP, 8, false, MIB(64) + 8, -EBADMSG,
	  "block of unit records", "is not page aligned" },
	{ "iommu.units_in_scratch", AT_TOP, 8, false, GIB(300), -EBADMSG, "block of unit records",
	  "lies in scratch" },
	{ "iommu.units_not_ram", AT_TOP, 8, false, GIB(600), -EBADMSG, "block of unit records",
	  "is not RAM" },
	{ "iommu.units_above_52_bits", AT_TOP, 8, false, BIT64(52), -EBADMSG,
	  "block of unit records", "exceeds 52 address bits" },
	{ "iommu.block_names_itself", AT_DEVICES_2, 0, true, AT_DEVICES_2, -ELOOP,
	  "block of device records", "is named twice" },
	{ "iommu.full_block_names_itself", AT_DEVICES_1, 0, true, AT_DEVICES_1, -ELOOP,
	  "block of device records", "is named twice" },
	{ "iommu.two_blocks_in_a_ring", AT_DEVICES_1, 0, true, AT_DEVICES_0, -ELOOP,
	  "block of device records", "is named twice" },
	{ "iommu.next_not_preserved", AT_DEVICES_0, 0, false, MIB(64), -EBADMSG,
	  "block of device records", "does not begin a preserved chunk" },
	{ "iommu.units_37", AT_UNITS, 8, false, 37, -EBADMSG, "block of unit records",
	  "claims more entries than fit" },
	{ "iommu.domains_103", AT_DOMAINS_1, 8, false, 103, -EBADMSG, "block of domain records",
	  "claims more entries than fit" },
	{ "iommu.devices_57", AT_DEVICES_2, 8, false, 57, -EBADMSG, "block of device records",
	  "claims more entries than fit" },
	{ "iommu.devices_2_32", AT_DEVICES_2, 8, false, BIT64(32), -EBADMSG,
	  "block of device records", "claims more entries than fit" },
	{ "iommu.devices_max", AT_DEVICES_2, 8, false, UINT64_MAX, -EBADMSG,
	  "block of device records", "claims more entries than fit" },
	{ "iommu.first_block_not_full", AT_DEVICES_0, 8, false, 55, -EBADMSG,
	  "block of device records", "is not full but not the last" },
};

static void test_chains(void **state)
{
	(void)state;
	lay(&chained);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		uint64_t *p = (uint64_t *)((uint8_t *)mem_ptr(place(chains[i].at)) + chains[i].off);
		const uint64_t was = *p;

		print_message("# %s\n", chains[i].name);
		*p = chains[i].address ? place(chains[i].v) : chains[i].v;
		assert_int_equal(read_at(TOP, NULL), chains[i].err);
		assert_string_equal(why.what, chains[i].what);
		assert_string_equal(why.fault, chains[i].fault);
		*p = was;
	}
	assert_int_equal(read_at(TOP, NULL), 0);
}

/* iommu.top: not preserved, or claimed by another */
static void test_top(void **state)
{
	const struct kho_iommu_place at = at_top(L5_SMALL_TOP);
	struct kho_reader r = reader();

	(void)state;
	lay(&small);
	assert_int_equal(read_at(MIB(64), NULL), -EBADMSG);
	assert_int_equal(read_at(L5_SMALL_TOP + 8, NULL), -EBADMSG);
	got = arrays();
	assert_int_equal(kho_claim(&r.claims, L5_SMALL_TOP, PAGE_SIZE), 0);
	assert_int_equal(kho_iommu_records_read(&r, &at, NULL, &got, &v, &why), -ELOOP);
}

/* iommu.work_memory: each array one record too small */
static void test_work_memory(void **state)
{
	const struct kho_iommu_place at = at_top(TOP);

	(void)state;
	lay(&chained);
	for (unsigned i = 0; i < 6; i++) {
		struct kho_reader r = reader();

		got = arrays();
		got.max_units = 2 - (i == 0);
		got.max_domains = 110 - (i == 1);
		got.max_devices = 130 - (i == 2);
		got.max_keys = i == 4 ? 2 : 130 - (i == 3);
		assert_int_equal(kho_iommu_records_read(&r, &at, NULL, &got, &v, &why),
				 i == 5 ? 0 : -ENOSPC);
		if (i == 4)
			assert_string_equal(why.fault, "is one too many for the work memory");
	}
}

/* iommu.an_empty_block_at_the_end is no error: it is where the next record would go */
static void test_empty_tail(void **state)
{
	(void)state;
	lay(&chained);
	/* The last of 102 domains; the block behind it has none. */
	memset((uint8_t *)mem_ptr(DOMAINS_1) + 8, 0, 8);
	assert_int_equal(read_at(TOP, NULL), 0);
	assert_int_equal(got.nr_domains, 102);
	for (size_t i = 0; i < got.nr_devices; i++) {
		const bool gone = l5_chained_devices[i].domain >= 102;

		if (devices[i].deleted)
			continue;
		if (gone)
			assert_string_equal(device_verdicts[i].fault, "names no domain record");
		else
			assert_null(device_verdicts[i].fault);
	}
}

/* --- Records: what is broken refuses itself and what depends on it --- */

/* In l5-small: devices 0 and 2 share domain 0, device 1 has domain 1, unit 0 has all. */
#define S_UNIT		0x363b3cf010ULL
#define S_DOMAIN(i)	(0x1ade053010ULL + (i) * 40)
#define S_DEVICE(i)	(0x24b2290010ULL + (i) * 72)
#define NOWHERE		GIB(64)		/* RAM, not preserved */

enum { UNIT = 1, DOMAIN_0 = 2, DOMAIN_1 = 4, DEVICE_0 = 8, DEVICE_1 = 16, DEVICE_2 = 32,
       ALL = UNIT | DEVICE_0 | DEVICE_1 | DEVICE_2 };

static const struct {
	const char *name;
	paddr_t at;
	unsigned bytes;
	uint64_t v;
	unsigned bad;
	const char *fault;	/* of the first bad record */
} records[] = {
	/* units */
	{ "iommu.unit.unknown_flag", S_UNIT + 4, 4, 4, ALL, "has unknown flags" },
	{ "iommu.unit.incoming", S_UNIT + 4, 4, 2, ALL, "has the receiver's INCOMING set" },
	{ "iommu.unit.deleted", S_UNIT + 4, 4, 1, ALL & ~UNIT, "names a deleted unit record" },
	{ "iommu.unit.count_2", S_UNIT, 4, 2, ALL, "counts other devices than there are" },
	{ "iommu.unit.count_4", S_UNIT, 4, 4, ALL, "counts other devices than there are" },
	{ "iommu.unit.count_0", S_UNIT, 4, 0, ALL, "counts other devices than there are" },
	{ "iommu.unit.count_max", S_UNIT, 4, UINT32_MAX, ALL, "counts other devices than there are" },
	{ "iommu.unit.token", S_UNIT + 8, 8, 1, ALL, "has another token than its register base" },
	{ "iommu.unit.type_0", S_UNIT + 16, 8, 0, ALL, "is not of a VT-d unit" },
	{ "iommu.unit.type_2", S_UNIT + 16, 8, 2, ALL, "is not of a VT-d unit" },
	{ "iommu.unit.restored", S_UNIT + 24, 1, 1, ALL, "has the receiver's scratch fields set" },
	{ "iommu.unit.padding_first", S_UNIT + 25, 1, 1, ALL, "has padding that is not zero" },
	{ "iommu.unit.padding_last", S_UNIT + 31, 1, 0x80, ALL, "has padding that is not zero" },
	{ "iommu.unit.base", S_UNIT + 32, 8, 0xfed91000, ALL,
	  "has another token than its register base" },
	{ "iommu.unit.root_0", S_UNIT + 40, 8, 0, ALL, "has a root table that is no page" },
	{ "iommu.unit.root_with_mode_bit", S_UNIT + 40, 8, 0x18a91fd400, ALL,
	  "has a root table that is no page" },
	{ "iommu.unit.root_above_52_bits", S_UNIT + 40, 8, BIT64(52), ALL,
	  "has a root table that is no page" },
	{ "iommu.unit.root_not_preserved", S_UNIT + 40, 8, NOWHERE, ALL,
	  "names a table that is not preserved" },
	/* domains */
	{ "iommu.domain.ref_count_2", S_DOMAIN(0), 4, 2, DOMAIN_0 | DEVICE_0 | DEVICE_2,
	  "has a reference count other than 1" },
	{ "iommu.domain.unknown_flag", S_DOMAIN(1) + 4, 4, BIT64(31), DOMAIN_1 | DEVICE_1,
	  "has unknown flags" },
	{ "iommu.domain.incoming", S_DOMAIN(1) + 4, 4, 3, DOMAIN_1 | DEVICE_1,
	  "has the receiver's INCOMING set" },
	{ "iommu.domain.deleted", S_DOMAIN(0) + 4, 4, 1, DEVICE_0 | DEVICE_2,
	  "names a deleted domain record" },
	{ "iommu.domain.top_0", S_DOMAIN(1) + 8, 8, 0, DOMAIN_1 | DEVICE_1,
	  "has a top table that is no page" },
	{ "iommu.domain.top_not_aligned", S_DOMAIN(1) + 8, 8, 0x4a0c008, DOMAIN_1 | DEVICE_1,
	  "has a top table that is no page" },
	{ "iommu.domain.top_not_preserved", S_DOMAIN(1) + 8, 8, NOWHERE, DOMAIN_1 | DEVICE_1,
	  "names a table that is not preserved" },
	{ "iommu.domain.top_of_another", S_DOMAIN(1) + 8, 8, 0x34b2c000,
	  DOMAIN_0 | DOMAIN_1 | DEVICE_0 | DEVICE_1 | DEVICE_2, "has the top table of another" },
	{ "iommu.domain.level_1", S_DOMAIN(0) + 16, 8, 1, DOMAIN_0 | DEVICE_0 | DEVICE_2,
	  "has a top level that no table has" },
	{ "iommu.domain.level_5", S_DOMAIN(0) + 16, 8, 5, DOMAIN_0 | DEVICE_0 | DEVICE_2,
	  "has a top level that no table has" },
	{ "iommu.domain.level_of_64_bits", S_DOMAIN(0) + 16, 8, BIT64(32) | 2,
	  DOMAIN_0 | DEVICE_0 | DEVICE_2, "has a top level that no table has" },
	{ "iommu.domain.first_stage_3_levels", S_DOMAIN(1) + 16, 8, 2, DOMAIN_1 | DEVICE_1,
	  "has a top level that no table has" },
	{ "iommu.domain.vasz_12", S_DOMAIN(0) + 24, 4, 12, DOMAIN_0 | DEVICE_0 | DEVICE_2,
	  "has an input space that its levels do not reach" },
	{ "iommu.domain.vasz_40", S_DOMAIN(0) + 24, 4, 40, DOMAIN_0 | DEVICE_0 | DEVICE_2,
	  "has an input space that its levels do not reach" },
	{ "iommu.domain.vasz_of_32_bits", S_DOMAIN(0) + 24, 4, BIT32(31) | 39,
	  DOMAIN_0 | DEVICE_0 | DEVICE_2, "has an input space that its levels do not reach" },
	{ "iommu.domain.sign_extend_2", S_DOMAIN(1) + 28, 1, 2, DOMAIN_1 | DEVICE_1,
	  "has a sign_extend that is neither 0 nor 1" },
	{ "iommu.domain.padding", S_DOMAIN(1) + 31, 1, 1, DOMAIN_1 | DEVICE_1,
	  "has padding that is not zero" },
	{ "iommu.domain.restored", S_DOMAIN(1) + 32, 8, 0xdead, DOMAIN_1 | DEVICE_1,
	  "has the receiver's scratch fields set" },
	/* devices */
	{ "iommu.device.ref_count_0", S_DEVICE(1), 4, 0, DEVICE_1,
	  "has a reference count other than 1" },
	{ "iommu.device.unknown_flag", S_DEVICE(1) + 4, 4, 8, DEVICE_1, "has unknown flags" },
	{ "iommu.device.incoming", S_DEVICE(1) + 4, 4, 2, DEVICE_1,
	  "has the receiver's INCOMING set" },
	{ "iommu.device.incoming_and_deleted", S_DEVICE(1) + 4, 4, 3, DEVICE_1,
	  "has the receiver's INCOMING set" },
	{ "iommu.device.deleted_but_counted", S_DEVICE(1) + 4, 4, 1, UNIT | DEVICE_0 | DEVICE_2,
	  "counts other devices than there are" },
	{ "iommu.device.devid_17_bits", S_DEVICE(1) + 8, 4, 0x1ff80, DEVICE_1,
	  "has an address of more than 16 bits" },
	{ "iommu.device.address_of_another", S_DEVICE(1) + 8, 4, 8, DEVICE_1 | DEVICE_2,
	  "has the address of another" },
	{ "iommu.device.pci_domain_alone_differs", S_DEVICE(0) + 8, 4, 8, 0, "" },
	{ "iommu.device.owner_0", S_DEVICE(1) + 16, 8, 0, DEVICE_1, "has no owner" },
	{ "iommu.device.did_0", S_DEVICE(1) + 24, 8, 0, DEVICE_1, "has a DID that is reserved" },
	{ "iommu.device.did_1", S_DEVICE(1) + 24, 8, 1, DEVICE_1, "has a DID that is reserved" },
	{ "iommu.device.did_2_16", S_DEVICE(1) + 24, 8, BIT64(16), DEVICE_1,
	  "has a DID of more than 16 bits" },
	{ "iommu.device.did_2_16_5", S_DEVICE(1) + 24, 8, BIT64(16) + 5, DEVICE_1,
	  "has a DID of more than 16 bits" },
	{ "iommu.device.did_2_32_5", S_DEVICE(1) + 24, 8, BIT64(32) + 5, DEVICE_1,
	  "has a DID of more than 16 bits" },
	{ "iommu.device.did_2_63", S_DEVICE(1) + 24, 8, BIT64(63), DEVICE_1,
	  "has a DID of more than 16 bits" },
	{ "iommu.device.did_of_another_domain", S_DEVICE(1) + 24, 8, 2,
	  DEVICE_0 | DEVICE_1 | DEVICE_2, "has the DID of another domain on its unit" },
	{ "iommu.device.did_unlike_its_sharer", S_DEVICE(2) + 24, 8, 3, DEVICE_0 | DEVICE_2,
	  "has another DID than its domain on its unit" },
	{ "iommu.device.domain_0", S_DEVICE(1) + 32, 8, 0, DEVICE_1, "names no domain record" },
	{ "iommu.device.domain_inside_a_record", S_DEVICE(1) + 32, 8, S_DOMAIN(1) + 8, DEVICE_1,
	  "names no domain record" },
	{ "iommu.device.domain_is_the_header", S_DEVICE(1) + 32, 8, S_DOMAIN(0) - 16, DEVICE_1,
	  "names no domain record" },
	{ "iommu.device.domain_in_the_header", S_DEVICE(1) + 32, 8, S_DOMAIN(0) - 8, DEVICE_1,
	  "names no domain record" },
	{ "iommu.device.domain_behind_the_last", S_DEVICE(1) + 32, 8, S_DOMAIN(2), DEVICE_1,
	  "names no domain record" },
	{ "iommu.device.domain_is_a_unit", S_DEVICE(1) + 32, 8, S_UNIT, DEVICE_1,
	  "names no domain record" },
	{ "iommu.device.unit_is_a_domain", S_DEVICE(1) + 40, 8, S_DOMAIN(0), DEVICE_1,
	  "names no unit record" },
	{ "iommu.device.unit_max", S_DEVICE(1) + 40, 8, UINT64_MAX, DEVICE_1,
	  "names no unit record" },
	{ "iommu.device.unit_behind_the_last", S_DEVICE(1) + 40, 8, S_UNIT + 112, DEVICE_1,
	  "names no unit record" },
	{ "iommu.device.ats_enabled_2", S_DEVICE(1) + 48, 1, 2, DEVICE_1,
	  "has an ATS field that is neither 0 nor 1" },
	{ "iommu.device.ats_supported_ff", S_DEVICE(1) + 49, 1, 0xff, DEVICE_1,
	  "has an ATS field that is neither 0 nor 1" },
	{ "iommu.device.ats_enabled_unsupported", S_DEVICE(2) + 48, 1, 1, DEVICE_2,
	  "has ATS enabled but does not support it" },
	{ "iommu.device.restored", S_DEVICE(1) + 50, 1, 1, DEVICE_1,
	  "has the receiver's scratch fields set" },
	{ "iommu.device.padding_first", S_DEVICE(1) + 51, 1, 1, DEVICE_1,
	  "has padding that is not zero" },
	{ "iommu.device.padding_last", S_DEVICE(1) + 55, 1, 1, DEVICE_1,
	  "has padding that is not zero" },
	{ "iommu.device.pasid_dir_0", S_DEVICE(1) + 56, 8, 0, DEVICE_1,
	  "has PASIDs but no directory" },
	{ "iommu.device.pasid_dir_not_preserved", S_DEVICE(1) + 56, 8, NOWHERE, DEVICE_1,
	  "names a table that is not preserved" },
	{ "iommu.device.pasid_dir_half_preserved", S_DEVICE(1) + 56, 8, 0x34b2c000, DEVICE_1,
	  "names a table that is not preserved" },
	{ "iommu.device.pasid_dir_of_another", S_DEVICE(2) + 56, 8, 0xcf1860000,
	  DEVICE_0 | DEVICE_2, "has the PASID directory of another" },
	{ "iommu.device.pasid_dir_not_aligned_to_its_size", S_DEVICE(1) + 56, 8, 0x3a7a5000, DEVICE_1,
	  "has a PASID directory that is not aligned to its size" },
	{ "iommu.device.pasid_dir_above_52_bits", S_DEVICE(1) + 56, 8, BIT64(52), DEVICE_1,
	  "has a PASID directory that is not aligned to its size" },
	{ "iommu.device.max_pasid_0", S_DEVICE(1) + 64, 8, 0, DEVICE_1,
	  "has a number of PASIDs that no directory has" },
	{ "iommu.device.max_pasid_2_14", S_DEVICE(1) + 64, 8, BIT64(14), DEVICE_1,
	  "has a number of PASIDs that no directory has" },
	{ "iommu.device.max_pasid_odd", S_DEVICE(1) + 64, 8, 3 * BIT64(15), DEVICE_1,
	  "has a number of PASIDs that no directory has" },
	{ "iommu.device.max_pasid_2_21", S_DEVICE(1) + 64, 8, BIT64(21), DEVICE_1,
	  "has a number of PASIDs that no directory has" },
};

/* Which records are bad; the first fault that is not a consequence. */
static unsigned verdicts(const char **fault)
{
	unsigned bad = 0;

	*fault = "";
	for (size_t i = got.nr_devices; i-- > 0;)
		if (device_verdicts[i].fault) {
			bad |= DEVICE_0 << i;
			*fault = device_verdicts[i].fault;
		}
	for (size_t i = got.nr_domains; i-- > 0;)
		if (domain_verdicts[i].fault) {
			bad |= DOMAIN_0 << i;
			*fault = domain_verdicts[i].fault;
		}
	if (unit_verdicts[0].fault) {
		bad |= UNIT;
		*fault = unit_verdicts[0].fault;
	}
	return bad;
}

static void test_records(void **state)
{
	(void)state;
	lay(&small);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		uint8_t *p = mem_ptr(records[i].at), was[8];
		const char *fault;
		unsigned bad;

		print_message("# %s\n", records[i].name);
		memcpy(was, p, sizeof(was));
		memcpy(p, &records[i].v, records[i].bytes);
		assert_int_equal(read_at(L5_SMALL_TOP, NULL), 0);
		bad = verdicts(&fault);
		assert_int_equal(bad, records[i].bad);
		assert_string_equal(fault, records[i].fault);
		assert_int_equal(v.bad_devices, __builtin_popcount(bad / DEVICE_0));
		if (records[i].at == S_UNIT + 40)
			assert_true(unit_verdicts[0].value == records[i].v);
		memcpy(p, was, sizeof(was));
	}
	assert_int_equal(read_at(L5_SMALL_TOP, NULL), 0);
	assert_int_equal(v.bad_devices, 0);
}

/* iommu.dead_records_say_nothing: neither duplicates nor dangling pointers of theirs count */
static void test_dead(void **state)
{
	size_t dead = 0;

	(void)state;
	lay(&chained);
	for (size_t i = 0; i < ARRAY_SIZE(l5_chained_devices); i++) {
		if (!l5_chained_devices[i].flags)
			continue;
		memset((uint8_t *)mem_ptr(l5_chained_devices[i].pa) + 8, 0xff, 64);
		dead++;
	}
	assert_int_equal(dead, 14);
	assert_int_equal(read_at(TOP, NULL), 0);
	assert_int_equal(v.bad_devices, 0);
	for (size_t i = 0; i < got.nr_devices; i++)
		if (devices[i].deleted) {
			assert_int_equal(devices[i].unit, KHO_IOMMU_NONE);
			assert_int_equal(devices[i].domain, KHO_IOMMU_NONE);
		}
	/* What was read can be written. */
	wide_arena(MIB(2), MIB(4));
	assert_int_equal(write_records(&(struct kho_iommu){
		.unit = units, .nr_units = got.nr_units, .domain = domains,
		.nr_domains = got.nr_domains, .device = devices, .nr_devices = got.nr_devices,
		.keys = keys, .max_keys = ARRAY_SIZE(keys) }), 0);
}

/* iommu.every_device_record_is_looked_at: each one broken in turn is the only one refused */
static void test_each_device(void **state)
{
	(void)state;
	lay(&chained);
	for (size_t i = 0; i < ARRAY_SIZE(l5_chained_devices); i++) {
		uint64_t *owner = mem_ptr(l5_chained_devices[i].pa + 16);
		const uint64_t was = *owner;
		const bool dead = l5_chained_devices[i].flags;

		*owner = 0;
		assert_int_equal(read_at(TOP, NULL), 0);
		assert_int_equal(v.bad_devices, !dead);
		assert_int_equal(!!device_verdicts[i].fault, !dead);
		*owner = was;
	}
}

/* iommu.one_did_on_two_units is no clash, and one domain may have two DIDs there */
static void test_units_apart(void **state)
{
	size_t same_did = 0, shared = 0;

	(void)state;
	lay(&chained);
	assert_int_equal(read_at(TOP, NULL), 0);
	for (size_t i = 0; i < got.nr_devices; i++)
		for (size_t j = 0; j < i; j++) {
			if (devices[i].deleted || devices[j].deleted ||
			    devices[i].unit == devices[j].unit)
				continue;
			same_did += devices[i].did == devices[j].did &&
				    devices[i].domain != devices[j].domain;
			shared += devices[i].domain == devices[j].domain &&
				  devices[i].did != devices[j].did;
		}
	assert_true(same_did && shared);
}

/* --- Digests --- */

static bool all_but_one(void *ctx, paddr_t record, uint64_t len)
{
	assert_true(len == 112 || len == 40 || len == 72);
	return record != *(const paddr_t *)ctx;
}

/* iommu.digest: a record that changed is refused alone, whatever the change pretends */
static void test_digests(void **state)
{
	static const struct {
		const char *name;
		paddr_t changed, at;
		unsigned bytes;
		uint64_t v;
		unsigned bad;
	} changes[] = {
		{ "iommu.digest.nothing_visible", S_DEVICE(1), S_DEVICE(1), 4, 1, DEVICE_1 },
		{ "iommu.digest.deleted", S_DEVICE(1), S_DEVICE(1) + 4, 4, 1, DEVICE_1 },
		{ "iommu.digest.address_of_another", S_DEVICE(1), S_DEVICE(1) + 8, 4, 8, DEVICE_1 },
		{ "iommu.digest.did_of_another", S_DEVICE(1), S_DEVICE(1) + 24, 8, 2, DEVICE_1 },
		{ "iommu.digest.domain_of_another", S_DEVICE(1), S_DEVICE(1) + 32, 8, S_DOMAIN(0),
		  DEVICE_1 },
		{ "iommu.digest.pasid_dir_of_another", S_DEVICE(2), S_DEVICE(2) + 56, 8, 0xcf1860000,
		  DEVICE_2 },
		{ "iommu.digest.top_of_another", S_DOMAIN(1), S_DOMAIN(1) + 8, 8, 0x34b2c000,
		  DOMAIN_1 | DEVICE_1 },
		{ "iommu.digest.domain_deleted", S_DOMAIN(1), S_DOMAIN(1) + 4, 4, 1,
		  DOMAIN_1 | DEVICE_1 },
		{ "iommu.digest.unit", S_UNIT, S_UNIT + 48, 8, 0x7, ALL },
		{ "iommu.digest.unit_deleted", S_UNIT, S_UNIT + 4, 4, 1, ALL },
	};

	(void)state;
	lay(&small);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		paddr_t changed = changes[i].changed;
		const struct kho_iommu_digests d = { all_but_one, &changed };
		uint8_t *p = mem_ptr(changes[i].at), was[8];
		const char *fault;

		print_message("# %s\n", changes[i].name);
		memcpy(was, p, sizeof(was));
		memcpy(p, &changes[i].v, changes[i].bytes);
		assert_int_equal(read_at(L5_SMALL_TOP, &d), 0);
		assert_int_equal(verdicts(&fault), changes[i].bad);
		assert_string_equal(fault, "does not match its digest");
		memcpy(p, was, sizeof(was));
	}
}

/* iommu.second_unit: two units that claim one set of registers, or one root table */
static void test_unit_clash(void **state)
{
	uint64_t *second, was[14];

	(void)state;
	lay(&chained);
	second = mem_ptr(l5_chained_units[1].pa);
	memcpy(was, second, sizeof(was));
	second[1] = second[4] = l5_chained_units[0].register_base;
	assert_int_equal(read_at(TOP, NULL), 0);
	assert_string_equal(unit_verdicts[0].fault, "has the registers of another");
	assert_string_equal(unit_verdicts[1].fault, "has the registers of another");
	assert_int_equal(v.bad_devices, 116);
	memcpy(second, was, sizeof(was));
	second[5] = l5_chained_units[0].root_table;
	assert_int_equal(read_at(TOP, NULL), 0);
	assert_string_equal(unit_verdicts[0].fault, "has the root table of another");
	assert_string_equal(unit_verdicts[1].fault, "has the root table of another");
	memcpy(second, was, sizeof(was));
	/* A bad unit takes its own devices along, and no others. */
	second[2] = 7;
	assert_int_equal(read_at(TOP, NULL), 0);
	assert_null(unit_verdicts[0].fault);
	assert_int_equal(v.bad_devices, 60);
	for (size_t i = 0; i < got.nr_devices; i++)
		if (!devices[i].deleted)
			assert_int_equal(!!device_verdicts[i].fault, devices[i].unit);
}

/* iommu.read.random_damage: no crash under sanitizers, and what is good keeps its promises */
static void check_promises(void)
{
	for (size_t i = 0; i < got.nr_devices; i++) {
		const struct kho_iommu_device *d = &devices[i];

		if (d->deleted || device_verdicts[i].fault)
			continue;
		assert_true(d->unit < got.nr_units && !units[d->unit].deleted &&
			    !unit_verdicts[d->unit].fault);
		assert_true(d->domain < got.nr_domains && !domains[d->domain].deleted &&
			    !domain_verdicts[d->domain].fault);
		assert_true(d->did >= 2 && d->owner_token);
		assert_true(kho_map_covers(&map, units[d->unit].root_table, PAGE_SIZE));
		assert_true(kho_map_covers(&map, domains[d->domain].top_table, PAGE_SIZE));
		for (size_t j = 0; j < i; j++) {
			const struct kho_iommu_device *o = &devices[j];

			if (o->deleted || device_verdicts[j].fault)
				continue;
			assert_true(d->devid != o->devid || d->pci_domain != o->pci_domain);
			if (d->unit == o->unit)
				assert_int_equal(d->did == o->did, d->domain == o->domain);
		}
	}
}

static void test_random(void **state)
{
	static const struct { paddr_t at; uint64_t len; } parts[] = {
		{ L5_SMALL_TOP, 32 }, { S_UNIT - 16, 128 }, { S_DOMAIN(0) - 16, 96 },
		{ S_DEVICE(0) - 16, 232 }, { S_DEVICE(0), 216 }, { S_DEVICE(0), 216 },
	};
	unsigned good = 0, partly = 0, refusals = 0;
	uint64_t seed = 9;

	(void)state;
	lay(&small);
	for (int round = 0; round < 20000; round++) {
		struct { uint8_t *p, was; } undo[3];
		const unsigned n = 1 + round % 3;

		for (unsigned i = 0; i < n; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			const size_t part = (seed >> 32) % ARRAY_SIZE(parts);

			undo[i].p = (uint8_t *)mem_ptr(parts[part].at) +
				    (seed >> 40) % parts[part].len;
			undo[i].was = *undo[i].p;
			*undo[i].p = seed >> 33 & 1 ? *undo[i].p ^ 1u << (seed >> 50) % 8 : seed >> 56;
		}
		if (read_at(L5_SMALL_TOP, NULL)) {
			refusals++;
			assert_true(why.fault[0]);
		} else {
			good += !v.bad_devices;
			partly += !!v.bad_devices;
			check_promises();
		}
		for (unsigned i = n; i-- > 0;)
			*undo[i].p = undo[i].was;
	}
	print_message("# %u good, %u partly, %u refused\n", good, partly, refusals);
	assert_true(good && partly && refusals);
}

/* --- Writing --- */

/* @n devices on two units, every second one in a domain of its own. */
static struct kho_iommu many(size_t nr_units, size_t nr_domains, size_t nr_devices)
{
	memset(units, 0, sizeof(units));
	memset(domains, 0, sizeof(domains));
	memset(devices, 0, sizeof(devices));
	for (size_t i = 0; i < nr_units; i++)
		units[i] = (struct kho_iommu_unit){
			.register_base = 0xfed90000 + i * PAGE_SIZE,
			.root_table = GIB(1) + i * PAGE_SIZE, .context_tables = { 1, i },
		};
	for (size_t i = 0; i < nr_domains; i++)
		domains[i] = (struct kho_iommu_domain){
			.top_table = GIB(2) + i * PAGE_SIZE, .top_level = 2 + i % 3, .vasz = 39,
		};
	for (size_t i = 0; i < nr_devices; i++)
		devices[i] = (struct kho_iommu_device){
			.pci_domain = i >> 16, .devid = i, .owner_token = kho_iommu_owner_token(i),
			.did = 2 + i % nr_domains, .domain = i % nr_domains, .unit = i % nr_units,
		};
	return (struct kho_iommu){
		.unit = units, .nr_units = nr_units, .domain = domains, .nr_domains = nr_domains,
		.device = devices, .nr_devices = nr_devices, .keys = keys,
		.max_keys = ARRAY_SIZE(keys),
	};
}

static void preserve_many(const struct kho_iommu *in)
{
	map = (struct kho_map){ 0 };
	for (size_t i = 0; i < pages.nr; i++)
		preserve(page_list[i], 1);
	for (size_t i = 0; i < in->nr_units; i++)
		preserve(in->unit[i].root_table, 1);
	for (size_t i = 0; i < in->nr_domains; i++)
		preserve(in->domain[i].top_table, 1);
	preserve_done();
}

static const struct { size_t units, domains, devices; } sizes[] = {
	{ 1, 1, 1 }, { 1, 1, 56 }, { 1, 2, 57 }, { 35, 101, 111 }, { 36, 102, 112 }, { 37, 103, 113 },
	{ 60, 204, 168 }, { 64, 205, 4096 }, { 2, 4096, 4096 },
};

/* iommu.every_count_reads_back: around the sizes of blocks, up to thousands */
static void test_counts(void **state)
{
	static struct kho_iommu_unit want_units[64];
	static struct kho_iommu_domain want_domains[MAX_RECORDS];
	static struct kho_iommu_device want_devices[MAX_RECORDS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const struct kho_iommu in = many(sizes[i].units, sizes[i].domains,
						 sizes[i].devices);

		print_message("# %zu units, %zu domains, %zu devices\n", sizes[i].units,
			      sizes[i].domains, sizes[i].devices);
		wide_arena(MIB(2), MIB(16));
		/* Handed out from the last one freed: every other time, blocks descend. */
		for (size_t j = 0; i % 2 && j < 256; j++)
			mem_free_pages(MIB(32) + j * PAGE_SIZE, 0);
		assert_int_equal(write_records(&in), 0);
		preserve_many(&in);
		memcpy(want_units, units, sizeof(units));
		memcpy(want_domains, domains, sizeof(domains));
		memcpy(want_devices, devices, sizeof(devices));
		assert_int_equal(read_at(page_list[placed.top], NULL), 0);
		assert_int_equal(v.bad_devices, 0);
		assert_int_equal(got.nr_units, in.nr_units);
		assert_int_equal(got.nr_domains, in.nr_domains);
		assert_int_equal(got.nr_devices, in.nr_devices);
		for (size_t j = 0; j < in.nr_units; j++)
			assert_null(unit_verdicts[j].fault);
		assert_memory_equal(units, want_units, in.nr_units * sizeof(units[0]));
		assert_memory_equal(domains, want_domains, in.nr_domains * sizeof(domains[0]));
		assert_memory_equal(devices, want_devices, in.nr_devices * sizeof(devices[0]));
	}
}

/* --- Records of several units --- */

static struct kho_iommu written;

/* Three units, of which the last has no devices and is dead; six devices, six domains. */
static void write_three_units(void)
{
	written = many(2, 6, 6);
	written.nr_units = 3;
	units[2].deleted = true;
	wide_arena(MIB(2), MIB(16));
	assert_int_equal(write_records(&written), 0);
	preserve_many(&written);
}

static paddr_t device_field(size_t i, unsigned off)
{
	return kho_iommu_device_pa(&pages, &placed, i) + off;
}

static void set(paddr_t at, uint64_t word)
{
	memcpy(mem_ptr(at), &word, sizeof(word));
}

/* The only bad device, with its fault; no unit is bad. */
static void assert_only_bad(size_t device, const char *fault)
{
	for (size_t i = 0; i < got.nr_units; i++)
		assert_null(unit_verdicts[i].fault);
	assert_int_equal(v.bad_devices, 1);
	assert_string_equal(device_verdicts[device].fault, fault);
}

/* iommu.astray: a device that names a dead unit, or none, is the one that its unit misses */
static void test_astray(void **state)
{
	(void)state;
	write_three_units();
	set(device_field(3, 40), kho_iommu_unit_pa(&pages, &placed, 2));
	assert_int_equal(read_at(page_list[0], NULL), 0);
	assert_only_bad(3, "names a deleted unit record");
	set(device_field(3, 40), 0);
	assert_int_equal(read_at(page_list[0], NULL), 0);
	assert_only_bad(3, "names no unit record");
}

/* iommu.moved_to_another_unit: without digests both units are wrong; with them, the device */
static void test_moved(void **state)
{
	paddr_t changed;
	const struct kho_iommu_digests d = { all_but_one, &changed };

	(void)state;
	write_three_units();
	changed = device_field(3, 0);
	set(device_field(3, 40), kho_iommu_unit_pa(&pages, &placed, 0));
	assert_int_equal(read_at(page_list[0], NULL), 0);
	assert_int_equal(v.bad_devices, 6);
	assert_string_equal(unit_verdicts[0].fault, "counts other devices than there are");
	assert_string_equal(unit_verdicts[1].fault, "counts other devices than there are");
	assert_int_equal(read_at(page_list[0], &d), 0);
	assert_only_bad(3, "does not match its digest");
}

/* iommu.twin_of_a_bad_record: two records for one device are both bad, though one is alone */
static void test_twin(void **state)
{
	(void)state;
	write_three_units();
	set(device_field(3, 16), 0);
	assert_int_equal(read_at(page_list[0], NULL), 0);
	assert_only_bad(3, "has no owner");
	set(device_field(3, 8), devices[1].devid);
	assert_int_equal(read_at(page_list[0], NULL), 0);
	assert_int_equal(v.bad_devices, 2);
	assert_string_equal(device_verdicts[1].fault, "has the address of another");
	assert_string_equal(device_verdicts[3].fault, "has no owner");
}

/* iommu.rest_of_a_page: behind the last record of a full block there is none */
static void test_rest(void **state)
{
	const struct kho_iommu in = many(37, 40, 40);

	(void)state;
	wide_arena(MIB(2), MIB(16));
	assert_int_equal(write_records(&in), 0);
	preserve_many(&in);
	set(device_field(36, 40), kho_iommu_unit_pa(&pages, &placed, 35) + 112);
	assert_int_equal(read_at(page_list[0], NULL), 0);
	assert_only_bad(36, "names no unit record");
}

/* iommu.write.dead_records_are_not_judged */
static void test_dead_written(void **state)
{
	struct kho_iommu in = many(2, 4, 4);

	(void)state;
	wide_arena(MIB(2), MIB(16));
	in.nr_devices = 1;
	memset(&in.unit[1], 0, sizeof(in.unit[1]));
	in.unit[1].deleted = true;
	in.domain[1] = (struct kho_iommu_domain){ .top_level = 255, .deleted = true };
	in.domain[2] = in.domain[0];
	in.domain[2].deleted = true;
	assert_int_equal(write_records(&in), 0);
	preserve_many(&in);
	assert_int_equal(read_at(page_list[0], NULL), 0);
	assert_int_equal(v.bad_devices, 0);
	assert_true(domains[1].deleted && domains[2].deleted && !domains[3].deleted);
	assert_int_equal(domains[1].top_level, 255);
}

/* iommu.nothing: three blocks all the same, without records */
static void test_nothing(void **state)
{
	const struct kho_iommu in = { .max_keys = 0 };

	(void)state;
	wide_arena(MIB(2), MIB(16));
	assert_int_equal(write_records(&in), 0);
	assert_int_equal(pages.nr, 4);
	preserve_many(&in);
	assert_int_equal(read_at(page_list[placed.top], NULL), 0);
	assert_int_equal(got.nr_units + got.nr_domains + got.nr_devices, 0);
}

static void bad_base(struct kho_iommu *in) { in->unit[1].register_base = 8; }
static void bad_root(struct kho_iommu *in) { in->unit[1].root_table = 0; }
static void same_base(struct kho_iommu *in) { in->unit[1].register_base = in->unit[0].register_base; }
static void same_root(struct kho_iommu *in) { in->unit[1].root_table = in->unit[0].root_table; }
static void bad_top(struct kho_iommu *in) { in->domain[1].top_table |= 1; }
static void bad_level(struct kho_iommu *in) { in->domain[1].top_level = 5; }
static void bad_vasz(struct kho_iommu *in) { in->domain[0].vasz = 48; }
static void bad_first_stage(struct kho_iommu *in) { in->domain[0].first_stage = true; }
static void same_top(struct kho_iommu *in) { in->domain[1].top_table = in->domain[0].top_table; }
static void no_owner(struct kho_iommu *in) { in->device[1].owner_token = 0; }
static void did_1(struct kho_iommu *in) { in->device[1].did = 1; }
static void no_unit(struct kho_iommu *in) { in->device[1].unit = 2; }
static void dead_unit(struct kho_iommu *in) { in->unit[1].deleted = true; }
static void no_domain(struct kho_iommu *in) { in->device[1].domain = KHO_IOMMU_NONE; }
static void dead_domain(struct kho_iommu *in) { in->domain[1].deleted = true; }
static void same_address(struct kho_iommu *in) { in->device[1].devid = in->device[0].devid; }
static void other_did(struct kho_iommu *in) { in->device[4].did = 9; }
static void same_did(struct kho_iommu *in) { in->device[2].did = in->device[0].did; }
static void ats(struct kho_iommu *in) { in->device[1].vtd.ats_enabled = true; }
static void pasids(struct kho_iommu *in) { in->device[1].vtd.max_pasid = BIT64(15); }
static void few_keys(struct kho_iommu *in) { in->max_keys = 5; }
static void same_dir(struct kho_iommu *in)
{
	for (size_t i = 0; i < 2; i++)
		in->device[i].vtd = (struct kho_iommu_device_vtd){
			.pasid_dir = GIB(3), .max_pasid = BIT64(15)
		};
}

static const struct {
	const char *name;
	void (*spoil)(struct kho_iommu *in);
	int err;
	const char *what, *fault;
} refused[] = {
	{ "iommu.write.base", bad_base, -EINVAL, "unit record", "has a register base that is no page" },
	{ "iommu.write.root", bad_root, -EINVAL, "unit record", "has a root table that is no page" },
	{ "iommu.write.same_base", same_base, -EINVAL, "unit record", "has the registers of another" },
	{ "iommu.write.same_root", same_root, -EINVAL, "unit record", "has the root table of another" },
	{ "iommu.write.top", bad_top, -EINVAL, "domain record", "has a top table that is no page" },
	{ "iommu.write.level", bad_level, -EINVAL, "domain record",
	  "has a top level that no table has" },
	{ "iommu.write.vasz", bad_vasz, -EINVAL, "domain record",
	  "has an input space that its levels do not reach" },
	{ "iommu.write.first_stage_3_levels", bad_first_stage, -EINVAL, "domain record",
	  "has a top level that no table has" },
	{ "iommu.write.same_top", same_top, -EINVAL, "domain record", "has the top table of another" },
	{ "iommu.write.no_owner", no_owner, -EINVAL, "device record", "has no owner" },
	{ "iommu.write.did_1", did_1, -EINVAL, "device record", "has a DID that is reserved" },
	{ "iommu.write.no_unit", no_unit, -EINVAL, "device record", "names no live unit" },
	{ "iommu.write.dead_unit", dead_unit, -EINVAL, "device record", "names no live unit" },
	{ "iommu.write.no_domain", no_domain, -EINVAL, "device record", "names no live domain" },
	{ "iommu.write.dead_domain", dead_domain, -EINVAL, "device record", "names no live domain" },
	{ "iommu.write.same_address", same_address, -EINVAL, "device record",
	  "has the address of another" },
	{ "iommu.write.other_did", other_did, -EINVAL, "device record",
	  "has another DID than its domain on its unit" },
	{ "iommu.write.same_did", same_did, -EINVAL, "device record",
	  "has the DID of another domain on its unit" },
	{ "iommu.write.same_dir", same_dir, -EINVAL, "device record",
	  "has the PASID directory of another" },
	{ "iommu.write.ats", ats, -EINVAL, "device record", "has ATS enabled but does not support it" },
	{ "iommu.write.pasids", pasids, -EINVAL, "device record", "has PASIDs but no directory" },
	{ "iommu.write.few_keys", few_keys, -ENOSPC, "IOMMU records",
	  "are too many for the work memory" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct kho_iommu in = many(2, 4, 6);

		print_message("# %s\n", refused[i].name);
		wide_arena(MIB(2), MIB(16));
		refused[i].spoil(&in);
		assert_int_equal(write_records(&in), refused[i].err);
		assert_string_equal(why.what, refused[i].what);
		assert_string_equal(why.fault, refused[i].fault);
		assert_int_equal(pages.nr, 0);
		assert_int_equal(arena_pages_in_use, radix.nodes);
	}
}

/* iommu.write.no_half_state: fails for lack of a page at every point, and leaves nothing behind */
static void test_no_half_state(void **state)
{
	const struct kho_iommu in = many(37, 103, 113);
	unsigned failed = 0;

	(void)state;
	for (uint64_t n = 1; n < 64; n++) {
		wide_arena(MIB(2), MIB(2) + n * PAGE_SIZE);
		if (!write_records(&in))
			break;
		failed++;
		assert_int_equal(pages.nr, 0);
		assert_int_equal(radix.entries, 0);
		assert_int_equal(arena_pages_in_use, radix.nodes);
	}
	assert_int_equal(failed, 1 + 8 + 5 - 1);	/* root, blocks and top, nodes */
}

/* --- FLB entry and files --- */

/* iommu.flb_count: files that depend on the records, 1 where none can be written */
static void test_flb(void **state)
{
	struct kho_flb f;

	(void)state;
	assert_int_equal(kho_iommu_flb(KHO_PROFILE_LINUX_7_3, 0x5000, 0, &f), 0);
	assert_string_equal(f.name, "iommu-liveupdate");
	assert_int_equal(f.data, 0x5000);
	assert_int_equal(f.count, 1);
	assert_int_equal(kho_iommu_flb(KHO_PROFILE_IOMMU_SERIES, 0x5000, 3, &f), 0);
	assert_int_equal(f.count, 3);
	assert_int_equal(kho_iommu_flb(KHO_PROFILE_LINUX_7_3, 0x5000, 1, &f), -EINVAL);
	assert_int_equal(kho_iommu_flb(KHO_PROFILE_IOMMU_SERIES, 0x5000, 0, &f), -EINVAL);
}

/* iommu.owner_token: the letters, then the stream */
static void test_owner(void **state)
{
	(void)state;
	assert_true(kho_iommu_owner_token(0) == 0x4241544f4e000000);
	assert_true(kho_iommu_owner_token(0x1234) == 0x4241544f4e001234);
}

/* iommu.files: the bytes of the two handlers of the series */
static void test_files(void **state)
{
	const struct kho_iommufd_hwpt h[] = { { 0x1010, 7 }, { 0x1038, UINT64_MAX } };
	static struct kho_iommufd_hwpt most[KHO_IOMMUFD_MAX_HWPTS + 1];
	const uint64_t *w;
	const uint8_t *b;
	struct kho_file f;

	(void)state;
	wide_arena(MIB(2), MIB(16));
	pages = (struct kho_pages){ .pa = page_list, .max = 3 };
	assert_int_equal(kho_radix_init(&radix, &no_scratch), 0);
	assert_int_equal(kho_iommufd_write(h, 2, 5, &radix, &pages, &f), 0);
	assert_string_equal(f.compatible, "iommufd-v1");
	assert_int_equal(f.token, 5);
	assert_int_equal(f.data, page_list[0]);
	w = mem_ptr(f.data);
	assert_int_equal(w[0], 2);
	assert_int_equal(w[1], 0x1010);
	assert_int_equal(w[2], 7);
	assert_int_equal(w[3], 0);
	assert_int_equal(w[4], 0x1038);
	assert_true(w[5] == UINT64_MAX);
	assert_int_equal(w[6] | w[7], 0);
	assert_int_equal(kho_vfio_pci_write(0x10001, 0xff80, true, 6, &radix, &pages, &f), 0);
	assert_string_equal(f.compatible, "vfio-pci-v2");
	b = mem_ptr(f.data);
	assert_memory_equal(b, "\x01\x00\x01\x00\x80\xff\x01\x00", 8);
	assert_int_equal(radix.entries, 2);
	assert_int_equal(kho_iommufd_write(most, 171, 5, &radix, &pages, &f), -ENOSPC);
	assert_int_equal(kho_iommufd_write(most, 170, 5, &radix, &pages, &f), 0);
	assert_int_equal(kho_iommufd_write(h, 2, 5, &radix, &pages, &f), -ENOSPC);
	assert_int_equal(kho_vfio_pci_write(0, 0, true, 6, &radix, &pages, &f), -ENOSPC);
	assert_int_equal(pages.nr, 3);
	/* A page that may not be preserved is given back. */
	pages.nr = 0;
	radix.scratch = &(const struct kho_scratch){ { { MIB(2), MIB(14) } }, 1 };
	assert_int_equal(kho_vfio_pci_write(0, 0, true, 6, &radix, &pages, &f), -EINVAL);
	assert_int_equal(pages.nr, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_small),
		cmocka_unit_test(test_reads_chained),
		cmocka_unit_test(test_reads_l3),
		cmocka_unit_test(test_l4),
		cmocka_unit_test(test_writes_small),
		cmocka_unit_test(test_writes_chained),
		cmocka_unit_test(test_flb_names),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_work_memory),
		cmocka_unit_test(test_empty_tail),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_each_device),
		cmocka_unit_test(test_units_apart),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_unit_clash),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_astray),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_twin),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_dead_written),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_half_state),
		cmocka_unit_test(test_flb),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

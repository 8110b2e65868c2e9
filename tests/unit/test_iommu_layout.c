/* The layouts of IOMMU records told apart: handoffs of each, put together byte by byte from the
 * offsets that its headers have, never by our own writer.  Each is named, or read as what it is; one that
 * passes for another is not believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "kho/iommu_records.h"
#include "platform/mem.h"

#define TOP		MIB(16)
#define UNITS		MIB(17)
#define DOMAINS		MIB(18)
#define DEVICES		MIB(19)
#define UNIT_ROOT(i)	(MIB(32) + (i) * PAGE_SIZE)
#define DOMAIN_TOP(i)	(MIB(64) + (i) * PAGE_SIZE)
#define PASID_DIR(i)	(MIB(128) + (i) * 0x11000ULL)
#define REGISTERS(i)	(0xfed90000ULL + (i) * PAGE_SIZE)
#define MAX_RECORDS	400

/* --- Bytes --- */

/* Little-endian, at any address. */
static void put(paddr_t pa, unsigned bytes, uint64_t v)
{
	for (unsigned i = 0; i < bytes; i++)
		*(uint8_t *)mem_ptr(pa + i) = v >> 8 * i;
}

static uint64_t get(paddr_t pa, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = bytes; i-- > 0;)
		v = v << 8 | *(const uint8_t *)mem_ptr(pa + i);
	return v;
}

/* What a record says, whatever its layout. */
struct said {
	size_t i;
	paddr_t domain, unit;	/* records */
	uint64_t did;
	bool dead, scalable;
};

/* L0, L1: an index, a reference count, one byte of bits. */
static void header_9(paddr_t p, const struct said *s)
{
	put(p, 4, s->i);
	put(p + 4, 4, !s->dead);
	put(p + 8, 1, s->dead);
}

/* L2: a reference count, one byte of bits. */
static void header_5(paddr_t p, const struct said *s, uint32_t count)
{
	put(p, 4, count);
	put(p + 4, 1, s->dead);
}

/* L3 on: a reference count, 32 bits of flags. */
static void header_8(paddr_t p, const struct said *s, uint32_t count)
{
	put(p, 4, count);
	put(p + 4, 4, s->dead);
}

static void unit_48(paddr_t p, const struct said *s)
{
	header_9(p, s);
	put(p + 16, 8, REGISTERS(s->i));
	put(p + 24, 4, 1);
	put(p + 28, 8, REGISTERS(s->i));
	put(p + 36, 8, UNIT_ROOT(s->i));
}

static void unit_37(paddr_t p, const struct said *s)
{
	header_9(p, s);
	put(p + 9, 8, REGISTERS(s->i));
	put(p + 17, 4, 1);
	put(p + 21, 8, REGISTERS(s->i));
	put(p + 29, 8, UNIT_ROOT(s->i));
}

/* The end of L2's is not known; the bitmap is left out, or not. */
static void unit_l2(paddr_t p, const struct said *s)
{
	header_5(p, s, 1);
	put(p + 5, 8, REGISTERS(s->i));
	put(p + 13, 8, 1);
	put(p + 21, 8, REGISTERS(s->i));
	put(p + 29, 8, UNIT_ROOT(s->i));
}

static void unit_112(paddr_t p, const struct said *s)
{
	header_8(p, s, 0);	/* the count is set last */
	put(p + 8, 8, REGISTERS(s->i));
	put(p + 16, 8, 1);
	put(p + 32, 8, REGISTERS(s->i));
	put(p + 40, 8, UNIT_ROOT(s->i));
}

/* L0 adds an attach_count somewhere behind its level. */
static void domain_9(paddr_t p, const struct said *s)
{
	header_9(p, s);
	put(p + 9, 8, DOMAIN_TOP(s->i));
	put(p + 17, 8, 2);
}

static void domain_34(paddr_t p, const struct said *s)
{
	header_5(p, s, 1);
	put(p + 5, 8, DOMAIN_TOP(s->i));
	put(p + 13, 8, 2);
	put(p + 21, 4, 39);
}

/* L3, L4 and, up to byte 29, L5. */
static void domain_8(paddr_t p, const struct said *s)
{
	header_8(p, s, !s->dead);
	put(p + 8, 8, DOMAIN_TOP(s->i));
	put(p + 16, 8, 2);
	put(p + 24, 4, 39);
}

static void device_l0(paddr_t p, const struct said *s)
{
	header_9(p, s);
	put(p + 9, 8, 0x1234);
	put(p + 17, 4, s->i);
	put(p + 25, 4, s->did);
	put(p + 33, 8, s->domain);
	put(p + 41, 8, s->unit);
	put(p + 49, 4, 1);
}

static void device_l1(paddr_t p, const struct said *s)
{
	header_9(p, s);
	put(p + 9, 8, 0x1234);
	put(p + 17, 4, s->i);
	put(p + 25, 4, s->did);
	put(p + 29, 8, s->domain);
	put(p + 37, 8, s->unit);
	put(p + 45, 4, 1);
}

static void device_l2(paddr_t p, const struct said *s)
{
	header_5(p, s, 1);
	put(p + 5, 4, s->i);
	put(p + 13, 8, s->did);
	put(p + 21, 8, s->domain);
	put(p + 29, 8, s->unit);
}

static void device_l3(paddr_t p, const struct said *s)
{
	header_8(p, s, !s->dead);
	put(p + 8, 4, s->i);
	put(p + 16, 8, s->did);
	put(p + 24, 8, s->domain);
	put(p + 32, 8, s->unit);
	put(p + 40, 8, s->scalable ? PASID_DIR(s->i) : 0);
	put(p + 48, 8, s->scalable ? 1 << 15 : 0);
}

/* What L4 with an owner's token and L5 have in common. */
static void device_token(paddr_t p, const struct said *s)
{
	header_8(p, s, !s->dead);
	put(p + 8, 4, s->i);
	put(p + 16, 8, 0x1234 + s->i);
	put(p + 24, 8, s->did);
	put(p + 32, 8, s->domain);
	put(p + 40, 8, s->unit);
}

static void device_65(paddr_t p, const struct said *s)
{
	device_token(p, s);
	put(p + 49, 8, s->scalable ? PASID_DIR(s->i) : 0);
	put(p + 57, 8, s->scalable ? 1 << 15 : 0);
}

static void device_72(paddr_t p, const struct said *s)
{
	device_token(p, s);
	put(p + 56, 8, s->scalable ? PASID_DIR(s->i) : 0);
	put(p + 64, 8, s->scalable ? 1 << 15 : 0);
}

static const struct layout {
	const char *name, *fault;
	enum kho_iommu_family family;
	unsigned top_at, top_step;		/* of the three addresses */
	unsigned unit_bytes, domain_bytes, device_bytes;
	void (*unit)(paddr_t p, const struct said *s);
	void (*domain)(paddr_t p, const struct said *s);
	void (*device)(paddr_t p, const struct said *s);
} layouts[] = {
	{ "l0", "are in layout L0", KHO_IOMMU_L0_L1, 0, 16, 48, 41, 53, unit_48, domain_9, device_l0 },
	{ "l1", "are in layout L1", KHO_IOMMU_L0_L1, 0, 16, 37, 33, 49, unit_37, domain_9, device_l1 },
	{ "l1_pasid", "are in layout L1", KHO_IOMMU_L0_L1, 0, 16, 37, 33, 65, unit_37, domain_9,
	  device_l1 },
	{ "l2", "are in layout L2", KHO_IOMMU_L2_L3, 0, 8, 37, 34, 37, unit_l2, domain_34, device_l2 },
	{ "l2_pasid", "are in layout L2", KHO_IOMMU_L2_L3, 0, 8, 101, 34, 53, unit_l2, domain_34,
	  device_l2 },
	{ "l3", "are in layout L3", KHO_IOMMU_L2_L3, 0, 8, 112, 37, 56, unit_112, domain_8, device_l3 },
	{ "l4", "are in layout L4", KHO_IOMMU_L4_L5, 8, 8, 112, 37, 56, unit_112, domain_8, device_l3 },
	{ "l4_token", "are in layout L4", KHO_IOMMU_L4_L5, 8, 8, 112, 37, 65, unit_112, domain_8,
	  device_65 },
	{ "l4_padded", "are in layout L4", KHO_IOMMU_L4_L5, 8, 8, 112, 37, 72, unit_112, domain_8,
	  device_72 },
	{ "l5", NULL, KHO_IOMMU_L4_L5, 8, 8, 112, 40, 72, unit_112, domain_8, device_72 },
};
enum { L0, L1, L1_PASID, L2, L2_PASID, L3, L4, L4_TOKEN, L4_PADDED, L5 };

/* --- Handoffs --- */

static struct kho_extent extents[3 * MAX_RECORDS];
static struct kho_range ranges[3 * MAX_RECORDS];
static struct kho_map map;

static void preserve(paddr_t pa)
{
	extents[map.nr_extents++] = (struct kho_extent){ pa, 1, 0 };
}

/* Where record @i of a chain that begins at @first is: its blocks lie one after the other. */
static paddr_t record(paddr_t first, unsigned bytes, size_t i)
{
	const size_t capacity = 4080 / bytes;

	return first + i / capacity * PAGE_SIZE + 16 + i % capacity * bytes;
}

static void lay_blocks(paddr_t first, unsigned bytes, size_t n)
{
	const size_t capacity = 4080 / bytes;
	size_t b = 0;

	do {
		preserve(first + b * PAGE_SIZE);
		put(first + b * PAGE_SIZE, 8, n > capacity ? first + (b + 1) * PAGE_SIZE : 0);
		put(first + b * PAGE_SIZE + 8, 8, n > capacity ? capacity : n);
		n -= n > capacity ? capacity : n;
		b++;
	} while (n);
}

#define OF(u, d, n)	.units = (u), .domains = (d), .devices = (n)
struct amount {
	size_t units, domains, devices;
	bool scalable;
	bool dead;		/* all devices */
};

static size_t domain_of(const struct amount *a, size_t i)
{
	return (i + a->domains - 1) % a->domains;
}

/* One to a domain, on every unit. */
static uint64_t did_of(const struct amount *a, size_t i)
{
	return 2 + domain_of(a, i);
}

static void lay_devices(const struct layout *l, const struct amount *a)
{
	for (size_t i = 0; i < a->devices; i++) {
		const paddr_t unit = record(UNITS, l->unit_bytes, i % a->units);
		const struct said s = {
			.i = i, .domain = record(DOMAINS, l->domain_bytes, domain_of(a, i)), .unit = unit,
			.did = did_of(a, i), .scalable = a->scalable, .dead = a->dead || i % 5 == 3,
		};

		l->device(record(DEVICES, l->device_bytes, i), &s);
		if (l->unit == unit_112)
			put(unit, 4, get(unit, 4) + !s.dead);
		preserve(PASID_DIR(i));
	}
}

/* Every fifth device is dead; device i is in domain i - 1, the first one in the last. */
static void lay(const struct layout *l, const struct amount *a)
{
	arena_reset(0, 0);
	map = (struct kho_map){ .extents = extents, .ranges = ranges };
	preserve(TOP);
	if (l->top_at)
		put(TOP, 8, 1);
	put(TOP + l->top_at, 8, UNITS);
	put(TOP + l->top_at + l->top_step, 8, DOMAINS);
	put(TOP + l->top_at + 2 * l->top_step, 8, DEVICES);
	lay_blocks(UNITS, l->unit_bytes, a->units);
	lay_blocks(DOMAINS, l->domain_bytes, a->domains);
	lay_blocks(DEVICES, l->device_bytes, a->devices);
	for (size_t i = 0; i < a->units; i++)
		preserve(UNIT_ROOT(i));
	for (size_t i = 0; i < a->domains; i++)
		preserve(DOMAIN_TOP(i));
	for (size_t i = 0; i < a->units; i++)
		l->unit(record(UNITS, l->unit_bytes, i), &(struct said){ .i = i });
	for (size_t i = 0; i < a->domains; i++)
		l->domain(record(DOMAINS, l->domain_bytes, i), &(struct said){ .i = i });
	lay_devices(l, a);
	map.nr_ranges = kho_map_merge(extents, map.nr_extents, ranges);
}

/* --- Reading --- */

static struct kho_iommu_unit units[MAX_RECORDS];
static struct kho_iommu_domain domains[MAX_RECORDS];
static struct kho_iommu_device devices[MAX_RECORDS];
static struct kho_iommu_verdict verdicts[3][MAX_RECORDS];
static struct kho_key keys[MAX_RECORDS];
static struct kho_range work[MAX_RECORDS];
static struct kho_iommu got;
static struct kho_iommu_verdicts v = { verdicts[0], verdicts[1], verdicts[2], 0 };
static struct kho_refusal why;

static bool is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	return pa + len <= MIB(256);
}

static int read_as(enum kho_iommu_family family, const struct kho_iommu_form *l3)
{
	static const struct kho_scratch no_scratch;
	const struct kho_limits lim = { .ram = { .is_ram = is_ram } };
	const struct kho_iommu_place at = { family, TOP, l3 };
	struct kho_reader r = {
		.lim = &lim, .scratch = &no_scratch, .map = &map,
		.claims = { .range = work, .max = ARRAY_SIZE(work) },
	};

	got = (struct kho_iommu){
		.unit = units, .max_units = MAX_RECORDS, .domain = domains, .max_domains = MAX_RECORDS,
		.device = devices, .max_devices = MAX_RECORDS, .keys = keys, .max_keys = MAX_RECORDS,
	};
	why = (struct kho_refusal){ .what = "", .fault = "" };
	return kho_iommu_records_read(&r, &at, NULL, &got, &v, &why);
}

static void expect_refusal(int err, int want, const char *fault)
{
	assert_int_equal(err, want);
	assert_string_equal(why.fault, fault);
}

static void check_device(const struct amount *a, size_t i)
{
	const struct kho_iommu_device *d = &devices[i];

	assert_int_equal(d->deleted, a->dead || i % 5 == 3);
	assert_null(v.device[i].fault);
	assert_int_equal(d->devid, i);
	assert_int_equal(d->did, did_of(a, i));
	assert_int_equal(d->domain, domain_of(a, i));
	assert_int_equal(d->unit, i % a->units);
	assert_int_equal(d->vtd.pasid_dir, a->scalable ? PASID_DIR(i) : 0);
	assert_int_equal(d->vtd.max_pasid, a->scalable ? 1 << 15 : 0);
}

/* Everything that was said was read. */
static void check_all(const struct amount *a)
{
	assert_int_equal(got.nr_units, a->units);
	assert_int_equal(got.nr_domains, a->domains);
	assert_int_equal(got.nr_devices, a->devices);
	assert_int_equal(v.bad_devices, 0);
	for (size_t i = 0; i < a->units; i++) {
		assert_null(v.unit[i].fault);
		assert_int_equal(units[i].root_table, UNIT_ROOT(i));
	}
	for (size_t i = 0; i < a->domains; i++) {
		assert_null(v.domain[i].fault);
		assert_int_equal(domains[i].top_table, DOMAIN_TOP(i));
		assert_int_equal(domains[i].top_level, 2);
		assert_int_equal(domains[i].vasz, 39);
		assert_false(domains[i].first_stage);
	}
	for (size_t i = 0; i < a->devices; i++)
		check_device(a, i);
}

/* --- Tests --- */

static const struct amount amounts[] = {
	{ OF(1, 2, 2) }, { OF(2, 3, 4) }, { OF(2, 3, 4), .scalable = true }, { OF(3, 60, 30) },
	{ OF(2, 250, 300) }, { OF(36, 103, 73), .scalable = true },
};

/* layout.named: each layout by its name; L3 and L5 are read, L3 if asked for */
static void test_named(void **state)
{
	(void)state;
	for (size_t l = 0; l < ARRAY_SIZE(layouts); l++)
		for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
			print_message("# layout.%s.%zu\n", layouts[l].name, i);
			lay(&layouts[l], &amounts[i]);
			if (l != L5) {
				expect_refusal(read_as(layouts[l].family, NULL), -EOPNOTSUPP,
					       layouts[l].fault);
				assert_string_equal(why.what, "IOMMU records");
			}
			if (l != L5 && l != L3) {
				expect_refusal(read_as(layouts[l].family, &kho_iommu_l3), -EOPNOTSUPP,
					       layouts[l].fault);
				continue;
			}
			assert_int_equal(read_as(layouts[l].family, &kho_iommu_l3), 0);
			check_all(&amounts[i]);
		}
}

/* layout.one_of_each: a single device is enough, but for L4 with an owner's token: there the only
 * domain is where L5 has it, and a device is read right or not at all */
static void test_one_of_each(void **state)
{
	const struct amount legacy = { OF(1, 1, 1) }, scalable = { OF(1, 1, 1), .scalable = true };

	(void)state;
	for (size_t l = 0; l < L4_TOKEN; l++) {
		print_message("# layout.one.%s\n", layouts[l].name);
		lay(&layouts[l], &legacy);
		expect_refusal(read_as(layouts[l].family, NULL), -EOPNOTSUPP, layouts[l].fault);
	}
	for (size_t l = L4_TOKEN; l <= L5; l++) {
		print_message("# layout.one.%s\n", layouts[l].name);
		lay(&layouts[l], &legacy);
		assert_int_equal(read_as(KHO_IOMMU_L4_L5, NULL), 0);
		check_all(&legacy);
		lay(&layouts[l], &scalable);
		assert_int_equal(read_as(KHO_IOMMU_L4_L5, NULL), 0);
		if (l == L4_TOKEN)
			assert_int_equal(v.bad_devices, 1);
		else
			check_all(&scalable);
	}
}

/* layout.l4_is_never_l5: whatever its amounts, a device that is accepted is the one that was meant */
static void test_l4_never_misread(void **state)
{
	size_t named = 0;

	(void)state;
	for (size_t l = L4; l < L5; l++)
		for (size_t n = 0; n < 2 * 12 * 12; n++) {
			const struct amount a = { OF(1, 1 + n / 2 % 12, n / 24), .scalable = n % 2 };
			int err;

			lay(&layouts[l], &a);
			err = read_as(KHO_IOMMU_L4_L5, NULL);
			named += err && !strcmp(why.fault, "are in layout L4");
			for (size_t i = 0; !err && i < got.nr_devices; i++)
				if (!devices[i].deleted && !v.device[i].fault) {
					check_device(&a, i);
					assert_int_equal(domains[devices[i].domain].top_table,
							 DOMAIN_TOP(domain_of(&a, i)));
				}
		}
	assert_true(named > 700);
}

/* layout.last_record_decides: all devices but the last, in the third page, fit as L5 */
static void test_last_record(void **state)
{
	const struct amount a = { OF(1, 2, 150) };

	(void)state;
	lay(&layouts[L4_PADDED], &a);
	for (size_t i = 0; i + 1 < a.devices; i++)
		put(record(DEVICES, 72, i) + 32, 8, DOMAINS + 16);
	put(record(DEVICES, 72, a.devices - 1) + 32, 8, DOMAINS + 16 + 37);
	expect_refusal(read_as(KHO_IOMMU_L4_L5, NULL), -EOPNOTSUPP, "are in layout L4");
}

/* layout.counts: the device fits as L5, but not the number of domains in a page */
static void test_counts(void **state)
{
	(void)state;
	lay(&layouts[L4_PADDED], &(struct amount){ OF(1, 110, 1) });
	put(record(DEVICES, 72, 0) + 32, 8, DOMAINS + 16);
	expect_refusal(read_as(KHO_IOMMU_L4_L5, NULL), -EOPNOTSUPP, "are in layout L4");
}

/* layout.no_device: two domains show their spacing; where nothing does, nothing needs restoring, and
 * what is not read anyway has the name of its FLB */
static void test_no_device(void **state)
{
	static const struct { unsigned layout; size_t domains; bool ask; const char *fault; } cases[] = {
		{ L0, 2, true, "are in layout L0 or L1" }, { L1, 2, true, "are in layout L0 or L1" },
		{ L1, 0, true, "are in layout L0 or L1" },
		{ L2, 2, true, "are in layout L2" }, { L2, 2, false, "are in layout L2" },
		{ L2, 0, false, "are in layout L2 or L3" }, { L2, 0, true, NULL },
		{ L3, 2, false, "are in layout L3" }, { L3, 2, true, NULL }, { L3, 1, true, NULL },
		{ L3, 0, true, NULL }, { L3, 200, true, NULL },
		{ L4, 2, true, "are in layout L4" }, { L4, 200, true, "are in layout L4" },
		{ L4, 1, false, NULL }, { L4, 0, false, NULL },
		{ L5, 0, false, NULL }, { L5, 1, false, NULL }, { L5, 2, false, NULL },
		{ L5, 200, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct layout *l = &layouts[cases[i].layout];
		const struct amount a = { OF(1, cases[i].domains, 0) };
		int err;

		print_message("# layout.no_device.%s.%zu\n", l->name, i);
		lay(l, &a);
		err = read_as(l->family, cases[i].ask ? &kho_iommu_l3 : NULL);
		if (cases[i].fault) {
			expect_refusal(err, -EOPNOTSUPP, cases[i].fault);
		} else {
			assert_int_equal(err, 0);
			assert_int_equal(got.nr_devices, 0);
			if (cases[i].layout != L2)	/* its unit is no record of L3 */
				check_all(&a);
		}
	}
}

/* layout.all_dead: nothing needs restoring, whatever the layout */
static void test_all_dead(void **state)
{
	const struct amount a = { OF(1, 2, 5), .dead = true };

	(void)state;
	lay(&layouts[L5], &a);
	assert_int_equal(read_as(KHO_IOMMU_L4_L5, NULL), 0);
	check_all(&a);
	lay(&layouts[L3], &a);
	assert_int_equal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), 0);
	check_all(&a);
	expect_refusal(read_as(KHO_IOMMU_L2_L3, NULL), -EOPNOTSUPP, "are in layout L2 or L3");
	lay(&layouts[L1], &a);
	expect_refusal(read_as(KHO_IOMMU_L0_L1, NULL), -EOPNOTSUPP, "are in layout L0 or L1");
}

/* layout.broken_records: one among many leaves the layout as it is; when there is no other, L5 is the
 * default, in which the device is refused alone, and L3 was but a wish */
static void test_broken_records(void **state)
{
	const struct amount many = { OF(1, 3, 8) }, one = { OF(1, 1, 1) };

	(void)state;
	lay(&layouts[L5], &many);
	put(record(DEVICES, 72, 2) + 32, 8, DOMAINS + 17);
	assert_int_equal(read_as(KHO_IOMMU_L4_L5, NULL), 0);
	assert_int_equal(v.bad_devices, 1);
	assert_string_equal(v.device[2].fault, "names no domain record");
	lay(&layouts[L3], &many);
	put(record(DEVICES, 56, 2) + 32, 8, UNITS + 17);
	assert_int_equal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), 0);
	assert_int_equal(v.bad_devices, 1);
	assert_string_equal(v.device[2].fault, "names no unit record");
	lay(&layouts[L4], &many);
	put(record(DEVICES, 56, 2) + 24, 8, DOMAINS + 17);
	expect_refusal(read_as(KHO_IOMMU_L4_L5, NULL), -EOPNOTSUPP, "are in layout L4");

	lay(&layouts[L5], &one);
	put(record(DEVICES, 72, 0) + 32, 8, DOMAINS + 17);
	assert_int_equal(read_as(KHO_IOMMU_L4_L5, NULL), 0);
	assert_int_equal(v.bad_devices, 1);
	lay(&layouts[L3], &one);
	put(record(DEVICES, 56, 0) + 24, 8, DOMAINS + 17);
	expect_refusal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), -EOPNOTSUPP, "fit no layout");
	expect_refusal(read_as(KHO_IOMMU_L2_L3, NULL), -EOPNOTSUPP, "are in layout L2 or L3");
	lay(&layouts[L3], &one);
	put(record(DEVICES, 56, 0) + 32, 8, UNITS + 17);
	expect_refusal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), -EOPNOTSUPP, "fit no layout");
	lay(&layouts[L1], &one);
	put(record(DEVICES, 49, 0) + 29, 8, DOMAINS + 17);
	expect_refusal(read_as(KHO_IOMMU_L0_L1, NULL), -EOPNOTSUPP, "are in layout L0 or L1");
}

/* layout.ambiguous: the fourth device of L5 has its addresses where the fifth of L4 has them, and the
 * others are dead in both */
static void test_ambiguous(void **state)
{
	static const unsigned dead[] = { 0, 56, 112, 168, 72, 144, 288 };

	(void)state;
	lay(&layouts[L5], &(struct amount){ OF(1, 1, 5), .dead = true });
	memset(mem_ptr(DEVICES + 16), 0, 5 * 72);
	for (size_t i = 0; i < ARRAY_SIZE(dead); i++)
		put(DEVICES + 16 + dead[i] + 4, 1, 1);
	put(DEVICES + 16 + 3 * 72 + 32, 8, DOMAINS + 16);
	put(DEVICES + 16 + 3 * 72 + 40, 8, UNITS + 16);
	assert_int_equal(get(DEVICES + 16 + 4 * 56 + 24, 8), DOMAINS + 16);
	expect_refusal(read_as(KHO_IOMMU_L4_L5, NULL), -EOPNOTSUPP, "fit more than one layout");
}

/* layout.broken_chains: of what is not read anyway, the name is enough; else the chain is at fault */
static void test_broken_chains(void **state)
{
	const struct amount a = { OF(1, 112, 73) };

	(void)state;
	lay(&layouts[L3], &a);
	put(DEVICES, 8, DEVICES);
	expect_refusal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), -ELOOP, "is named twice");
	expect_refusal(read_as(KHO_IOMMU_L2_L3, NULL), -EOPNOTSUPP, "are in layout L2 or L3");
	lay(&layouts[L3], &a);
	put(DOMAINS + 8, 8, 109);
	expect_refusal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), -EBADMSG,
		       "is not full but not the last");
	put(DOMAINS + 8, 8, 111);
	expect_refusal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), -EBADMSG,
		       "claims more entries than fit");
	put(DOMAINS + 8, 8, UINT64_MAX);
	expect_refusal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), -EBADMSG,
		       "claims more entries than fit");
	lay(&layouts[L1], &a);
	put(TOP + 32, 8, MIB(200));
	expect_refusal(read_as(KHO_IOMMU_L0_L1, NULL), -EOPNOTSUPP, "are in layout L0 or L1");
	/* Without a first block there is none of a kind; L4 and L5 have one of each. */
	lay(&layouts[L3], &(struct amount){ OF(1, 1, 0) });
	put(TOP + 16, 8, 0);
	assert_int_equal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), 0);
	check_all(&(struct amount){ OF(1, 1, 0) });
	lay(&layouts[L5], &(struct amount){ OF(1, 1, 0) });
	put(TOP + 24, 8, 0);
	expect_refusal(read_as(KHO_IOMMU_L4_L5, NULL), -EBADMSG, "is missing");
}

/* layout.l3_checks: each record of L3 broken in each of its fields, by its own offsets */
static void test_l3_checks(void **state)
{
	static const struct {
		const char *name;
		paddr_t chain;
		unsigned bytes, off, width;
		uint64_t value;
		const char *fault;
		size_t bad;		/* devices */
	} cases[] = {
		{ "unit_type", UNITS, 112, 16, 8, 2, "is not of a VT-d unit", 8 },
		{ "unit_token", UNITS, 112, 8, 8, 1, "has another token than its register base", 8 },
		{ "unit_restored", UNITS, 112, 24, 1, 1, "has the receiver's scratch fields set", 8 },
		{ "unit_count", UNITS, 112, 0, 4, 7, "counts other devices than there are", 8 },
		{ "domain_flags", DOMAINS, 37, 4, 4, 4, "has unknown flags", 3 },
		{ "domain_incoming", DOMAINS, 37, 4, 4, 2, "has the receiver's INCOMING set", 3 },
		{ "domain_count", DOMAINS, 37, 0, 4, 2, "has a reference count other than 1", 3 },
		{ "domain_top", DOMAINS, 37, 8, 8, MIB(200), "names a table that is not preserved", 3 },
		{ "domain_level", DOMAINS, 37, 16, 8, 5, "has a top level that no table has", 3 },
		{ "domain_vasz", DOMAINS, 37, 24, 4, 40, "has an input space that its levels do not reach", 3 },
		{ "domain_sign", DOMAINS, 37, 28, 1, 1, "has a top level that no table has", 3 },
		{ "domain_bits", DOMAINS, 37, 28, 1, 0x80, "has padding that is not zero", 3 },
		{ "domain_scratch", DOMAINS, 37, 29, 8, UINT64_C(0xdead) << 48,
		  "has the receiver's scratch fields set", 3 },
		{ "device_flags", DEVICES, 56, 4, 4, 0x100, "has unknown flags", 1 },
		{ "device_incoming", DEVICES, 56, 4, 4, 2, "has the receiver's INCOMING set", 1 },
		{ "device_count", DEVICES, 56, 0, 4, 0, "has a reference count other than 1", 1 },
		{ "device_devid", DEVICES, 56, 8, 4, 0x10001, "has an address of more than 16 bits", 1 },
		{ "device_address", DEVICES, 56, 8, 4, 0, "has the address of another", 2 },
		{ "device_did", DEVICES, 56, 16, 8, 1, "has a DID that is reserved", 1 },
		{ "device_did_wide", DEVICES, 56, 16, 8, 65541, "has a DID of more than 16 bits", 1 },
		{ "device_domain", DEVICES, 56, 24, 8, DOMAINS + 16 + 40, "names no domain record", 1 },
		{ "device_unit", DEVICES, 56, 32, 8, UNITS + 16 + 112, "names no unit record", 1 },
		{ "device_dir", DEVICES, 56, 40, 8, MIB(200), "names a table that is not preserved", 1 },
		{ "device_pasids", DEVICES, 56, 48, 8, 1 << 14, "has a number of PASIDs that no directory has", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The second record: packed ones are not aligned there.  There is one unit. */
		const size_t n = cases[i].chain != UNITS;
		const paddr_t pa = record(cases[i].chain, cases[i].bytes, n);
		const struct kho_iommu_verdict *verdict =
			&verdicts[cases[i].chain == DOMAINS ? 1 : cases[i].chain == DEVICES ? 2 : 0][n];

		print_message("# layout.l3.%s\n", cases[i].name);
		/* Eight devices are alive; three of them in domain 1. */
		lay(&layouts[L3], &(struct amount){ OF(1, 10, 10), .scalable = true });
		for (size_t d = 5; d < 7; d++) {
			put(record(DEVICES, 56, d) + 16, 8, 3);
			put(record(DEVICES, 56, d) + 24, 8, record(DOMAINS, 37, 1));
		}
		assert_int_equal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), 0);
		assert_int_equal(v.bad_devices, 0);
		put(pa + cases[i].off, cases[i].width, cases[i].value);
		assert_int_equal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), 0);
		assert_int_equal(verdict->pa, pa);
		assert_non_null(verdict->fault);
		assert_string_equal(verdict->fault, cases[i].fault);
		assert_int_equal(v.bad_devices, cases[i].bad);
	}
}

/* layout.l3_owner: the record itself, so that devices of one domain have owners of their own */
static void test_l3_owner(void **state)
{
	(void)state;
	lay(&layouts[L3], &(struct amount){ OF(1, 1, 3) });
	assert_int_equal(read_as(KHO_IOMMU_L2_L3, &kho_iommu_l3), 0);
	assert_int_equal(v.bad_devices, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(devices[i].owner_token, record(DEVICES, 56, i));
		assert_false(devices[i].vtd.ats_supported);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_one_of_each),
		cmocka_unit_test(test_l4_never_misread),
		cmocka_unit_test(test_last_record),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_no_device),
		cmocka_unit_test(test_all_dead),
		cmocka_unit_test(test_broken_records),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_broken_chains),
		cmocka_unit_test(test_l3_checks),
		cmocka_unit_test(test_l3_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

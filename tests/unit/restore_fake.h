/* What the kernel before handed over, for programs that use iommu_fake.h: records and node of the
 * live state, in plain form, or records by way of their bytes.  Included once by a test program,
 * after iommu_fake.h. */
#ifndef BATON_TEST_RESTORE_FAKE_H
#define BATON_TEST_RESTORE_FAKE_H

#include "kernel/handover/picture.h"
#include "kernel/handover/records_plain.h"
#include "kernel/handover/restore.h"
#include "kernel/report/ktap.h"
#include "kho/iommu_files.h"
#include "kho/sort.h"

/* In the place of report/: what was observed. */
static bool seen[CHECK_COUNT], bad[CHECK_COUNT];

void check_ok(enum check_id id, bool ok, const char *fmt, ...)
{
	(void)fmt;
	seen[id] = true;
	bad[id] |= !ok;
}

void check_eq(enum check_id id, const char *what, uint64_t got, uint64_t want)
{
	check_ok(id, got == want, "%s", what);
}

static struct records_plain plain;
static struct restore restore;

/* All memory of the fake machine is preserved. */
static const struct kho_range all_ranges[] = { { 0, ARENA_BYTES } };
static const struct kho_map all_preserved = { .ranges = all_ranges, .nr_ranges = 1 };

/* The picture that a node gives together with records of what is live now. */
static inline void take_picture(const struct node *n, struct picture *p)
{
	records_describe(&mmu, NULL, 0, &plain);
	restore_match(&restore, &mmu, &all_preserved, n, &plain);
	restore_picture(&restore, p);
}

/* ---- both sides of a hand-over ------------------------------------------------------------------ */

#define MAX_PAGES	32

static struct node node;
static struct records_plain got;		/* as read back from their bytes */
static struct iommu next;			/* the incoming kernel's, on the same registers */
static struct stream_control_ser control[2];	/* of streams 1 and 2: the NIC's and the far device's */
static struct port ports[2];
static paddr_t page_list[MAX_PAGES];
static struct kho_pages pages;
static struct kho_iommu_placed placed;

static inline paddr_t record_pa(uint16_t rid)
{
	for (size_t i = 0; i < plain.iommu.nr_devices; i++)
		if (plain.device[i].devid == rid)
			return kho_iommu_device_pa(&pages, &placed, i);
	fail_msg("no record of %x", rid);
	return 0;
}

/* Streams of the NIC and of the far device, wherever there are such devices. */
static inline void set_ports(void)
{
	const uint16_t rid[] = { NIC_RID, FAR_RID };

	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		control[i] = (struct stream_control_ser){ .stream = (uint16_t)(i + 1) };
		ports[i] = (struct port){ .nic = { .rid = rid[i] }, .control = &control[i] };
	}
}

/* Node and records of @from, the records in their bytes. */
static inline void write_handoff(const struct iommu *from)
{
	static const struct kho_scratch none = { .nr = 0 };
	struct kho_radix radix;
	struct kho_refusal why = { 0 };

	memset(&node, 0, sizeof(node));
	assert_int_equal(picture_record(from, &node), 0);
	records_describe(from, ports, ARRAY_SIZE(ports), &plain);
	pages = (struct kho_pages){ .pa = page_list, .max = MAX_PAGES };
	assert_int_equal(kho_radix_init(&radix, &none), 0);
	if (kho_iommu_records_write(&plain.iommu, &radix, &pages, &placed, &why))
		fail_msg("%s %s", why.what, why.fault);
}

static inline bool all_is_ram(void *ctx, paddr_t pa, uint64_t len)
{
	(void)ctx;
	return range_valid(pa, len);
}

static inline void read_records(struct records_plain *out)
{
	static const struct kho_limits lim = { .ram = { .is_ram = all_is_ram } };
	static const struct kho_scratch none = { .nr = 0 };
	struct kho_extent extent[MAX_PAGES];
	struct kho_range work[MAX_PAGES];
	const struct kho_map map = {
		.extents = extent, .nr_extents = pages.nr, .ranges = all_ranges, .nr_ranges = 1 };
	struct kho_reader r = {
		.lim = &lim, .scratch = &none, .map = &map,
		.claims = { .range = work, .max = MAX_PAGES } };
	struct kho_iommu_verdicts v = {
		out->unit_verdict, out->domain_verdict, out->device_verdict, 0 };
	const struct kho_iommu_place at = {
		.family = KHO_IOMMU_L4_L5, .top_pa = page_list[placed.top] };
	struct kho_refusal why = { 0 };

	for (size_t i = 0; i < pages.nr; i++)
		extent[i] = (struct kho_extent){ page_list[i], 1, 0 };
	kho_sort(extent, pages.nr, sizeof(extent[0]));
	memset(out, 0, sizeof(*out));
	out->iommu = (struct kho_iommu){
		.unit = out->unit, .max_units = NODE_MAX_UNITS, .domain = out->domain,
		.max_domains = NODE_MAX_DOMAINS, .device = out->device,
		.max_devices = NODE_MAX_DEVICES, .keys = out->key, .max_keys = RECORDS_MAX_KEYS };
	if (kho_iommu_records_read(&r, &at, NULL, &out->iommu, &v, &why))
		fail_msg("%s %s", why.what, why.fault);
}

/* The incoming kernel knows registers and queue, and nothing else. */
static inline void begin_next(const struct iommu *from)
{
	next = *from;
	next.nr_domains = next.nr_devices = next.next_domain_id = 0;
	memset(next.device, 0, sizeof(next.device));
	memset(next.domain, 0, sizeof(next.domain));
	for (size_t i = 0; i < IOMMU_MAX_DOMAINS; i++)
		next.domain[i].id = UINT32_MAX;
	for (size_t i = 0; i < next.nr_units; i++) {
		next.unit[i].vtd.root = 0;
		next.unit[i].found.rtaddr = from->unit[i].vtd.root;
	}
	memset(seen, 0, sizeof(seen));
	memset(bad, 0, sizeof(bad));
}

/* From the bytes as they are now to units with their DIDs; devices are the test's. */
static inline void receive(const struct iommu *from)
{
	read_records(&got);
	begin_next(from);
	restore_match(&restore, &next, &all_preserved, &node, &got);
	restore_units(&restore);
}

static inline void hand_over(void)
{
	write_handoff(&mmu);
	receive(&mmu);
}

static inline uint32_t named(uint16_t rid)
{
	for (uint32_t i = 0; i < node.nr_devices; i++)
		if (node.device[i].segment == 0 && node.device[i].rid == rid)
			return i;
	fail_msg("%x is not named", rid);
	return 0;
}

/* Restore one; its error. */
static const char *why_not;
static inline int restore_rid(uint16_t rid)
{
	why_not = NULL;
	return restore_device(&restore, named(rid), &why_not);
}

static inline struct vtd_dids *next_dids(void)
{
	return &next.unit[0].vtd.dids;
}

#endif

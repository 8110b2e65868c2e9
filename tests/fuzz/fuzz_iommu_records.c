/* Records of IOMMU units, domains and devices, behind any FLB name and in memory whose map is known.
 * What has a good verdict keeps the rules; records that are all good are written again and read the
 * same. */
#include "sparse.h"

#include "kho/iommu_records.h"

#define MAX_RECORDS	512

struct records_room {
	struct kho_iommu_unit unit[MAX_RECORDS];
	struct kho_iommu_domain domain[MAX_RECORDS];
	struct kho_iommu_device device[MAX_RECORDS];
	struct kho_iommu_verdict verdict[3][MAX_RECORDS];
	struct kho_key keys[2 * MAX_RECORDS];
	struct kho_range claims[1024];
	struct kho_iommu io;
	struct kho_iommu_verdicts v;
	struct kho_handoff h;
};

static struct records_room first, second;

static int read_records(struct records_room *room, const struct kho_iommu_place *at, bool own,
			struct kho_refusal *why)
{
	const struct kho_limits lim = sparse_limits(own);
	struct kho_reader r;

	sparse_handoff(&room->h, 0, 0, own);
	room->h.tree.nr = 0;
	room->io = (struct kho_iommu){
		.unit = room->unit, .max_units = MAX_RECORDS,
		.domain = room->domain, .max_domains = MAX_RECORDS,
		.device = room->device, .max_devices = MAX_RECORDS,
		.keys = room->keys, .max_keys = ARRAY_SIZE(room->keys),
	};
	room->v = (struct kho_iommu_verdicts){
		.unit = room->verdict[0], .domain = room->verdict[1], .device = room->verdict[2],
	};
	REQUIRE(!kho_reader_init(&r, &room->h, &lim, room->claims, ARRAY_SIZE(room->claims), why));
	return kho_iommu_records_read(&r, at, NULL, &room->io, &room->v, why);
}

static bool good(const struct kho_iommu_device *d)
{
	return !d->deleted && !first.v.device[d - first.device].fault;
}

static void check_pair(const struct kho_iommu_device *a, const struct kho_iommu_device *b)
{
	REQUIRE(a->pci_domain != b->pci_domain || a->devid != b->devid);
	if (a->unit == b->unit)
		REQUIRE((a->did == b->did) == (a->domain == b->domain));
}

/* What the reader promises of a good device, whatever else is broken. */
static void check(void)
{
	const struct kho_iommu *io = &first.io;
	size_t bad = 0;

	for (size_t i = 0; i < io->nr_devices; i++) {
		const struct kho_iommu_device *d = &io->device[i];

		bad += !!first.v.device[i].fault;
		if (!good(d))
			continue;
		REQUIRE(d->unit < io->nr_units && d->domain < io->nr_domains);
		REQUIRE(!io->unit[d->unit].deleted && !first.v.unit[d->unit].fault);
		REQUIRE(!io->domain[d->domain].deleted && !first.v.domain[d->domain].fault);
		REQUIRE(d->did >= KHO_IOMMU_FIRST_DID && d->owner_token);
		REQUIRE(kho_map_covers(&first.h.map, io->domain[d->domain].top_table, PAGE_SIZE));
		REQUIRE(kho_map_covers(&first.h.map, io->unit[d->unit].root_table, PAGE_SIZE));
		for (size_t k = 0; k < i; k++)
			if (good(&io->device[k]))
				check_pair(d, &io->device[k]);
	}
	REQUIRE(bad == first.v.bad_devices);
}

static bool all_good(void)
{
	for (size_t i = 0; i < first.io.nr_units; i++)
		if (first.v.unit[i].fault)
			return false;
	for (size_t i = 0; i < first.io.nr_domains; i++)
		if (first.v.domain[i].fault)
			return false;
	return !first.v.bad_devices;
}

static void write_again(void)
{
	static const struct kho_scratch no_scratch;
	static paddr_t list[64];
	struct kho_pages pages = { .pa = list, .max = ARRAY_SIZE(list) };
	const struct kho_iommu *a = &first.io, *b = &second.io;
	struct kho_iommu_place written = { .family = KHO_IOMMU_L4_L5 };
	struct kho_iommu_placed at;
	struct kho_refusal why = { 0 };
	struct kho_radix radix;

	REQUIRE(!kho_radix_init(&radix, &no_scratch));
	REQUIRE(!kho_iommu_records_write(a, &radix, &pages, &at, &why));
	written.top_pa = list[at.top];
	REQUIRE(!read_records(&second, &written, true, &why));
	REQUIRE(a->nr_units == b->nr_units && a->nr_domains == b->nr_domains &&
		a->nr_devices == b->nr_devices && !second.v.bad_devices);
	for (size_t i = 0; i < a->nr_units; i++)
		REQUIRE(a->unit[i].deleted == b->unit[i].deleted &&
			a->unit[i].register_base == b->unit[i].register_base &&
			a->unit[i].root_table == b->unit[i].root_table &&
			!memcmp(a->unit[i].context_tables, b->unit[i].context_tables,
				sizeof(a->unit[i].context_tables)));
	for (size_t i = 0; i < a->nr_domains; i++)
		REQUIRE(a->domain[i].deleted == b->domain[i].deleted &&
			a->domain[i].top_table == b->domain[i].top_table &&
			a->domain[i].top_level == b->domain[i].top_level &&
			a->domain[i].vasz == b->domain[i].vasz &&
			a->domain[i].first_stage == b->domain[i].first_stage);
	for (size_t i = 0; i < a->nr_devices; i++) {
		const struct kho_iommu_device *x = &a->device[i], *y = &b->device[i];

		REQUIRE(x->deleted == y->deleted);
		REQUIRE(x->deleted ||
			(x->pci_domain == y->pci_domain && x->devid == y->devid &&
			 x->did == y->did && x->owner_token == y->owner_token &&
			 x->domain == y->domain && x->unit == y->unit &&
			 x->vtd.pasid_dir == y->vtd.pasid_dir &&
			 x->vtd.max_pasid == y->vtd.max_pasid &&
			 x->vtd.ats_enabled == y->vtd.ats_enabled &&
			 x->vtd.ats_supported == y->vtd.ats_supported));
	}
	kho_pages_free(&pages, 0);
	kho_radix_free(&radix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct kho_iommu_place at = { .l3 = &kho_iommu_l3 };
	struct kho_refusal why = { 0 };

	sparse_open(true);
	at.family = fuzz_take_u64(&in) % KHO_IOMMU_FAMILIES;
	at.top_pa = fuzz_take_u64(&in);
	sparse_lay(in, true);
	if (read_records(&first, &at, false, &why)) {
		REQUIRE(why.what && why.fault);
	} else {
		check();
		if (all_good())
			write_again();
	}
	sparse_wipe();
	return 0;
}

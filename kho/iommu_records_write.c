/* Writer of IOMMU records. */
#include "iommu_records.h"

#include "iommu_rules.h"
#include "platform/mem.h"

static const char unit[] = "unit record";
static const char domain[] = "domain record";
static const char device[] = "device record";

paddr_t kho_iommu_unit_pa(const struct kho_pages *p, const struct kho_iommu_placed *at, size_t i)
{
	return kho_entry_pa(&kho_iommu_unit_blocks, &p->pa[at->units], i);
}

paddr_t kho_iommu_domain_pa(const struct kho_pages *p, const struct kho_iommu_placed *at, size_t i)
{
	return kho_entry_pa(&kho_iommu_domain_blocks, &p->pa[at->domains], i);
}

paddr_t kho_iommu_device_pa(const struct kho_pages *p, const struct kho_iommu_placed *at, size_t i)
{
	return kho_entry_pa(&kho_iommu_device_blocks, &p->pa[at->devices], i);
}

/* --- What is refused --- */

static int check_units(const struct kho_iommu *in, struct kho_refusal *why)
{
	for (size_t i = 0; i < in->nr_units; i++) {
		const struct kho_iommu_unit *u = &in->unit[i];
		uint64_t value;
		const char *fault = u->deleted ? NULL : kho_iommu_unit_fault(u, &value);

		if (fault)
			return kho_refuse(why, -EINVAL, unit, fault, value, i);
	}
	return 0;
}

static int check_domains(const struct kho_iommu *in, struct kho_refusal *why)
{
	for (size_t i = 0; i < in->nr_domains; i++) {
		const struct kho_iommu_domain *d = &in->domain[i];
		uint64_t value;
		const char *fault = d->deleted ? NULL : kho_iommu_domain_fault(d, &value);

		if (fault)
			return kho_refuse(why, -EINVAL, domain, fault, value, i);
	}
	return 0;
}

static const char *device_fault(const struct kho_iommu *in, const struct kho_iommu_device *d,
				uint64_t *value)
{
	*value = d->unit;
	if (d->unit >= in->nr_units || in->unit[d->unit].deleted)
		return "names no live unit";
	*value = d->domain;
	if (d->domain >= in->nr_domains || in->domain[d->domain].deleted)
		return "names no live domain";
	return kho_iommu_device_fault(d, value);
}

static int check_devices(const struct kho_iommu *in, struct kho_refusal *why)
{
	for (size_t i = 0; i < in->nr_devices; i++) {
		const struct kho_iommu_device *d = &in->device[i];
		uint64_t value;
		const char *fault = d->deleted ? NULL : device_fault(in, d, &value);

		if (fault)
			return kho_refuse(why, -EINVAL, device, fault, value, i);
	}
	return 0;
}

struct clashes {
	const struct kho_iommu *in;
	struct kho_refusal *why;
	const char *what;
	bool any;
};

static void report(void *ctx, size_t index, const char *fault, uint64_t value)
{
	struct clashes *c = ctx;

	kho_refuse(c->why, -EINVAL, c->what, fault, value, index);
	c->any = true;
}

static bool unit_counts(void *ctx, size_t i)
{
	return !((struct clashes *)ctx)->in->unit[i].deleted;
}

static bool domain_counts(void *ctx, size_t i)
{
	return !((struct clashes *)ctx)->in->domain[i].deleted;
}

static bool device_counts(void *ctx, size_t i)
{
	return !((struct clashes *)ctx)->in->device[i].deleted;
}

static int check_clashes(const struct kho_iommu *in, struct kho_refusal *why)
{
	struct clashes c = { .in = in, .why = why };
	struct kho_iommu_clash rule = { .report = report, .ctx = &c };

	rule.counts = unit_counts;
	c.what = unit;
	kho_iommu_unit_clashes(in, &rule);
	rule.counts = domain_counts;
	c.what = domain;
	kho_iommu_domain_clashes(in, &rule);
	rule.counts = device_counts;
	c.what = device;
	kho_iommu_address_clashes(in, &rule);
	kho_iommu_device_clashes(in, &rule);
	return c.any ? -EINVAL : 0;
}

static int check(const struct kho_iommu *in, struct kho_refusal *why)
{
	const size_t most = MAX(in->nr_units, MAX(in->nr_domains, in->nr_devices));
	int err;

	if (most > in->max_keys)
		return kho_refuse(why, -ENOSPC, "IOMMU records", "are too many for the work memory",
				  0, most);
	err = check_units(in, why);
	if (!err)
		err = check_domains(in, why);
	if (!err)
		err = check_devices(in, why);
	return err ? err : check_clashes(in, why);
}

/* --- Bytes --- */

static struct kho_iommu_header_ser header(bool deleted, uint32_t ref_count)
{
	return (struct kho_iommu_header_ser){
		.ref_count = deleted ? 0 : ref_count,
		.flags = deleted ? KHO_IOMMU_DELETED : 0,
	};
}

/* Live devices behind the unit are counted as their records are written. */
static void put_unit(const struct kho_iommu_unit *u, struct kho_iommu_unit_ser *ser)
{
	*ser = (struct kho_iommu_unit_ser){
		.header = header(u->deleted, 0),
		.token = u->register_base, .type = KHO_IOMMU_TYPE_INTEL,
		.register_base_pa = u->register_base, .root_table_pa = u->root_table,
	};
	for (size_t i = 0; i < ARRAY_SIZE(ser->context_tables); i++)
		ser->context_tables[i] = u->context_tables[i];
}

static void put_domain(const struct kho_iommu_domain *d, struct kho_iommu_domain_ser *ser)
{
	*ser = (struct kho_iommu_domain_ser){
		.header = header(d->deleted, 1),
		.top_table_pa = d->top_table, .top_level = d->top_level, .vasz = d->vasz,
		.sign_extend = d->first_stage,
	};
}

static void put_device(const struct kho_iommu_device *d, paddr_t domain_pa, paddr_t unit_pa,
		       struct kho_iommu_device_ser *ser)
{
	*ser = (struct kho_iommu_device_ser){
		.header = header(d->deleted, 1),
		.devid = d->devid, .pci_domain = d->pci_domain, .owner_token = d->owner_token,
		.attachment_id = d->did, .domain_pa = domain_pa, .unit_pa = unit_pa,
		.ats_enabled = d->vtd.ats_enabled, .ats_supported = d->vtd.ats_supported,
		.pasid_dir_pa = d->vtd.pasid_dir, .max_pasid = d->vtd.max_pasid,
	};
}

static void put_records(const struct kho_iommu *in, const struct kho_pages *p,
			const struct kho_iommu_placed *at)
{
	for (size_t i = 0; i < in->nr_units; i++)
		put_unit(&in->unit[i], mem_ptr(kho_iommu_unit_pa(p, at, i)));
	for (size_t i = 0; i < in->nr_domains; i++)
		put_domain(&in->domain[i], mem_ptr(kho_iommu_domain_pa(p, at, i)));
	for (size_t i = 0; i < in->nr_devices; i++) {
		const struct kho_iommu_device *d = &in->device[i];
		const paddr_t domain_pa = d->domain < in->nr_domains ?
			kho_iommu_domain_pa(p, at, d->domain) : 0;
		const paddr_t unit_pa = d->unit < in->nr_units ?
			kho_iommu_unit_pa(p, at, d->unit) : 0;

		put_device(d, domain_pa, unit_pa, mem_ptr(kho_iommu_device_pa(p, at, i)));
		if (!d->deleted)
			((struct kho_iommu_unit_ser *)mem_ptr(unit_pa))->header.ref_count++;
	}
}

/* The first block of a kind is there even without records: its pointer may not be 0. */
static size_t blocks(const struct kho_block_kind *k, size_t n)
{
	return MAX(kho_blocks_for(k, n), (size_t)1);
}

static void put_chain(const struct kho_pages *p, const struct kho_block_kind *k, size_t first,
		      size_t n, uint64_t *first_pa)
{
	kho_chain_write(k, &p->pa[first], blocks(k, n), n, 0);
	*first_pa = p->pa[first];
}

int kho_iommu_records_write(const struct kho_iommu *in, struct kho_radix *radix,
			    struct kho_pages *pages, struct kho_iommu_placed *at,
			    struct kho_refusal *why)
{
	const size_t first = pages->nr;
	struct kho_iommu_placed where = { .top = first, .units = first + 1 };
	struct kho_iommu_top_ser *top;
	int err = check(in, why);

	if (err)
		return err;
	where.domains = where.units + blocks(&kho_iommu_unit_blocks, in->nr_units);
	where.devices = where.domains + blocks(&kho_iommu_domain_blocks, in->nr_domains);
	err = kho_pages_alloc(pages, where.devices - first +
				     blocks(&kho_iommu_device_blocks, in->nr_devices));
	if (!err)
		err = kho_pages_preserve(pages, first, radix);
	if (err) {
		kho_pages_free(pages, first);
		return kho_refuse(why, err, "IOMMU records",
				  "find no pages, or they cannot be preserved", 0, 0);
	}
	top = mem_ptr(pages->pa[where.top]);
	top->version = KHO_IOMMU_VERSION;
	put_chain(pages, &kho_iommu_unit_blocks, where.units, in->nr_units, &top->units_pa);
	put_chain(pages, &kho_iommu_domain_blocks, where.domains, in->nr_domains, &top->domains_pa);
	put_chain(pages, &kho_iommu_device_blocks, where.devices, in->nr_devices, &top->devices_pa);
	put_records(in, pages, &where);
	*at = where;
	return 0;
}

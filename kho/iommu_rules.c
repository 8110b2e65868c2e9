/* What is demanded of records. */
#include "iommu_rules.h"

/* One level of a table resolves nine bits, the page the last twelve. */
#define LEVEL_BITS		9
#define TOP_LEVEL_MIN		2	/* 3 levels */
#define TOP_LEVEL_MIN_FIRST	3	/* first-stage tables have 4 or 5 */
#define TOP_LEVEL_MAX		4

const struct kho_block_kind kho_iommu_unit_blocks = {
	.what = "block of unit records", .entry_bytes = sizeof(struct kho_iommu_unit_ser),
	.may_be_empty = true, .fills = true, .max_blocks = SIZE_MAX,
};
const struct kho_block_kind kho_iommu_domain_blocks = {
	.what = "block of domain records", .entry_bytes = sizeof(struct kho_iommu_domain_ser),
	.may_be_empty = true, .fills = true, .max_blocks = SIZE_MAX,
};
const struct kho_block_kind kho_iommu_device_blocks = {
	.what = "block of device records", .entry_bytes = sizeof(struct kho_iommu_device_ser),
	.may_be_empty = true, .fills = true, .max_blocks = SIZE_MAX,
};

static bool page_address(paddr_t pa)
{
	return pa && IS_ALIGNED(pa, PAGE_SIZE) && kho_addressable(pa, PAGE_SIZE);
}

const char *kho_iommu_unit_fault(const struct kho_iommu_unit *u, uint64_t *value)
{
	*value = u->register_base;
	if (!page_address(u->register_base))
		return "has a register base that is no page";
	*value = u->root_table;
	if (!page_address(u->root_table))
		return "has a root table that is no page";
	return NULL;
}

const char *kho_iommu_domain_fault(const struct kho_iommu_domain *d, uint64_t *value)
{
	*value = d->top_table;
	if (!page_address(d->top_table))
		return "has a top table that is no page";
	*value = d->top_level;
	if (d->top_level < (d->first_stage ? TOP_LEVEL_MIN_FIRST : TOP_LEVEL_MIN) ||
	    d->top_level > TOP_LEVEL_MAX)
		return "has a top level that no table has";
	*value = d->vasz;
	if (d->vasz <= PAGE_SHIFT || d->vasz > PAGE_SHIFT + LEVEL_BITS * (d->top_level + 1))
		return "has an input space that its levels do not reach";
	return NULL;
}

/* Without a directory, max_pasid is 0 as well. */
static const char *pasid_fault(const struct kho_iommu_device_vtd *v, uint64_t *value)
{
	const uint64_t max = v->max_pasid;

	*value = max;
	if (!v->pasid_dir)
		return max ? "has PASIDs but no directory" : NULL;
	if (max < KHO_IOMMU_PASIDS_PER_PAGE || max > KHO_IOMMU_MAX_PASID || (max & (max - 1)))
		return "has a number of PASIDs that no directory has";
	*value = v->pasid_dir;
	if (!IS_ALIGNED(v->pasid_dir, kho_iommu_pasid_dir_bytes(max)) ||
	    !kho_addressable(v->pasid_dir, kho_iommu_pasid_dir_bytes(max)))
		return "has a PASID directory that is not aligned to its size";
	return NULL;
}

const char *kho_iommu_device_fault(const struct kho_iommu_device *d, uint64_t *value)
{
	*value = 0;
	if (!d->owner_token)
		return "has no owner";
	if (d->did < KHO_IOMMU_FIRST_DID) {
		*value = d->did;
		return "has a DID that is reserved";
	}
	if (d->vtd.ats_enabled && !d->vtd.ats_supported)
		return "has ATS enabled but does not support it";
	return pasid_fault(&d->vtd, value);
}

/* --- Clashes --- */

/* Sort the records that count by @key_of; the number of keys. */
static size_t sort_by(const struct kho_iommu *io, size_t n, const struct kho_iommu_clash *c,
		      uint64_t (*key_of)(const struct kho_iommu *, size_t))
{
	size_t nr = 0;

	for (size_t i = 0; i < n; i++)
		if (c->counts(c->ctx, i))
			io->keys[nr++] = (struct kho_key){ key_of(io, i), i };
	kho_keys_sort(io->keys, nr);
	return nr;
}

/* Report all records of a run of equal keys; with @same, only if one differs from the first. */
static void report_runs(const struct kho_iommu *io, size_t nr, const struct kho_iommu_clash *c,
			bool (*same)(const struct kho_iommu *, size_t, size_t), const char *fault)
{
	const struct kho_key *k = io->keys;

	for (size_t i = 0, end; i < nr; i = end) {
		bool clash = false;

		end = kho_keys_run(k, nr, i);
		for (size_t j = i + 1; j < end; j++)
			clash |= !same || !same(io, k[i].index, k[j].index);
		for (size_t j = i; clash && j < end; j++)
			c->report(c->ctx, k[j].index, fault, k[j].key);
	}
}

static uint64_t key_register_base(const struct kho_iommu *io, size_t i)
{
	return io->unit[i].register_base;
}

static uint64_t key_root_table(const struct kho_iommu *io, size_t i)
{
	return io->unit[i].root_table;
}

static uint64_t key_top_table(const struct kho_iommu *io, size_t i)
{
	return io->domain[i].top_table;
}

static uint64_t key_address(const struct kho_iommu *io, size_t i)
{
	return (uint64_t)io->device[i].pci_domain << 16 | io->device[i].devid;
}

/* Indices take far less than 32 bits: the arrays are memory of this machine. */
static uint64_t key_did(const struct kho_iommu *io, size_t i)
{
	return (uint64_t)io->device[i].unit << 16 | io->device[i].did;
}

static uint64_t key_domain(const struct kho_iommu *io, size_t i)
{
	return (uint64_t)io->device[i].domain << 32 | io->device[i].unit;
}

static uint64_t key_pasid_dir(const struct kho_iommu *io, size_t i)
{
	return io->device[i].vtd.pasid_dir;
}

static bool same_domain(const struct kho_iommu *io, size_t a, size_t b)
{
	return io->device[a].domain == io->device[b].domain;
}

static bool same_did(const struct kho_iommu *io, size_t a, size_t b)
{
	return io->device[a].did == io->device[b].did;
}

static bool no_pasid_dir(const struct kho_iommu *io, size_t a, size_t b)
{
	(void)b;
	return !io->device[a].vtd.pasid_dir;
}

void kho_iommu_unit_clashes(const struct kho_iommu *io, const struct kho_iommu_clash *c)
{
	size_t nr = sort_by(io, io->nr_units, c, key_register_base);

	report_runs(io, nr, c, NULL, "has the registers of another");
	nr = sort_by(io, io->nr_units, c, key_root_table);
	report_runs(io, nr, c, NULL, "has the root table of another");
}

void kho_iommu_domain_clashes(const struct kho_iommu *io, const struct kho_iommu_clash *c)
{
	const size_t nr = sort_by(io, io->nr_domains, c, key_top_table);

	report_runs(io, nr, c, NULL, "has the top table of another");
}

void kho_iommu_address_clashes(const struct kho_iommu *io, const struct kho_iommu_clash *c)
{
	const size_t nr = sort_by(io, io->nr_devices, c, key_address);

	report_runs(io, nr, c, NULL, "has the address of another");
}

void kho_iommu_device_clashes(const struct kho_iommu *io, const struct kho_iommu_clash *c)
{
	size_t nr = sort_by(io, io->nr_devices, c, key_pasid_dir);

	report_runs(io, nr, c, no_pasid_dir, "has the PASID directory of another");
	nr = sort_by(io, io->nr_devices, c, key_did);
	report_runs(io, nr, c, same_domain, "has the DID of another domain on its unit");
	nr = sort_by(io, io->nr_devices, c, key_domain);
	report_runs(io, nr, c, same_did, "has another DID than its domain on its unit");
}
